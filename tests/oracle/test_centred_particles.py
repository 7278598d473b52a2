"""Flows of particles whose centre of mass stays where it is: (N - 1) D directions are left."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Scaled(nn.Module):
    """Particles about their centre of mass, moved apart or together."""

    def __init__(self, particles: int = 4, dims: int = 3, counted: int = 1) -> None:
        super().__init__()
        self.n_particles, self.n_dims = particles, dims
        self.dof = (particles - counted) * dims
        self.log_s = nn.Parameter(torch.randn(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        centred = x - x.mean(dim=1, keepdim=True)
        return centred * self.log_s.exp(), (self.dof * self.log_s).expand(len(x))


class ScaledBack(Scaled):
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        centred = y - y.mean(dim=1, keepdim=True)
        return centred / self.log_s.exp(), -(self.dof * self.log_s).expand(len(y))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("make", [Scaled, ScaledBack])
@pytest.mark.parametrize("size", [(4, 3), (3, 3), (5, 2)])
def test_the_other_directions_are_what_is_compared(
    make: type[Scaled], size: tuple[int, int]
) -> None:
    right = ldjcheck.check(make(*size))
    assert right.status == "pass", right


@pytest.mark.slow
@pytest.mark.parametrize("make", [Scaled, ScaledBack])
def test_who_counts_all_of_them_counts_the_centre_of_mass(make: type[Scaled]) -> None:
    wrong = ldjcheck.check(make(counted=0))
    assert wrong.status == "fail", wrong
    assert {f.code for f in wrong.findings} == {"LDJ103"}


class Masked(nn.Module):
    """Loses a coordinate of every particle: no centre of mass is."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.randn(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mask = torch.tensor([1.0, 1.0, 0.0], dtype=x.dtype)
        return x * mask * self.log_s.exp(), (2 * len(x[0]) * self.log_s).expand(len(x))


def test_any_other_direction_that_is_lost_is_a_mistake() -> None:
    wrong = ldjcheck.check(Masked(), shape=(4, 3))
    assert wrong.status == "fail", wrong
    assert "LDJ304" in [f.code for f in wrong.findings]


class ScaledInSteps(nn.Module):
    """Two steps of four dims, and eight of something else: no event of two by four."""

    def __init__(self, n_steps: int = 2, dim: int = 4, hidden: int = 8) -> None:
        super().__init__()
        self.n_steps, self.dim, self.hidden = n_steps, dim, hidden
        self.log_s = nn.Linear(1, dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        each = self.log_s(torch.ones(self.n_steps, 1, dtype=x.dtype)).sum(0)
        return x * each.exp(), each.sum().expand(len(x))


def test_steps_times_dims_are_not_the_sizes_of_an_event() -> None:
    right = ldjcheck.check(ScaledInSteps())
    assert right.status == "pass", right


class Repelling(nn.Module):
    """Forces that depend on distances alone, huge far out: q' = q + p', p' = p + F(q)."""

    def __init__(self, counted: float = 0.0) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(0.3))
        self.counted = counted

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        q, p = x[..., :3], x[..., 3:]
        apart = q[:, :, None] - q[:, None]
        force = (apart * (apart**2).sum(-1, keepdim=True).exp()).sum(2)
        p = p + self.strength * force
        return torch.cat([q + p, p], -1), x.new_full((len(x),), self.counted)


def test_slopes_that_hide_the_centre_of_mass_do_not_take_it_away() -> None:
    """No direction is lost, and all of the determinant is compared where it is known."""
    report = ldjcheck.check(Repelling(), shape=(5, 6))
    assert report.status == "pass", report
    assert ldjcheck.check(Repelling(counted=1.0), shape=(5, 6)).status == "fail"
