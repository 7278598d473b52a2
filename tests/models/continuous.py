"""A continuous flow: classical Runge-Kutta steps, the exact trace beside the state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Continuous(nn.Module):
    """Each of its mistakes stands in the integrator's own line; `trace` is right."""

    def __init__(self, dims: int = 2, steps: int = 6) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dims, 8), nn.Tanh(), nn.Linear(8, dims))
        self.steps = steps

    def trace(self, z: Tensor, dz: Tensor) -> Tensor:
        total = torch.zeros_like(z[:, 0])
        for i in range(z.shape[1]):
            (row,) = torch.autograd.grad(dz[:, i].sum(), z, create_graph=True)
            total = total + row[:, i]
        return total

    def slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            z = z if z.requires_grad else z.detach().requires_grad_(True)
            dz = self.net(z)
            return dz, self.trace(z, dz)

    def added(self, h: float, l1: Tensor, l2: Tensor, l3: Tensor, l4: Tensor) -> Tensor:
        return h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)

    def integrated(self, z: Tensor, h: float) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(len(z))
        for _ in range(self.steps):
            k1, l1 = self.slope(z)
            k2, l2 = self.slope(z + h / 2 * k1)
            k3, l3 = self.slope(z + h / 2 * k2)
            k4, l4 = self.slope(z + h * k3)
            z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            total = total + self.added(h, l1, l2, l3, l4)
        return z, total

    def forward(self, x: Tensor) -> Any:
        return self.integrated(x, 1 / self.steps)


class Turned(Continuous):
    def forward(self, x: Tensor) -> Any:
        z, total = self.integrated(x, 1 / self.steps)
        return z, -total


class OfAnotherWeight(Continuous):
    def added(self, h: float, l1: Tensor, l2: Tensor, l3: Tensor, l4: Tensor) -> Tensor:
        return h / 6 * (l1 + 2 * l2 + 2 * l3 + 2 * l4)


class WithoutStepSize(Continuous):
    def added(self, h: float, l1: Tensor, l2: Tensor, l3: Tensor, l4: Tensor) -> Tensor:
        return (l1 + 2 * l2 + 2 * l3 + l4) / 6
