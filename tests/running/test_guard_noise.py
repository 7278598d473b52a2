"""Guarded running: noise is recorded once and replayed, so that a map is a map."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_layers import Curve, Pair
from torch import Tensor, nn
from torch.distributions import Normal, Uniform

import ldjcheck
from ldjcheck.running.guard import Frozen, Guard

if TYPE_CHECKING:
    from collections.abc import Callable

X = torch.zeros(3, 4, dtype=torch.float64)

NOISES: dict[str, Callable[[Tensor], Tensor]] = {
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "rand": lambda x: torch.rand(x.shape),
    "randn": lambda x: torch.randn(*x.shape, dtype=x.dtype),
    "uniform_": lambda x: torch.empty_like(x).uniform_(),
    "uniform_ on a new one": lambda x: torch.zeros(x.shape).uniform_(0.2, 0.8),
    "normal_": lambda x: torch.empty_like(x).normal_(),
    "exponential_": lambda x: torch.empty_like(x).exponential_(),
    "torch.normal": lambda x: torch.normal(x, torch.ones_like(x)),
    "Normal.rsample": lambda x: Normal(x, torch.ones_like(x)).rsample(),
    "Normal.sample": lambda x: Normal(x, torch.ones_like(x)).sample(),
    "Uniform.rsample": lambda x: Uniform(x, torch.ones_like(x)).rsample(),
    "Uniform.sample": lambda x: Uniform(x, x + 1).sample(),
    "Uniform of a shape": lambda x: Uniform(0.0, 1.0).sample(x.shape),
    "float32 rand": lambda x: torch.rand(x.shape, dtype=torch.float32),
    "FloatTensor.uniform_": lambda x: torch.FloatTensor(x.shape).uniform_(),
    "init.uniform_": lambda x: nn.init.uniform_(torch.empty(x.shape)),
    "bernoulli": lambda x: torch.bernoulli(torch.full_like(x, 0.5)),
    "randint_like": lambda x: torch.randint_like(x, 0, 1000),
}


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_noise_is_the_same_in_every_call_at_one_input(
    noise: Callable[[Tensor], Tensor],
) -> None:
    frozen = Frozen()
    with Guard(frozen):
        first = noise(X)
    with Guard(frozen):
        second = noise(X)
    assert len(frozen.draws) == 1
    assert first.any()
    assert torch.equal(first, second)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_what_is_recorded_can_be_replaced(noise: Callable[[Tensor], Tensor]) -> None:
    frozen = Frozen()
    with Guard(frozen):
        drawn = noise(X)
    other = Frozen([torch.full_like(d, 3.0) for d in frozen.draws])
    with Guard(other):
        replayed = noise(X)
    assert not torch.equal(drawn, replayed)
    assert bool((replayed == replayed.flatten()[0]).all())


def test_several_draws_are_replayed_in_their_order() -> None:
    def three() -> list[Tensor]:
        return [torch.rand(2), torch.randn(2), torch.empty(2).uniform_()]

    frozen = Frozen()
    with Guard(frozen) as guard:
        first = three()
    assert guard.draws == 3
    with Guard(frozen):
        again = three()
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], first[2])


def test_what_is_handed_out_may_be_changed_without_harm() -> None:
    frozen = Frozen()
    with Guard(frozen):
        torch.rand(2).zero_()
    with Guard(frozen):
        assert torch.rand(2).any()


# Noise as the input of the map


class Dequantize(nn.Module):
    """y = logit((x + u) / n) with fresh noise u: the map is the one from u to y."""

    def __init__(self, noise: Callable[[Tensor], Tensor], levels: int = 8) -> None:
        super().__init__()
        self.noise = noise
        self.levels = levels

    def forward(self, x: Tensor) -> Pair:
        s = 0.98 * (x + self.noise(x)) / self.levels + 0.01
        ldj = -(s.log() + torch.log1p(-s)) + np.log(0.98 / self.levels)
        return s.log() - torch.log1p(-s), ldj.flatten(1).sum(1)


@pytest.mark.parametrize(
    "noise",
    [
        torch.rand_like,
        lambda x: torch.empty_like(x).uniform_(),
        lambda x: Uniform(torch.zeros_like(x), torch.ones_like(x)).rsample(),
        lambda x: Uniform(torch.zeros_like(x), torch.ones_like(x)).sample(),
    ],
    ids=["rand_like", "uniform_", "Uniform.rsample", "Uniform.sample"],
)
def test_dequantization_is_checked_against_its_noise(
    noise: Callable[[Tensor], Tensor],
) -> None:
    report = ldjcheck.check(Dequantize(noise), shape=(4,), domain="int:0:7")
    assert report.status == "pass", report.findings
    assert report.checks[0].wrt == "noise"
    assert report.result.kind == "dequantization"


class VariationalDequantization(nn.Module):
    """u = sigmoid(eps * exp(a(x)) + b(x)), y = x + u: a flow of the noise given x."""

    def forward(self, x: Tensor) -> Pair:
        a, b = 0.3 * torch.sin(x), 0.5 * torch.cos(x)
        raw = torch.randn_like(x) * torch.exp(a) + b
        return x + torch.sigmoid(raw), (a - raw - 2 * F.softplus(-raw)).sum(1)


def test_a_flow_of_noise_given_x_is_a_map_of_the_noise() -> None:
    report = ldjcheck.check(VariationalDequantization(), shape=(4,), domain="int:0:7")
    assert report.status == "pass", report.findings
    assert report.checks[0].wrt == "noise"


@pytest.mark.slow
@pytest.mark.parametrize("wrt", ["input", "noise"])
def test_what_the_jacobian_is_taken_against_can_be_said(wrt: str) -> None:
    report = ldjcheck.check(
        VariationalDequantization(), shape=(4,), domain="int:0:7", wrt=wrt
    )
    assert report.checks[0].wrt == wrt
    assert report.status == ("pass" if wrt == "noise" else "fail")


class Dithered(Curve):
    """Adds noise that the process-wide generators draw, outside of torch."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y + 0.01 * random.random() + 0.01 * float(np.random.rand()), ldj


def test_noise_of_other_generators_is_the_same_in_every_call() -> None:
    assert ldjcheck.check(Dithered(), shape=(3,)).status == "pass"


class NotRepeatable(Curve):
    """Counts its calls, and lets the count into the output."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Pair:
        self.calls += 1
        y, ldj = super().forward(x)
        return y + self.calls, ldj


class OtherLdjEachTime(NotRepeatable):
    def forward(self, x: Tensor) -> Pair:
        self.calls += 1
        y, ldj = Curve.forward(self, x)
        return y, ldj + 0.1 * self.calls


@pytest.mark.parametrize("layer", [NotRepeatable, OtherLdjEachTime])
def test_a_layer_that_differs_between_calls_is_found_out(
    layer: type[nn.Module],
) -> None:
    report = ldjcheck.check(layer(), shape=(3,))
    assert report.status == "fail"
    assert [f.code for f in report.findings] == ["LDJ209"]
    assert "changes `calls`" in report.findings[0].message


class BuiltInTheCall(nn.Module):
    """Its scales are of a layer that each call makes anew, by one seed."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Pair:
        torch.manual_seed(5)
        net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).to(x.dtype)
        kept, moved = x.chunk(2, dim=1)
        s = net(kept)
        return torch.cat([kept, moved * s.exp()], dim=1), self.times * s.sum(dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_parameters_that_a_call_makes_are_those_of_its_seed(seed: int) -> None:
    right = ldjcheck.check(BuiltInTheCall(), shape=(4,), seed=seed)
    assert right.status == "pass", right
    wrong = ldjcheck.check(BuiltInTheCall(times=-1.0), shape=(4,), seed=seed)
    assert [f.code for f in wrong.findings if f.severity == "error"] == ["LDJ104"]
