"""Layers as students write them, with no ldj or a wrong one: it is derived, run, and agrees."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck


class Stretch(nn.Module):
    """A constant scale, and no ldj."""

    def __init__(self) -> None:
        super().__init__()
        self.quants = 256

    def forward(self, x: Tensor) -> Tensor:
        return x / self.quants


class Squash(nn.Module):
    """An elementwise map of several operations, and a zero for its ldj."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((5,), 0.5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.tanh(x * torch.exp(self.scale))
        return z, torch.zeros(len(x))


class Half(nn.Module):
    """A coupling by chunks whose author has forgotten the exponent's sign."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        b = b * torch.exp(-s) + t
        return torch.cat([a, b], dim=1), s.sum(dim=1)


class Mix(nn.Module):
    """A linear map with log|det W| left out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(4) + 0.1 * torch.ones(4, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x @ self.weight, torch.zeros(len(x))


class Gate(nn.Module):
    """A sigmoid whose derivative is taken for its logarithm."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.sigmoid(x)
        return z, F.logsigmoid(x).sum(dim=1)


LAYERS = {
    "constant": (Stretch, (5,)),
    "elementwise": (Squash, (5,)),
    "coupling": (Half, (4,)),
    "linear": (Mix, (4,)),
    "sigmoid": (Gate, (5,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_derived_ldj_agrees_where_nothing_was_derived_from(name: str) -> None:
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    derived = ldjcheck.derive(make(), shape=shape).derived
    assert derived is not None
    assert derived.applicability == "verified", derived
    assert derived.edits
    assert derived.residual_after is not None
    assert derived.residual_after < 1e-6


def test_a_right_ldj_needs_no_edit() -> None:
    class Right(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return 3 * x, torch.full((len(x),), 1.0986122886681098 * x.shape[1])

    derived = ldjcheck.derive(Right(), shape=(5,)).derived
    assert derived is not None
    assert derived.is_right
    assert not derived.edits


def test_a_map_without_a_closed_form_is_refused_by_the_step_that_stops_it() -> None:
    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x + 0.1 * self.net(x), torch.zeros(len(x))

    derived = ldjcheck.derive(Dense(), shape=(3,)).derived
    assert derived is not None
    assert derived.applicability != "verified"
    assert derived.obstacles or derived.doubts
