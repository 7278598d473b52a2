"""Maps of many structures, each with the event shape that it takes, for all laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ldjcheck.oracle.derivatives.jacobian import exact_jacobian, log_abs_det

Map = Callable[[Tensor], Tensor]


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def dense_ldj(f: Map, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return sign and log|det J| by the whole Jacobian, the reference of all tests."""
    jacobian, _, _ = exact_jacobian(
        lambda v: f(v.reshape(x.shape).clone()).reshape(len(x), -1), x.flatten(1)
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


def spline(x: Tensor) -> Tensor:
    """Return a monotone piecewise quadratic of each entry, the identity beyond 3."""
    knots = torch.linspace(-3, 3, 7, dtype=x.dtype)
    slopes = torch.tensor([1.0, 0.3, 2.0, 0.7, 1.4, 0.2, 1.0], dtype=x.dtype)
    areas = (slopes[1:] + slopes[:-1]) / 2
    heights = torch.cat([torch.zeros(1, dtype=x.dtype), areas.cumsum(0)]) - 3.0
    inside = (x > -3) & (x < 3)
    at = torch.searchsorted(knots, x.detach().contiguous()).clamp(1, 6) - 1
    t = x - knots[at]
    bent = heights[at] + slopes[at] * t + (slopes[at + 1] - slopes[at]) * t * t / 2
    return torch.where(inside, bent, x)


def autoregressive(dims: int, order: Tensor | None = None, seed: int = 0) -> Map:
    """Return x_i * exp(a_i(x_<i)) + t_i(x_<i), by one masked hidden layer."""
    generator = torch.Generator().manual_seed(seed)
    rank = torch.arange(dims) if order is None else order
    hidden = torch.arange(2 * dims) % max(dims - 1, 1)
    into = (hidden[:, None] >= rank).double()
    out = (rank[:, None] > hidden).double()

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    first = drawn(2 * dims, dims) * into / dims**0.5
    scale = drawn(dims, 2 * dims) * out / dims**0.5
    shift = drawn(dims, 2 * dims) * out / dims**0.5

    def f(x: Tensor) -> Tensor:
        inside = torch.tanh(x @ first.T)
        return x * torch.exp(torch.tanh(inside @ scale.T)) + inside @ shift.T

    return f


def one_by_one(channels: int, seed: int = 0) -> Map:
    weight = normal(seed, channels, channels)
    return lambda x: torch.einsum("ij,bjhw->bihw", weight, x)


def convolution(ends: str, channels: int = 2) -> Map:
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, channels, 3, padding=1, padding_mode=ends).double()
    return lambda x: layer(x)


def actnorm(x: Tensor) -> Tensor:
    scale = torch.linspace(-2, 3, x.shape[1], dtype=x.dtype)
    return (x + 1.5) * torch.exp(scale).reshape(1, -1, *[1] * (x.dim() - 2))


def squeeze(x: Tensor) -> Tensor:
    return nn.functional.pixel_unshuffle(x, 2)


def planar(dims: int, seed: int = 0) -> Map:
    u, w = normal(seed, dims), normal(seed + 1, dims) / dims**0.5
    return lambda x: x + u * torch.tanh(x @ w + 0.3)[:, None]


def radial(x: Tensor) -> Tensor:
    centre = torch.linspace(-1, 1, x.shape[1], dtype=x.dtype)
    away = x - centre
    return x + 0.7 * away / (1.3 + away.norm(dim=1, keepdim=True))


def sylvester(dims: int, rank: int, seed: int = 0) -> Map:
    q = torch.linalg.qr(normal(seed, dims, rank)).Q
    first, second = (normal(seed + i, rank, rank).triu() for i in (1, 2))
    return lambda x: x + torch.tanh(x @ q @ second.T + 0.2) @ (q @ first).T


def residual(dims: int, seed: int = 0) -> Map:
    network = net(seed, dims, dims)
    return lambda x: x + 0.3 * network(x)


def in_place(x: Tensor) -> Tensor:
    """Return a coupling that writes into its argument."""
    half = x.shape[1] // 2
    x[:, half:] *= torch.exp(torch.tanh(x[:, :half]))
    x += 0.5
    return x


def chained(*maps: Map) -> Map:
    def f(x: Tensor) -> Tensor:
        for each in maps:
            x = each(x)
        return x

    return f


def shuffled(dims: int, seed: int = 0) -> Tensor:
    return torch.randperm(dims, generator=torch.Generator().manual_seed(seed))


EXAMPLES: dict[str, Example] = {
    "identity": Example(f=lambda x: x, shape=(40,), structure="identity", products=4),
    "copy": Example(f=lambda x: x.clone(), shape=(2, 4, 5), structure="identity"),
    "exp": Example(f=torch.exp, shape=(40,), structure="diagonal", products=4),
    "sinh of images": Example(f=torch.sinh, shape=(3, 4, 5), structure="diagonal"),
    "negative": Example(f=lambda x: -x, shape=(41,), structure="diagonal"),
    "spline": Example(f=spline, shape=(50,), structure="diagonal"),
    "actnorm": Example(f=actnorm, shape=(3, 4, 6), structure="diagonal"),
    "logit of the unit interval": Example(
        f=lambda x: torch.logit(0.05 + 0.9 * torch.sigmoid(x)),
        shape=(1, 5, 6),
        structure="diagonal",
    ),
    "flip": Example(
        f=lambda x: x.flip(1), shape=(33,), structure="permutation", products=3
    ),
    "squeeze": Example(f=squeeze, shape=(2, 4, 6), structure="permutation", products=3),
    "unsqueeze": Example(
        f=lambda x: nn.functional.pixel_shuffle(x, 2), shape=(8, 2, 3),
        structure="permutation",
    ),
    "scaled shuffle": Example(
        f=lambda x: torch.sinh(x[:, shuffled(40)]), shape=(40,), structure="permutation"
    ),
    "squeezed actnorm": Example(
        f=chained(squeeze, actnorm), shape=(2, 4, 6), structure="permutation"
    ),
    "chunk coupling": Example(
        f=chunk_coupling(40), shape=(40,), structure="triangular", products=6
    ),
    "odd chunk coupling": Example(
        f=chunk_coupling(41), shape=(41,), structure="triangular"
    ),
    "mask coupling": Example(
        f=mask_coupling((1, 6, 8)), shape=(1, 6, 8), structure="triangular", products=6
    ),
    "coupling whose halves change places": Example(
        f=chained(chunk_coupling(40), lambda x: x.roll(20, 1)), shape=(40,),
        structure="triangular",
    ),
    "coupling whose other half is scaled": Example(
        f=chained(actnorm, chunk_coupling(40)), shape=(40,), structure="triangular"
    ),
    "coupling then shuffle": Example(
        f=chained(chunk_coupling(40), lambda x: x[:, shuffled(40)]), shape=(40,),
        structure="triangular",
    ),
    "coupling in place": Example(f=in_place, shape=(40,), structure="triangular"),
    "1x1 convolution": Example(
        f=one_by_one(3), shape=(3, 4, 6), structure="block", products=15
    ),
    "actnorm and 1x1 convolution": Example(
        f=chained(actnorm, one_by_one(4)), shape=(4, 3, 5), structure="block"
    ),
    "squeeze and 1x1 convolution": Example(
        f=chained(squeeze, one_by_one(4)), shape=(1, 8, 10), structure="block"
    ),
    "1x1 convolution and unsqueeze": Example(
        f=chained(one_by_one(4), lambda x: nn.functional.pixel_shuffle(x, 2)),
        shape=(4, 5, 6), structure="block",
    ),
    "mixing along rows": Example(
        f=lambda x: torch.einsum("ij,bchj->bchi", normal(0, 6, 6), x), shape=(2, 4, 6),
        structure="block",
    ),
    "neighbours": Example(
        f=lambda x: (x.reshape(-1, 12, 4).sinh() @ normal(0, 4, 4)).reshape(-1, 48),
        shape=(48,), structure="block",
    ),
    "3x3 convolution": Example(
        f=convolution("zeros"), shape=(2, 9, 11), structure="dense", products=28
    ),
    "convolution round the ends": Example(
        f=convolution("circular"), shape=(2, 9, 12), structure="dense", products=28
    ),
    "residual convolutions": Example(
        f=lambda x: x + 0.3 * torch.tanh(convolution("zeros")(torch.sin(x))),
        shape=(2, 8, 12), structure="dense", products=40,
    ),
    "planar": Example(f=planar(260), shape=(260,), structure="low-rank", products=12),
    "radial": Example(f=radial, shape=(260,), structure="low-rank", products=12),
    "scaled planar": Example(
        f=chained(planar(260), lambda x: -2.5 * x), shape=(260,), structure="low-rank"
    ),
    "sylvester": Example(f=sylvester(260, 2), shape=(260,), structure="low-rank"),
    "sylvester of higher rank": Example(
        f=sylvester(260, 9), shape=(260,), structure="dense"
    ),
    "residual": Example(f=residual(40), shape=(40,), structure="dense"),
    "autoregressive": Example(
        f=autoregressive(40), shape=(40,), structure="triangular"
    ),
    "autoregressive in random order": Example(
        f=autoregressive(40, shuffled(40)), shape=(40,), structure="triangular"
    ),
    "autoregressive of many dims": Example(
        f=autoregressive(300), shape=(300,), structure="triangular", products=26
    ),
    "autoregressive from the last on": Example(
        f=autoregressive(100, torch.arange(100).flip(0)), shape=(100,),
        structure="triangular", products=22,
    ),
    "autoregressive pixel by pixel": Example(
        f=lambda x: autoregressive(96)(x.permute(0, 2, 3, 1).flatten(1))
        .reshape(-1, 4, 8, 3).permute(0, 3, 1, 2),
        shape=(3, 4, 8), structure="triangular", products=26,
    ),
    "few dims": Example(f=residual(5), shape=(5,), structure="dense"),
    "one dim": Example(f=torch.sinh, shape=(1,), structure="diagonal"),
    "few dims of a coupling": Example(
        f=chunk_coupling(6), shape=(6,), structure="triangular"
    ),
    "coupling of two": Example(
        f=chained(chunk_coupling(30), lambda x: x.flip(1), chunk_coupling(30, 1)),
        shape=(30,), structure="dense",
    ),
}  # fmt: skip
