"""Affine coupling layers: one half of the entries says how the other half moves."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def checkerboard_mask(height: int, width: int, invert: bool = False) -> Tensor:
    """Return a mask of the shape `(1, 1, height, width)`: 1 is kept, 0 is moved."""
    rows, columns = torch.arange(height), torch.arange(width)
    mask = ((rows[:, None] + columns[None, :]) % 2).to(torch.float32)
    return (1 - mask if invert else mask).view(1, 1, height, width)


def zero_initialised(last: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Return `last` with all weights zero, so that a coupling layer starts as x -> x.

    Training is calmer for it. A wrong ldj is hidden by it: log|det J| is 0 whatever the
    formula says, until the first optimiser step.
    """
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return last


class MaskedCoupling(nn.Module):
    """Scale and shift the masked-out entries of an image, given the others.

    With the mask m, and log-scale a and shift t from a network that sees m * z only::

        y = z * exp((1 - m) * a) + (1 - m) * t
        log|det dy/dz| = sum((1 - m) * a)

    The log-scale is bounded by a learned b per channel: a = b * tanh(raw / b).

    Args:
        network: Maps `(batch, channels, H, W)` to `(batch, 2 * channels, H, W)`.
        mask: 1 where an entry is kept, 0 where it is moved; broadcasts to an image.
        channels: How many channels an image has.

    Source: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", 2017.
    """

    def __init__(self, network: nn.Module, mask: Tensor, channels: int) -> None:
        super().__init__()
        self.network = network
        self.log_bound = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mask", mask)

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the moved `z` and the running total `ldj`.

        `z` has the shape `(batch, channels, H, W)`. `ldj` has the shape `(batch,)`, is
        in nats, and is changed in place.
        """
        a, t = self.network(z * self.mask).chunk(2, dim=1)
        bound = self.log_bound.exp().view(1, -1, 1, 1)
        a = bound * torch.tanh(a / bound) * (1 - self.mask)
        t = t * (1 - self.mask)
        if not reverse:
            z = z * torch.exp(a) + t
            ldj += a.sum(dim=[1, 2, 3])
        else:
            z = (z - t) * torch.exp(-a)
            ldj -= a.sum(dim=[1, 2, 3])
        return z, ldj


class ChunkCoupling(nn.Module):
    """Scale and shift the second half of a vector, given the first half.

    With z = (p, q), and log-scale a and shift t from a network that sees p only::

        y = (p, q * exp(a) + t)
        log|det dy/dz| = sum(a)

    The log-scale is bounded by a learned b per entry: a = b * tanh(raw / b).

    Args:
        network: Maps `(batch, features / 2)` to `(batch, features)`.
        features: How many entries a vector has, an even number.

    Source: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", 2017.
    """

    def __init__(self, network: nn.Module, features: int) -> None:
        super().__init__()
        self.features = features
        self.network = network
        self.log_bound = nn.Parameter(torch.zeros(features // 2))

    def forward(
        self, x: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the moved `x` and the running total `ldj`.

        `x` has the shape `(batch, features)`. `ldj` has the shape `(batch,)`, is in
        nats, and is changed in place.
        """
        p, q = x.chunk(2, dim=1)
        a, t = self.network(p).chunk(2, dim=1)
        bound = self.log_bound.exp()
        a = bound * torch.tanh(a / bound)
        if not reverse:
            q = q * torch.exp(a) + t
            ldj += a.sum(dim=1)
        else:
            q = (q - t) * torch.exp(-a)
            ldj -= a.sum(dim=1)
        return torch.cat([p, q], dim=1), ldj


def make_masked_coupling(
    channels: int = 2, height: int = 4, width: int = 5, hidden: int = 8
) -> MaskedCoupling:
    """Return a masked coupling layer for small images, the identity until trained."""
    network = nn.Sequential(
        nn.Conv2d(channels, hidden, kernel_size=3, padding=1),
        nn.SiLU(),
        zero_initialised(nn.Conv2d(hidden, 2 * channels, kernel_size=3, padding=1)),
    )
    return MaskedCoupling(network, checkerboard_mask(height, width), channels)


def make_chunk_coupling(features: int = 8, hidden: int = 16) -> ChunkCoupling:
    """Return a chunk coupling layer for short vectors, the identity until trained."""
    network = nn.Sequential(
        nn.Linear(features // 2, hidden),
        nn.SiLU(),
        zero_initialised(nn.Linear(hidden, features)),
    )
    return ChunkCoupling(network, features)
