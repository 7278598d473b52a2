"""A flow that is trained and saved, to be checked as it is and where it is used.

Run it: `python trained_flow.py` trains for some steps, and writes `trained.pt`, the weights
and the optimiser's state as a checkpoint, and `points.npy`, the data. Then type

    ldjcheck trained_flow.py:Flow --weights trained.pt --inputs points.npy
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Coupling(nn.Module):
    """Scales and shifts one half by the other; starts as the identity."""

    def __init__(self, dims: int = 4, flip: bool = False) -> None:
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(
            nn.Linear(dims // 2, 16), nn.Tanh(), nn.Linear(16, dims)
        )
        nn.init.zeros_(self.net[2].weight)
        nn.init.zeros_(self.net[2].bias)

    def forward(self, x: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and the ldj, log|det dz/dx| = sum of s."""
        p, q = x.chunk(2, dim=1)[:: -1 if self.flip else 1]
        s, t = self.net(p).chunk(2, dim=1)
        q = q * torch.exp(torch.tanh(s)) + t
        z = torch.cat([q, p] if self.flip else [p, q], dim=1)
        return z, ldj + torch.tanh(s).sum(dim=1)


class Flow(nn.Module):
    """Two couplings, one for each half."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Coupling(), Coupling(flip=True)])

    def forward(self, x: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and the ldj of both."""
        for layer in self.layers:
            x, ldj = layer(x, ldj)
        return x, ldj


class ForgetsTheSecond(Flow):
    """As the flow, but the ldj of its second coupling is thrown away."""

    def forward(self, x: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and the ldj of the first."""
        x, ldj = self.layers[0](x, ldj)
        x, _ = self.layers[1](x, ldj)
        return x, ldj


def moons(count: int) -> Tensor:
    """Return points on two arcs, with noise, and two dims that depend on them."""
    angle = torch.pi * torch.rand(count)
    side = torch.randint(0, 2, (count,))
    sign = 1.0 - 2.0 * side
    x = torch.stack([sign * angle.cos() + 0.5 * side, sign * angle.sin()], dim=1)
    return torch.cat([x, x.flip(1).square()], dim=1) + 0.1 * torch.randn(count, 4)


def train(steps: int = 50) -> tuple[Flow, torch.optim.Optimizer, Tensor]:
    """Return the flow after some steps of maximum likelihood, and its data."""
    torch.manual_seed(0)
    flow, data = Flow(), moons(512)
    optimiser = torch.optim.Adam(flow.parameters(), lr=0.01)
    for _ in range(steps):
        z, ldj = flow(data, torch.zeros(len(data)))
        loss = (z.square().sum(dim=1) / 2 - ldj).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return flow, optimiser, data


if __name__ == "__main__":
    flow, optimiser, data = train()
    saved = {"model": flow.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(saved, "trained.pt")
    np.save("points.npy", data.numpy())
