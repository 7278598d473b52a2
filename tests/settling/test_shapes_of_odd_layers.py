"""Layers whose facts say the shape in a roundabout way are checked without `--shape`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ldjcheck


class OverTime(nn.Module):
    """A coupling of the features of a sequence `(time, 4)`, conditioned over time."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(2, 8), nn.Linear(8, 4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, -1)
        h = self.widen(a)
        s, t = self.narrow(h + self.attention(h, h, h)[0]).chunk(2, -1)
        return torch.cat([a, b * s.exp() + t], -1), s.flatten(1).sum(1)


class Recurrent(nn.Module):
    """Each step of `(time, 3)` is scaled by what came before it."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(3, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, _ = self.memory(F.pad(x[:, :-1], (0, 0, 1, 0)))
        s = torch.tanh(self.head(h))
        return x * s.exp(), s.sum([1, 2])


class Shuffle(nn.Module):
    def __init__(self, order: object) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(len(x))


class Mixture(nn.Module):
    """Elementwise, three dims of four components each; one dim would broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.randn(3, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        bumps = torch.sigmoid(x[..., None] - self.centre)
        return bumps.mean(-1), (bumps * (1 - bumps)).mean(-1).log().sum(1)


class SharedMask(nn.Module):
    """A checkerboard that three channels share."""

    def __init__(self) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
        self.register_buffer("mask", ((rows + columns) % 2).float()[None, None])
        self.network = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s = torch.tanh(self.network(x * self.mask)) * (1 - self.mask)
        return x * s.exp(), s.sum([1, 2, 3])


class FixedScale(nn.Module):
    """A scale that is kept as a NumPy array."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = np.array([1.0, 2.0, 1.5], np.float32)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scale = torch.from_numpy(self.scale)
        return x * scale, scale.log().sum().expand(len(x))


class OfOneSize(nn.Module):
    """It takes 576 dims, and says so only in its sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.image_shape = (1, 24, 24)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert x.shape[1:] == self.image_shape
        return x.sinh(), x.cosh().log().sum((1, 2, 3))


class Levels(nn.Module):
    """It squeezes twice, and has a scale for each of 3 * 16 channels at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(24, 48, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = nn.functional.pixel_unshuffle(nn.functional.pixel_unshuffle(x, 2), 2)
        a, b = z.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        s = s.tanh()
        return torch.cat([a, b * s.exp() + t], 1), s.sum((1, 2, 3))


class OddSequence(nn.Module):
    """Of three features, one decides about two, where a mask says that a step counts."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = x[..., :1], x[..., 1:]
        shift, log = self.net(kept).chunk(2, -1)
        log, shift = log.tanh() * mask.unsqueeze(-1), shift * mask.unsqueeze(-1)
        return torch.cat([kept, moved * log.exp() + shift], -1), log.sum((1, 2))


class Table(nn.Module):
    """Piecewise linear on [0, 1) for each of 3 dims; beyond, its table has no row."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.randn(3, 8))

    def forward(self, u: Tensor) -> tuple[Tensor, Tensor]:
        heights = self.logits.softmax(-1)
        knots = F.pad(heights.cumsum(-1), (1, 0))
        at = (u * heights.shape[-1]).long()
        dim = torch.arange(u.shape[1])[None].expand_as(at)
        share, height = u * heights.shape[-1] - at, heights[dim, at]
        return knots[dim, at] + share * height, (8 * height).log().sum(-1)


@pytest.mark.thinned(12)
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (OverTime, (8, 4)),
        (Recurrent, (8, 3)),
        (lambda: Shuffle([6, 0, 1, 2, 3, 5, 4]), (7,)),
        (lambda: Shuffle(np.random.default_rng(0).permutation(7)), (7,)),
        (lambda: Shuffle(torch.randperm(7)), (7,)),
        (Mixture, (3,)),
        (SharedMask, (3, 4, 4)),
        (FixedScale, (3,)),
        (OfOneSize, (1, 24, 24)),
        (Levels, (3, 4, 8)),
        (OddSequence, (8, 3)),
        (Table, (3,)),
    ],
    ids=[
        "attention",
        "recurrent",
        "list",
        "array",
        "tensor",
        "mixture",
        "mask",
        "numpy",
        "large",
        "levels",
        "odd",
        "table",
    ],
)
def test_the_layer_passes_at_its_own_shape(make: type, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(make())
    assert report.status == "pass", report
    assert report.to_dict()["results"][0]["checks"][0]["shape"] == list(shape)


def test_a_layer_that_couples_samples_at_every_shape_is_still_found_out() -> None:
    class Centre(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x - x.mean(0) / 2, x.new_zeros(len(x))

    assert ldjcheck.check(Centre()).status == "fail"


class OneNumber(nn.Module):
    """A sum of four terms maps one number, and runs for vectors of four as well."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(4))
        self.centres = nn.Parameter(torch.linspace(-2, 2, 4))
        self.times = times

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weights, u = self.weights.softmax(0), x[:, None] - self.centres
        slope = (weights / torch.sqrt(1 + u**2)).sum(1)
        return (weights * torch.asinh(u)).sum(1), self.times * slope.log()


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("times", "status"), [(1.0, "pass"), (2.0, "fail")])
def test_what_maps_one_number_is_no_map_of_vectors(times: float, status: str) -> None:
    report = ldjcheck.check(OneNumber(times))
    assert report.status == status, report
    assert report.checks[0].shape == ()


class NotSummed(nn.Module):
    def __init__(self, dims: int) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(dims))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_s.exp(), self.log_s.expand_as(x)


@pytest.mark.slow
@pytest.mark.parametrize("dims", [1, 3, 5])
def test_a_vector_of_one_size_alone_is_no_batch_of_numbers(dims: int) -> None:
    assert ldjcheck.check(NotSummed(dims)).findings[0].code == "LDJ202"


class Friction(nn.Module):
    """Damps the momentum of (q, p), and counts it for each of `dim` entries."""

    def __init__(self, dim: int = 3, *, counted: bool = True) -> None:
        super().__init__()
        self.dim, self.counted = dim, counted
        self.log_gamma = nn.Parameter(torch.tensor(-0.3))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        q, p = z.split(self.dim, dim=-1)
        gamma = self.log_gamma.exp()
        ldj = -gamma * (self.dim if self.counted else 1)
        q = q + 0.1 * p
        return torch.cat([q, p * torch.exp(-gamma)], -1), ldj.expand(len(z))


@pytest.mark.slow
def test_a_vector_of_two_halves_comes_before_images() -> None:
    right = ldjcheck.check(Friction())
    assert right.status == "pass"
    assert right.result.readings[0].shape == (6,)
    assert ldjcheck.check(Friction(counted=False)).status == "fail"
