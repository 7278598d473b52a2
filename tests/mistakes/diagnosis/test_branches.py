"""Branches of `torch.where` that are mere numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Tails(nn.Module):
    """sinh inside -1 and 1, straight lines outside."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        slope = math.cosh(1.0)
        inside = x.abs() < 1.0
        far = torch.sign(x) * (math.sinh(1.0) + slope * (x.abs() - 1.0))
        z = torch.where(inside, torch.sinh(x), far)
        return z, self.ldj(x, inside, math.log(slope)).sum(dim=1)

    def ldj(self, x: Tensor, inside: Tensor, outer: float) -> Tensor:
        return torch.where(inside, torch.log(torch.cosh(x)), outer)


class AsMethod(Tails):
    def ldj(self, x: Tensor, inside: Tensor, outer: float) -> Tensor:
        return torch.log(torch.cosh(x)).where(inside, outer)


class OneTail(Tails):
    def ldj(self, x: Tensor, inside: Tensor, outer: float) -> Tensor:
        return torch.where(x < 1.0, torch.log(torch.cosh(x)), outer)


class Unlogged(Tails):
    def ldj(self, x: Tensor, inside: Tensor, outer: float) -> Tensor:
        return torch.where(inside, torch.cosh(x), outer)


@pytest.mark.parametrize("layer", [Tails, AsMethod])
def test_a_number_outside_the_bound_is_a_term(layer: type[Tails]) -> None:
    report = ldjcheck.check(layer(), shape=(3,), ledger=True)
    assert report.status == "pass"
    assert report.result.ledger


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("layer", "code"), [(OneTail, "LDJ116"), (Unlogged, "LDJ108")])
def test_a_mistake_beside_it_is_named(layer: type[Tails], code: str) -> None:
    report = ldjcheck.check(layer(), shape=(3,))
    assert report.findings[0].code == code
    assert report.result.ledger


def test_what_is_lost_where_it_overflows_is_at_no_wrong_point() -> None:
    """With `x` for what is exponentiated all agree; but they do wherever it is finite."""

    class Overflows(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            nothing = 0 * torch.exp(1e5 * (x.abs() - 1))
            return x.sinh(), (x.cosh().log() + nothing).sum(1)

    report = ldjcheck.check(Overflows(), shape=(2,))
    assert report.findings[0].code == "LDJ213"


def test_a_bound_on_one_number_for_all_samples_is_no_region() -> None:
    class Clipped(nn.Module):
        """The logarithm of a determinant that is held above zero, not made positive."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.eye(3).flip(0) + 0.1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            ldj = torch.det(self.weight).clamp(min=1e-8).log()
            return x @ self.weight.T, ldj.expand(len(x))

    assert ldjcheck.check(Clipped()).status == "fail"


def test_branches_that_are_exchanged_do_not_follow_the_condition_of_the_map() -> None:
    class Exchanged(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            up = x > 0
            ldj = torch.where(up, -math.log(3), math.log(2)).to(x).sum(1)
            return torch.where(up, 2 * x, x / 3), ldj

    found = ldjcheck.check(Exchanged(), shape=(3,)).findings[0]
    assert found.code == "LDJ116"
    assert "does not follow the condition" in found.message


def test_a_branch_without_an_ldj_is_a_region_that_is_wrong() -> None:
    class LostBelow(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            up = x[:, :1] > 0
            lost = torch.full_like(x, math.nan)
            ldj = torch.where(up, torch.full_like(x, math.log(2)), lost)
            return torch.where(up, 2 * x, x / 2), ldj.sum(1)

    found = ldjcheck.check(LostBelow(), shape=(3,)).findings[0]
    assert found.code == "LDJ116"
    assert "right only where x[:, :1] > 0 holds" in found.message


def bump(x: Tensor, raw: Tensor, *, everywhere: bool) -> tuple[Tensor, Tensor]:
    """A cubic inside of [-1, 1], the identity beyond."""
    inside = (x > -1) & (x < 1)
    c = torch.where(inside, x, torch.zeros_like(x))
    k = 0.3 * torch.tanh(raw)
    lad = torch.log(1 + k * (1 - 3 * c**2))
    y = torch.where(inside, c + k * c * (1 - c**2), x)
    return y, lad if everywhere else torch.where(inside, lad, torch.zeros_like(lad))


class TwoBumps(nn.Module):
    """Couplings that share a function, which is met twice in a call."""

    def __init__(self, dim: int = 6, *, everywhere: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.nets = nn.ModuleList(nn.Linear(dim // 2, dim // 2) for _ in range(2))
        self.everywhere = everywhere

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for net in self.nets:
            cond, moved = x.chunk(2, 1)
            moved, lad = bump(moved, net(cond), everywhere=self.everywhere)
            total = total + lad.sum(1)
            x = torch.cat([moved, cond], 1)
        return x, total


@pytest.mark.slow
def test_what_a_map_asks_in_each_of_two_calls_is_missing_where_the_ldj_is_made() -> (
    None
):
    assert ldjcheck.check(TwoBumps()).status == "pass"
    finding, *_ = ldjcheck.check(TwoBumps(everywhere=True)).findings
    assert finding.code == "LDJ116"
    assert finding.location is not None
    assert finding.location.text.startswith("lad = torch.log(1 + k *")
    assert finding.fix is not None
    assert "inside" in finding.fix.edits[0].after
