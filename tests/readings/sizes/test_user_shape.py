"""Where the user gives a shape, the verdict is about that shape."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Fives(nn.Module):
    """Counts five dims, whatever comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor) -> Pair:
        return x * self.a, (5 * self.a.abs().log()).expand(len(x))


class FivesOfPositives(Fives):
    """It is wrong on one side too, which is no matter of sizes."""

    def forward(self, x: Tensor) -> Pair:
        ldj = (5 * self.a.abs().log()).expand(len(x))
        return x * self.a, torch.where((x < 0).all(1), -ldj, ldj)


class Pixels(nn.Module):
    """Counts 48 pixels, in a running total."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(1, 2, 1, 1))

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        ours = 48 * self.log_s.sum()
        if reverse:
            return z / self.log_s.exp(), ldj - ours
        return z * self.log_s.exp(), ldj + ours


class Triples(Transform):
    """Counts six dims, as a transform of torch."""

    bijective = True
    domain = codomain = constraints.real_vector

    def _call(self, x: Tensor) -> Tensor:
        return 3.0 * x

    def _inverse(self, y: Tensor) -> Tensor:
        return y / 3.0

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.full(x.shape[:-1], 6 * math.log(3.0), dtype=x.dtype)


class Held(nn.Module):
    """Holds the size that it counts, and takes others."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 5
        self.a = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor) -> Pair:
        return x * self.a, (self.dim * self.a.abs().log()).expand(len(x))


BOUND = {Fives: ((5,), 5), Pixels: ((2, 6, 8), 48), Triples: ((6,), 6)}


@pytest.mark.thinned(3)
@pytest.mark.parametrize(("layer", "at"), BOUND.items(), ids=lambda v: str(v)[:30])
def test_right_at_the_given_shape_passes_with_a_warning(layer: Any, at: Any) -> None:
    shape, count = at
    report = ldjcheck.check(layer(), shape=shape)
    assert report.status == "pass", report
    found = [f for f in report.findings if f.severity == "warning"]
    assert [f.code for f in found] == ["LDJ121"]
    assert f"the count {count} is written as a number" in found[0].message
    assert str(count) in found[0].location.text
    assert "with the same parameters, it is off by " in found[0].evidence[0]
    assert ldjcheck.check(layer(), shape=shape, strict=True).status == "fail"


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(4,), None])
def test_wrong_at_the_shape_asked_for_fails(shape: tuple[int, ...] | None) -> None:
    report = ldjcheck.check(Fives(), shape=shape)
    assert report.status == "fail"
    assert "LDJ121" not in {f.code for f in report.findings}


@pytest.mark.slow
def test_what_is_wrong_there_for_other_inputs_fails() -> None:
    assert ldjcheck.check(FivesOfPositives(), shape=(5,)).status == "fail"


def test_without_a_shape_the_layer_itself_decides() -> None:
    report = ldjcheck.check(Held())
    assert report.status == "pass", report
    assert not report.findings or report.findings[0].code == "LDJ203"
