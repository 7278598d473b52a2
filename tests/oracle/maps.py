"""Maps of many structures, each with the event shape that it takes, for all laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ldjcheck.oracle.jacobian import exact_jacobian, log_abs_det

Map = Callable[[Tensor], Tensor]


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def dense_ldj(f: Map, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return sign and log|det J| by the whole Jacobian, the reference of all tests."""
    jacobian, _, _ = exact_jacobian(
        lambda v: f(v.reshape(x.shape)).reshape(len(x), -1), x.reshape(len(x), -1)
    )
    return log_abs_det(jacobian)


def net(seed: int, dims_in: int, dims_out: int, width: int = 16) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(dims_in, width), nn.Tanh(), nn.Linear(width, dims_out)
    ).double()


@dataclass(frozen=True, kw_only=True)
class Example:
    """A map, the shape that it takes, and what its Jacobian is made of."""

    f: Map
    shape: tuple[int, ...]
    structure: str
    products: int | None = None  # at most


def chunk_coupling(dims: int, seed: int = 0, steepness: float = 1.0) -> Map:
    half = dims // 2
    network = net(seed, half, 2 * (dims - half))

    def f(x: Tensor) -> Tensor:
        p, q = x[:, :half], x[:, half:]
        a, t = network(steepness * p).chunk(2, dim=1)
        return torch.cat([p, q * torch.exp(a) + t], dim=1)

    return f


def mask_coupling(shape: tuple[int, ...], seed: int = 0) -> Map:
    """Return a coupling by checkerboard, with a convolutional network."""
    torch.manual_seed(seed)
    channels, height, width = shape
    network = nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 2 * channels, 3, padding=1),
    ).double()
    mask = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    mask = mask.double().expand(shape)

    def f(x: Tensor) -> Tensor:
        a, t = network(x * mask).chunk(2, dim=1)
        a, t = torch.tanh(a) * (1 - mask), t * (1 - mask)
        return (x + t) * torch.exp(a)

    return f
