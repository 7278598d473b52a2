"""Further inputs are no contexts: what comes back of them depends on the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable


class Leapfrog(nn.Module):
    """Moves momentum, then position."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 3)
        self.log_scale = nn.Parameter(torch.tensor([0.2, -0.3, 0.1]))

    def moved(self, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        p = p * self.log_scale.exp() - self.net(q)
        return q + p, p

    def forward(self, q: Tensor, p: Tensor) -> tuple[Tensor, ...]:
        return *self.moved(q, p), self.log_scale.sum().expand(len(q))


class AveragedLeapfrog(Leapfrog):
    """Averages what it should sum."""

    def forward(self, q: Tensor, p: Tensor) -> tuple[Tensor, ...]:
        return *self.moved(q, p), self.log_scale.mean().expand(len(q))


class OfThree(Leapfrog):
    """Three tensors, handed back in a tuple."""

    def forward(
        self, x1: Tensor, x2: Tensor, x3: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        x1, x2 = self.moved(x1, x2)
        x3 = x3 + torch.tanh(x2)
        return (x1, x2, x3), self.log_scale.sum().expand(len(x1))


class WithFeatures(nn.Module):
    """Scales by features, and hands these on, changed: they are a context."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Linear(3, 3)
        self.share = share

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_scale = torch.tanh(self.net(h))
        return x * log_scale.exp(), self.net(h).relu(), self.share * log_scale.sum(1)


def _coordinates(x: Tensor) -> int:
    return x.shape[2]


def _one(x: Tensor) -> int:
    return x.shape[2] // x.shape[2]


class OfParticles(nn.Module):
    """Scales velocities by positions, and these by the velocities: each particle at once."""

    def __init__(self, counted: Callable[[Tensor], int] = _coordinates) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nn.Linear(1, 1) for _ in range(2))
        self.counted = counted

    def scale(self, net: nn.Module, x: Tensor) -> Tensor:
        apart = ((x[:, :, None] - x[:, None]) ** 2).sum(-1, keepdim=True)
        scale: Tensor = torch.tanh(net(apart / (1 + apart))).sum(2)
        return scale

    def encode(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s = self.scale(self.nets[0], x)
        v = v * s.exp()
        t = self.scale(self.nets[1], v)
        ldj = x.shape[2] * s.sum((1, 2)) + self.counted(x) * t.sum((1, 2))
        return x * t.exp(), v, ldj

    def log_prob(self, x: Tensor, v: Tensor) -> Tensor:
        x, v, ldj = self.encode(x, v)
        base = torch.distributions.Normal(0.0, 1.0)
        return (base.log_prob(x) + base.log_prob(v)).sum((1, 2)) + ldj

    def forward(self, x: Tensor, v: Tensor | None = None) -> Tensor:
        return -self.log_prob(x, torch.randn_like(x) if v is None else v).mean()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_velocities_are_as_many_as_positions(seed: int) -> None:
    """Their size is no row of a network's; nor is x what leaves, where the ldj is wrong."""
    torch.manual_seed(seed)
    report = ldjcheck.check(OfParticles(), seed=seed)
    assert report.status == "pass", report
    assert "inputs" in report.result.inferred
    wrong = ldjcheck.check(OfParticles(_one), seed=seed)
    assert wrong.status == "fail", wrong
    assert any(f.fix is not None for f in wrong.findings), wrong


@pytest.mark.thinned(2)
@pytest.mark.parametrize("shape", [None, (3,)])
@pytest.mark.parametrize("layer", [Leapfrog, OfThree, WithFeatures])
def test_right_ones_pass(layer: type[nn.Module], shape: tuple[int] | None) -> None:
    """Whether or not it was said how large the first is: the others were made up."""
    report = ldjcheck.check(layer(), shape=shape)
    assert report.status == "pass", report
    assert ("inputs" in report.result.inferred) == (layer is not WithFeatures)


@pytest.mark.parametrize(("share", "status"), [(1.0, "pass"), (-1.0, "fail")])
def test_they_are_mixed_where_no_jacobian_is_dense(share: float, status: str) -> None:
    """Of forty points too, the momenta depend on the positions: both are the input."""

    class OfPoints(Leapfrog):
        def forward(self, q: Tensor, p: Tensor) -> tuple[Tensor, ...]:
            whole = q.shape[1] * share * self.log_scale.sum()
            return *self.moved(q, p), whole.expand(len(q))

    torch.manual_seed(0)
    report = ldjcheck.check(OfPoints(), shape=(40, 3))
    assert report.status == status, report
    assert "inputs" in report.result.inferred
    assert status == "pass" or report.findings[0].code == "LDJ104", report


def test_a_wrong_one_is_named_as_a_map_of_all() -> None:
    report = ldjcheck.check(AveragedLeapfrog())
    assert report.findings[0].code == "LDJ105", report


def test_a_wrong_one_with_a_context_stays_one_with_a_context() -> None:
    report = ldjcheck.check(WithFeatures(share=-1.0))
    assert report.findings[0].code == "LDJ104", report
    assert "inputs" not in report.result.inferred
