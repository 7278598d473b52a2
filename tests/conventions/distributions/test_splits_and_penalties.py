"""What a flow drops is counted beside its ldj; what a loss adds of its parameters is not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


def log_normal(z: Tensor) -> Tensor:
    return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(1)


class Coupling(nn.Module):
    def __init__(self, dims: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dims // 2, 8), nn.Tanh(), nn.Linear(8, dims))

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        return torch.cat([b * s.exp() + t, a], 1), s.sum(1)


class TwoScales(nn.Module):
    """Half leaves after the first step, with its density; the caller counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Coupling(4), Coupling(2)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        z, first = self.first(x)
        gone, z = z.chunk(2, 1)
        z, second = self.second(z)
        return z, gone, first, second

    def forward(self, x: Tensor) -> Pair:
        z, gone, first, second = self.parts(x)
        return z, first + second + log_normal(gone)


class OfTorch(TwoScales):
    """The density of what leaves is torch's."""

    def forward(self, x: Tensor) -> Pair:
        z, gone, first, second = self.parts(x)
        base = torch.distributions.Normal(0.0, 1.0)
        return z, first + second + base.log_prob(gone).sum(1)


class SecondForgotten(TwoScales):
    def forward(self, x: Tensor) -> Pair:
        z, gone, first, _ = self.parts(x)
        return z, first + log_normal(gone)


class Turned(TwoScales):
    def forward(self, x: Tensor) -> Pair:
        z, gone, first, second = self.parts(x)
        return z, log_normal(gone) - first - second


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "code"), [(SecondForgotten, "LDJ110"), (Turned, "LDJ104")]
)
def test_and_a_wrong_one_is_named(kind: type[nn.Module], code: str) -> None:
    torch.manual_seed(0)
    assert [f.code for f in ldjcheck.check(kind()).findings] == [code, "LDJ305"]


class Decaying(TwoScales):
    """Its loss keeps the weights small."""

    def loss(self, x: Tensor) -> Tensor:
        z, ldj = self.forward(x)
        penalty = sum((p**2).sum() for p in self.parameters())
        return -(log_normal(z) + ldj).mean() + 0.01 * penalty


class ByNorms(Decaying):
    def loss(self, x: Tensor) -> Tensor:
        z, ldj = self.forward(x)
        return (
            0.1 * sum(p.norm() for p in self.parameters())
            - (log_normal(z) + ldj).mean()
        )


@pytest.mark.thinned(12)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [TwoScales, OfTorch, Decaying, ByNorms])
def test_what_leaves_is_counted_and_a_penalty_of_the_parameters_is_not(
    kind: type[nn.Module], seed: int
) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(kind(), seed=seed)
    assert report.status == "pass", str(report)


class Linear(nn.Module):
    """A loss that forgets the determinant beside its penalty."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3) + 0.3 * torch.randn(3, 3))

    def forward(self, x: Tensor) -> Pair:
        return x @ self.weight.T, self.weight.slogdet()[1].expand(len(x))

    def loss(self, x: Tensor) -> Tensor:
        z, _ = self(x)
        return 0.01 * self.weight.norm() ** 2 - log_normal(z).mean()


@pytest.mark.slow
def test_a_determinant_is_no_penalty() -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(Linear())
    assert report.status == "fail"
    assert "LDJ119" in [f.code for f in report.findings]
