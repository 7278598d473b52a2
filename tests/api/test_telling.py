"""A check that takes long tells of a failing layer before it knows all about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ldjcheck.api import check_layer
from ldjcheck.records import Layer, Options

if TYPE_CHECKING:
    from ldjcheck.records import Result


class Stretch(nn.Module):
    """Stretches each dim by a factor of its own; `sign` is how its log counts."""

    def __init__(self, sign: float, eps: float = 0.0) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))
        self.sign = sign
        self.eps = eps

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scale = self.log_scale.exp()
        ldj = self.sign * torch.log(scale + self.eps).sum()
        return x * scale, ldj.expand(len(x))


def told_of(obj: nn.Module) -> tuple[list[Result], Result]:
    told: list[Result] = []
    layer = Layer(target="", name="Stretch", obj=obj)
    end = check_layer(layer, Options(), tell=told.append)
    return told, end


def test_a_failing_layer_is_told_before_and_after_its_mistake_is_named() -> None:
    (early, named), end = told_of(Stretch(sign=-1.0))
    assert [early.status, named.status, end.status] == ["fail"] * 3
    (finding,) = early.findings
    assert finding.code == "LDJ199"
    assert finding.message == (
        "The log-determinant is wrong; which mistake it is, is not known yet."
    )
    assert [r.findings[0].code for r in (named, end)] == ["LDJ104", "LDJ104"]
    assert named.findings[0].fix is None
    assert end.findings[0].fix is not None
    assert early.checks[0].samples == end.checks[0].samples


def test_of_a_right_layer_nothing_is_told() -> None:
    told, end = told_of(Stretch(sign=1.0))
    assert end.status == "pass"
    assert told == []


def test_what_may_still_turn_out_to_be_harmless_is_not_told() -> None:
    """An epsilon in a logarithm is a note, as long as it costs next to nothing."""
    told, end = told_of(Stretch(sign=1.0, eps=1e-6))
    assert end.status == "pass"
    assert [f.code for f in end.findings] == ["LDJ117"]
    assert told == []
