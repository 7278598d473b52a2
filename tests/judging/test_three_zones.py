"""Within what is allowed a number is right, beyond ten times that it is wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.records import Side
from ldjcheck.records.side import CallResult, Exact

Pair = tuple[Tensor, Tensor]


def off_by(times: float, clearly: float = 10.0) -> Side:
    """Return a side whose one sample is off by so many times what is allowed."""
    one = torch.ones(1, dtype=torch.float64)
    return Side(
        direction="forward",
        said=CallResult(x=one[:, None], y=one[:, None], ldj=one * (1 + times * 1e-6)),
        exact=Exact(ldj=one, allowed=one * 1e-6, clearly=clearly),
    )


@pytest.mark.parametrize(
    ("times", "agrees", "disagrees"),
    [(0.9, True, False), (1.1, False, False), (9.0, False, False), (11.0, False, True)],
)
def test_a_number_is_right_wrong_or_neither(
    times: float, agrees: bool, disagrees: bool
) -> None:
    side = off_by(times)
    assert (side.agrees, side.disagrees) == (agrees, disagrees)


def test_what_the_user_allows_is_a_bound_and_no_estimate() -> None:
    assert off_by(1.1, clearly=1.0).disagrees


class Rotation32(nn.Module):
    """The exponential of a skew matrix, made in float32: its determinant is nearly one."""

    turn: Tensor

    def __init__(self, seed: int) -> None:
        super().__init__()
        drawn = torch.randn(5, 5, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("turn", torch.linalg.matrix_exp(drawn - drawn.T))

    def forward(self, x: Tensor) -> Pair:
        return x @ self.turn.T, torch.zeros(len(x))

    def inverse(self, y: Tensor) -> Pair:
        return y @ self.turn, torch.zeros(len(y))


@pytest.mark.thinned(5)
@pytest.mark.parametrize("seed", range(10))
def test_a_rotation_made_in_float32_is_right_whichever_it_is(seed: int) -> None:
    report = ldjcheck.check(Rotation32(seed), seed=seed)
    assert report.status == "pass", report


class Offset(nn.Module):
    """Reports so many nats too much."""

    def __init__(self, off: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(3))
        self.off = off

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_scale.exp(), (self.log_scale.sum() + self.off).expand(
            len(x)
        )


@pytest.mark.slow
def test_a_small_mistake_is_one_and_what_is_allowed_decides_by_word() -> None:
    assert ldjcheck.check(Offset(1e-6)).status == "fail"
    assert ldjcheck.check(Offset(1e-6), atol=1e-5).status == "pass"
    assert ldjcheck.check(Offset(2e-5), atol=1e-5).status == "fail"


class Squashed(nn.Module):
    """Through a steep sigmoid and back by its logit: inside, digits are lost."""

    steepness = 15.0

    def forward(self, x: Tensor) -> Pair:
        z = self.steepness * x
        y = torch.sigmoid(z)
        there = (-z - 2 * nn.functional.softplus(-z)).sum(1)
        back = (-torch.log(y) - torch.log(1 - y)).sum(1)
        scale = x.shape[1] * torch.log(torch.tensor(self.steepness))
        return torch.log(y) - torch.log(1 - y), there + back + scale


@pytest.mark.thinned(4)
@pytest.mark.parametrize("seed", range(8))
def test_digits_that_a_sigmoid_has_lost_are_no_mistake(seed: int) -> None:
    report = ldjcheck.check(Squashed(), shape=(6,), seed=seed)
    assert report.status != "fail", report
