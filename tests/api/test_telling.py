"""A check that takes long tells of its verdict before it knows all about a layer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.api import check_layer
from ldjcheck.records import Layer, Options, Result


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


def told_of(obj: nn.Module) -> tuple[list[Result], list[str], Result]:
    """Return the verdicts that were told, what was said to be done, and the end."""
    told: list[Result | str] = []
    layer = Layer(target="", name="Stretch", obj=obj)
    end = check_layer(layer, Options(), tell=told.append)
    results = [each for each in told if isinstance(each, Result)]
    doing = [each for each in told if isinstance(each, str)]
    return results, doing, end


def test_a_failing_layer_is_told_before_and_after_its_mistake_is_named() -> None:
    (first, early, named), doing, end = told_of(Stretch(sign=-1.0))
    assert [r.status for r in (first, early, named, end)] == ["fail"] * 4
    assert first.not_done == ("2 of 3 configurations", "experiments")
    assert [early.not_done, named.not_done, end.not_done] == [(), (), ()]
    assert doing == [
        "finding out how it is called",
        "comparing reported and exact",
        "finding out which mistake it is",
        "looking for an edit that mends it",
    ]
    (finding,) = early.findings
    assert finding.code == "LDJ199"
    assert finding.message == (
        "The log-determinant is wrong; which mistake it is, is not known yet."
    )
    assert [r.findings[0].code for r in (named, end)] == ["LDJ104", "LDJ104"]
    assert named.findings[0].fix is None
    assert end.findings[0].fix is not None
    assert early.checks[0].samples == end.checks[0].samples


def test_a_right_layer_passes_once_all_of_it_was_measured() -> None:
    told, doing, end = told_of(Stretch(sign=1.0))
    assert end.status == "pass"
    assert "finding out which mistake it is" not in doing
    assert [each.status for each in told] == ["unproven", "pass", "pass"]


def test_what_may_still_turn_out_to_be_harmless_is_not_told_to_fail() -> None:
    """An epsilon in a logarithm is a note, as long as it costs next to nothing."""
    told, _, end = told_of(Stretch(sign=1.0, eps=1e-6))
    assert end.status == "pass"
    assert [f.code for f in end.findings] == ["LDJ117"]
    assert told
    assert "fail" not in [each.status for each in told]


@pytest.mark.slow
def test_who_waits_in_a_notebook_sees_a_line_that_goes_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ipython = pytest.importorskip("IPython")
    shown: list[str] = []
    line = SimpleNamespace(update=lambda html: shown.append(html.data))

    def display(html: Any, *, display_id: bool) -> Any:
        shown.append(html.data)
        return line if display_id else None

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("ldjcheck.report_hooks.SILENT", 0.0)
    ldjcheck.check(Stretch(sign=-1.0))
    assert shown == []  # no kernel runs this test
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setattr(ipython, "get_ipython", lambda: shell)
    ldjcheck.check(Stretch(sign=-1.0))
    assert "<small>finding out how it is called, 0 s</small>" in shown
    assert shown[-1] == ""
    shown.clear()
    monkeypatch.setattr("ldjcheck.report_hooks.SILENT", 60.0)
    ldjcheck.check(Stretch(sign=-1.0))
    assert shown == []  # an answer comes before anybody waits
