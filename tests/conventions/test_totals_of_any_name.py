"""A running total is what something is added to and handed back, whatever it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.calling.results import unnamed_total
from ldjcheck.calling.signature import call_signature

if TYPE_CHECKING:
    from small_layers import Pair


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.linspace(-0.5, 0.7, 3))


class InThePair(Scale):
    def forward(self, x: Tensor, soFar: Tensor) -> Pair:  # noqa: N803  # as people write
        return x * self.s.exp(), soFar + self.s.sum()


class Before(Scale):
    def forward(self, x: Tensor, acc: Tensor) -> Pair:
        acc = self.s.sum() + acc
        return x * self.s.exp(), acc


class InPlace(Scale):
    def forward(self, x: Tensor, somme: Tensor) -> Pair:
        somme += self.s.sum()
        return x * self.s.exp(), somme


class TakenOff(Scale):
    """Wrong: it takes off what it should add."""

    def forward(self, x: Tensor, acc: Tensor) -> Pair:
        return x * self.s.exp(), acc - self.s.sum()


class Shifted(Scale):
    """What it is handed is no total: it moves the output, and enters no number."""

    def forward(self, x: Tensor, towards: Tensor) -> Pair:
        return x * self.s.exp() + towards, self.s.sum().expand(len(x))


@pytest.mark.parametrize("layer", [InThePair, Before, InPlace])
def test_a_total_is_known_by_what_is_made_of_it(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert report.result.convention == "accumulator"


def test_one_whose_ldj_is_taken_off_is_wrong() -> None:
    (finding,) = ldjcheck.check(TakenOff()).findings
    assert finding.code == "LDJ104"


def test_what_only_moves_the_output_is_a_context() -> None:
    assert ldjcheck.check(Shifted()).result.convention != "accumulator"


class OfTwoHalves(nn.Module):
    """The second half is moved by the first one, which goes on: there is no total."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 3)

    def forward(self, x1: Tensor, x2: Tensor) -> Pair:
        return x1, x2 + self.net(x1)


def test_a_half_that_is_moved_by_the_other_is_no_total() -> None:
    signature = call_signature(OfTwoHalves())
    assert signature is not None
    assert unnamed_total(signature) is None
