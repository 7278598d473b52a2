"""One mistake that shows twice is told once, and the cause before what may follow from it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


def codes(layer: nn.Module) -> list[str]:
    return [f.code for f in ldjcheck.check(layer, shape=(4,)).findings]


class Doubled(nn.Module):
    """Adds its own part to the total, and then the total to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.linspace(-0.4, 0.5, 4))

    def forward(self, x: Tensor, ldj: Tensor) -> Pair:
        ldj = ldj + self.log_s.sum()
        return x * self.log_s.exp(), ldj + ldj


def test_a_total_that_is_doubled_doubles_what_was_added_before() -> None:
    assert codes(Doubled()) == ["LDJ204"]


class OwnPartDoubled(Doubled):
    def forward(self, x: Tensor, ldj: Tensor) -> Pair:
        own = 2 * self.log_s.sum()
        return x * self.log_s.exp(), 3 * ldj + own


def test_an_own_part_that_is_doubled_elsewhere_is_a_mistake_of_its_own() -> None:
    assert set(codes(OwnPartDoubled())) == {"LDJ204", "LDJ114"}


class OfTheOtherHalf(nn.Module):
    """The way back asks the half that was moved how it was moved."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        log_s = torch.tanh(self.net(a))
        return torch.cat([a, b * log_s.exp()], dim=1), log_s.sum(1)

    def inverse(self, y: Tensor) -> Pair:
        a, b = y.chunk(2, dim=1)
        log_s = torch.tanh(self.net(b))
        return torch.cat([a, b * torch.exp(-log_s)], dim=1), -log_s.sum(1)


@pytest.mark.slow
def test_a_way_back_that_leads_elsewhere_comes_before_its_ldj() -> None:
    assert codes(OfTheOtherHalf())[0] == "LDJ301"
