"""A way back that only solves is judged at every input, though its steps are not followed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.object_graph import is_alike

Pair = tuple[Tensor, Tensor]


class Bisecting(nn.Module):
    """y = x + x**3, found again by halving an interval."""

    def __init__(self, name: str = "cubic") -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Pair:
        return x + x**3, torch.log1p(3.0 * x**2).sum(1)

    def solved(self, y: Tensor) -> Tensor:
        low, high = torch.full_like(y, -50.0), torch.full_like(y, 50.0)
        with torch.no_grad():
            for _ in range(70):
                middle = (low + high) / 2
                below = self(middle)[0] < y
                low, high = (
                    torch.where(below, middle, low),
                    torch.where(below, high, middle),
                )
        return (low + high) / 2

    def inverse(self, y: Tensor) -> Pair:
        x = self.solved(y)
        return x, -self(x)[1]


class WrongFarOut(Bisecting):
    """Its ldj forgets what lies beyond three, where the first inputs hardly are."""

    def inverse(self, y: Tensor) -> Pair:
        x = self.solved(y)
        return x, -self(x.clamp(-3.0, 3.0))[1]


def test_a_right_one_passes() -> None:
    assert ldjcheck.check(Bisecting(), shape=(3,)).status == "pass"


@pytest.mark.slow
def test_what_is_wrong_at_later_inputs_alone_is_found() -> None:
    report = ldjcheck.check(WrongFarOut(), shape=(3,))
    assert (report.status, report.findings[0].direction) == ("fail", "inverse")


def test_objects_of_one_type_with_the_same_plain_values_are_alike() -> None:
    assert is_alike(Bisecting(), Bisecting())
    assert not is_alike(Bisecting(), Bisecting("other"))
    assert not is_alike(Bisecting(), WrongFarOut())
