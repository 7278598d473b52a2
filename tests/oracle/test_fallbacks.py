"""Whole layers that break one way of differentiating, and are proved by the next."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_layers import Affine, Curve, Pair
from torch import Tensor, nn

import ldjcheck
from oracle.custom_functions import ItemInBackward, NoBackward, NoDerivative


class ThreeTimes(nn.Module):
    """y = 3 x, by a custom function; `off` is a mistake in its ldj."""

    def __init__(self, function: Any, off: float = 0.0) -> None:
        super().__init__()
        self.function = function
        self.off = off

    def forward(self, x: Tensor) -> Pair:
        ldj = x.shape[1] * torch.tensor(3.0).log() + self.off
        return self.function.apply(x), ldj.expand(len(x))


FUNCTIONS = [
    (ItemInBackward, "reverse-looped"),
    (NoBackward, "forward"),
    (NoDerivative, "differences"),
]


class InManyOperations(ThreeTimes):
    """The same with so much around it that rows are worth computing together."""

    def forward(self, x: Tensor) -> Pair:
        for _ in range(200):
            x = x + 1.0 - 1.0
        return super().forward(x)


@pytest.mark.slow
@pytest.mark.parametrize(("function", "method"), FUNCTIONS)
def test_the_report_says_which_way_was_taken(function: Any, method: str) -> None:
    report = ldjcheck.check(InManyOperations(function), shape=(27,))
    assert report.status == "pass", report
    assert report.checks[0].method == method


@pytest.mark.slow
@pytest.mark.parametrize(("function", "method"), FUNCTIONS)
def test_a_mistake_is_found_on_every_way(function: Any, method: str) -> None:
    report = ldjcheck.check(ThreeTimes(function, off=1e-5), shape=(9,))
    assert report.status == "fail"


class FarAway(ThreeTimes):
    """The same, so far from 0 that differences of its outputs keep few digits."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y + 3e6, ldj


@pytest.mark.slow
def test_digits_that_differences_lose_are_no_mistake() -> None:
    report = ldjcheck.check(FarAway(NoDerivative), shape=(9,))
    assert not [c for c in report.checks if c.status == "fail"], report
    report = ldjcheck.check(FarAway(NoDerivative, off=0.1), shape=(9,))
    assert report.status == "fail"


class Autoregressive(nn.Module):
    """y[i] = x[i] * exp(sin(x[i-1])); its inverse fills a tensor in place."""

    def __init__(self, *, flipped: bool = False) -> None:
        super().__init__()
        self.flipped = flipped

    def forward(self, x: Tensor) -> Pair:
        a = torch.sin(nn.functional.pad(x[:, :-1], (1, 0)))
        return x * a.exp(), a.sum(1)

    def inverse(self, y: Tensor) -> Pair:
        x = torch.zeros_like(y)
        ldj = torch.zeros(len(y))
        for i in range(y.shape[1]):
            a = torch.sin(x[:, i - 1]) if i else torch.zeros(len(y))
            x[:, i] = y[:, i] * torch.exp(-a)
            ldj += a if self.flipped else -a
        return x, ldj


@pytest.mark.slow
def test_an_inverse_that_fills_in_place_is_proved_in_forward_mode() -> None:
    report = ldjcheck.check(Autoregressive(), shape=(4,))
    assert report.status == "pass", report
    assert [c.method for c in report.checks[:2]] == ["reverse", "forward"]
    assert report.checks[1].structure == "triangular"
    flipped = ldjcheck.check(Autoregressive(flipped=True), shape=(4,))
    assert flipped.findings[0].code == "LDJ302"


class Bisected(Curve):
    """Finds its way back by halving an interval, which has no useful derivative."""

    def __init__(self, off: float = 0.0) -> None:
        super().__init__()
        self.off = off

    def inverse(self, y: Tensor) -> Pair:
        low, high = y - 1.0, y + 1.0
        for _ in range(48):
            middle = (low + high) / 2
            below = self.forward(middle)[0] < y
            low, high = (
                torch.where(below, middle, low),
                torch.where(below, high, middle),
            )
        x = (low + high) / 2
        return x, -self.log_slope(x).sum(1) + self.off


@pytest.mark.slow
def test_a_solver_is_judged_at_the_preimage_that_it_found() -> None:
    report = ldjcheck.check(Bisected(), shape=(2,))
    assert report.status == "pass", report
    assert ldjcheck.check(Bisected(off=1e-5), shape=(2,)).status == "fail"


class Checkpointed(Affine):
    """Recomputes its forward pass in the backward one."""

    def forward(self, x: Tensor) -> Pair:
        from torch.utils.checkpoint import checkpoint

        y = checkpoint(
            lambda v: v * self.log_scale.exp() + self.shift, x, use_reentrant=False
        )
        return y, self.ldj(x)


class Hooked(Affine):
    """Doubles its output in a hook: layers are called, not their `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.register_forward_hook(
            lambda layer, given, out: (2 * out[0], out[1] + _dims_log_2(out[0]))
        )

    inverse = None  # type: ignore[assignment]


def _dims_log_2(x: Tensor) -> Tensor:
    return x.shape[1] * torch.tensor(2.0).log()


@pytest.mark.parametrize("layer", [Checkpointed, Hooked])
def test_hooks_and_checkpoints_are_part_of_the_map(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer(), shape=(4,))
    assert report.status == "pass", report
