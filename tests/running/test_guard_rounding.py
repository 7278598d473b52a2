"""Guarded running: rounding, detach and no_grad are seen through where that is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.guard import Frozen, Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_layers import Pair

X = torch.tensor([[0.3, 1.6, -2.2]], dtype=torch.float64)


def slope(
    f: Callable[[Tensor], Tensor], frozen: Frozen | None = None, **seen: bool
) -> Tensor | None:
    """Return dy/dx of an elementwise map run under the guard, if it has one."""
    x = X.clone().requires_grad_()
    with Guard(frozen or Frozen(), Manner(**seen)):
        y = f(x)
    try:
        return torch.autograd.grad(y.sum(), x)[0]
    except RuntimeError:
        return None


ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "floor": torch.floor,
    "method": lambda x: x.floor(),
    "ceil": torch.ceil,
    "round": torch.round,
    "trunc": torch.trunc,
    "in place": lambda x: (1 * x).floor_(),
    "//": lambda x: x // 1,
    "floor_divide": lambda x: torch.floor_divide(x, 1),
    "long": lambda x: x.long(),
    "int": lambda x: x.int(),
    "to(int32)": lambda x: x.to(torch.int32),
    "to(device, int32)": lambda x: x.to("cpu", torch.int32),
    "div": lambda x: torch.div(x, 1, rounding_mode="floor"),
    "type(name)": lambda x: x.type("torch.LongTensor"),
    "type(class)": lambda x: x.type(torch.IntTensor),
    "to(dtype=int64)": lambda x: x.to(dtype=torch.int64),
    "type(int64)": lambda x: x.type(torch.int64),
    "floor, clamp, int": lambda x: torch.floor(x).clamp(-10, 10).to(torch.int32),
}


@pytest.mark.parametrize("rounding", ROUNDINGS.values(), ids=ROUNDINGS.keys())
def test_rounding_seen_through_adds_a_constant(
    rounding: Callable[[Tensor], Tensor],
) -> None:
    with Guard(Frozen(), Manner(see_rounding=True)):
        value = rounding(X.clone())
    torch.testing.assert_close(value, rounding(X).double())
    found = slope(lambda x: 3 * rounding(x), see_rounding=True)
    assert found is not None
    assert torch.equal(found, torch.full_like(X, 3.0))


@pytest.mark.parametrize("rounding", ROUNDINGS.values(), ids=ROUNDINGS.keys())
def test_rounding_stays_what_it_is_unless_it_is_to_be_seen_through(
    rounding: Callable[[Tensor], Tensor],
) -> None:
    found = slope(rounding)
    assert found is None or not found.any()


CLIPS: dict[str, Callable[[Tensor], Tensor]] = {
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "in place": lambda x: (1 * x).clamp_(-0.5, 0.5),
    "named": lambda x: torch.clip(x, min=-0.5, max=0.5),
}


@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS.keys())
def test_a_clip_that_bites_keeps_its_derivative(
    clip: Callable[[Tensor], Tensor],
) -> None:
    found = slope(clip, see_rounding=True)
    assert found is not None
    assert found.tolist() == [[1.0, 0.0, 0.0]]


def test_a_clip_to_the_last_level_counts_as_rounding() -> None:
    # 1.6 is in the cell of 1; -2.2 is not in that of -1, however it is rounded.
    found = slope(lambda x: x.clamp(-1, 1), see_rounding=True)
    assert found is not None
    assert found.tolist() == [[1.0, 1.0, 0.0]]


DETACHINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "detach": lambda x: x * x.detach(),
    "detach_": lambda x: x * (1 * x).detach_(),
    "data": lambda x: x * x.data,
    "no_grad": lambda x: x * _squared_without_grad(x) / x,
    "set_grad_enabled": lambda x: x * _one_times_without_grad(x),
}


@torch.no_grad()
def _squared_without_grad(x: Tensor) -> Tensor:
    return x * x


def _one_times_without_grad(x: Tensor) -> Tensor:
    with torch.set_grad_enabled(False):
        return 1 * x


@pytest.mark.parametrize("way", DETACHINGS.values(), ids=DETACHINGS.keys())
def test_detaching_is_seen_through_on_demand_only(
    way: Callable[[Tensor], Tensor],
) -> None:
    # Each way is x * x in numbers, the derivative of which is 2 x.
    torch.testing.assert_close(slope(way, see_detach=True), 2 * X)
    hidden = slope(way)
    assert hidden is not None
    assert not torch.allclose(hidden, 2 * X)


def test_gradients_are_on_again_after_no_grad_was_seen_through() -> None:
    with Guard(Frozen(), Manner(see_detach=True)), torch.no_grad():
        assert torch.is_grad_enabled()
    assert torch.is_grad_enabled()


# Whole layers


class Levels(nn.Module):
    """y = (x + u) / n, and the floor that takes the noise off again."""

    def __init__(self, levels: int = 8) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor) -> Pair:
        y = (x + torch.rand_like(x)) / self.levels
        return y, self.ldj(x)

    def inverse(self, y: Tensor) -> Pair:
        return torch.floor(y * self.levels).long(), -self.ldj(y)

    def ldj(self, x: Tensor) -> Tensor:
        per_dim = -torch.log(torch.tensor(float(self.levels)))
        return (x[0].numel() * per_dim).expand(len(x))


class LevelsWithoutLdj(Levels):
    def ldj(self, x: Tensor) -> Tensor:
        return 0.5 * super().ldj(x)


def test_rounding_that_is_the_output_is_seen_through_and_told() -> None:
    report = ldjcheck.check(Levels(), shape=(4,))
    forward, inverse, round_trip, _ = report.checks
    assert report.status == "pass", report.findings
    assert [forward.status, inverse.status, round_trip.status] == ["pass"] * 3
    assert report.result.inferred["rounding"].startswith("seen through")
    assert report.result.inferred["domain"].startswith("int:0:7")


@pytest.mark.slow
def test_a_mistake_behind_rounding_is_seen_in_both_directions() -> None:
    report = ldjcheck.check(LevelsWithoutLdj(), shape=(4,))
    assert [c.status for c in report.checks[:2]] == ["fail", "fail"]


class PiecewiseLinear(nn.Module):
    """A spline of straight pieces, whose bin is found by a floor."""

    def __init__(self, bins: int = 5, *, forgets: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.raw = nn.Parameter(torch.randn(bins))
        self.forgets = forgets

    def forward(self, x: Tensor) -> Pair:
        bins = len(self.raw)
        heights = torch.softmax(self.raw, 0)
        below = torch.cumsum(heights, 0) - heights
        k = torch.floor(x * bins).long().clamp(0, bins - 1)
        y = below[k] + heights[k] * (x * bins - k)
        slope = heights[k] * (1 if self.forgets else bins)
        return y, slope.log().sum(1)


def test_a_floor_inside_a_bin_search_is_right_as_it_is() -> None:
    report = ldjcheck.check(PiecewiseLinear(), shape=(3,), domain="unit")
    assert report.status == "pass", report.findings
    assert "rounding" not in report.result.inferred


@pytest.mark.slow
def test_and_a_mistake_beside_it_is_found() -> None:
    report = ldjcheck.check(PiecewiseLinear(forgets=True), shape=(3,), domain="unit")
    assert report.status == "fail"
