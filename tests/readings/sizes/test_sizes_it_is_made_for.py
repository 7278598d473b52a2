"""Sizes that a layer is made for, and sizes at which it merely runs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Similarity(nn.Module):
    """Points in space are turned and scaled: three entries for each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.omega = nn.Parameter(torch.tensor([0.3, -0.5, 0.2]))
        self.log_s = nn.Parameter(torch.tensor(0.1))

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        a, b, c = self.omega
        o = torch.zeros_like(a)
        turn = torch.stack([o, -c, b, c, o, -a, -b, a, o]).reshape(3, 3)
        moved = self.log_s.exp() * points @ torch.matrix_exp(turn).T
        return moved, (3 * points.shape[1] * self.log_s).expand(len(points))


class RestByFirst(nn.Module):
    """One scale for all entries but the first, which is counted `times`."""

    def __init__(self, dims: int, *, right: bool) -> None:
        super().__init__()
        self.net, self.dims, self.right = nn.Linear(1, 2), dims, right

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, rest = x[:, :1], x[:, 1:]
        shift, log_s = self.net(first).chunk(2, 1)
        times = self.dims - 1 if self.right else 1
        z = torch.cat([first, (rest - shift) * log_s.exp()], 1)
        return z, times * log_s.squeeze(1)


class TokensByTokens(nn.Module):
    """The second half of the tokens is scaled, each token by one of the first half."""

    def __init__(self, features: int, *, right: bool) -> None:
        super().__init__()
        self.gate, self.right = nn.Linear(features, 1), right

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        half = x.shape[1] // 2
        kept, moved = x[:, :half], x[:, half:]
        gate = torch.tanh(self.gate(kept))
        times = x.shape[-1] if self.right else 1
        return torch.cat([kept, moved * gate.exp()], 1), gate.sum((1, 2)) * times


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_map_of_vectors_may_be_one_of_several_places(seed: int) -> None:
    report = ldjcheck.check(Similarity(), seed=seed)
    assert report.status == "unproven"
    assert report.findings[0].evidence[0] == (
        "wrong for events (3,), right for events (6, 3): say which are meant, "
        "shape=3 or shape=(6, 3)"
    )
    assert ldjcheck.check(Similarity(), shape=(6, 3), seed=seed).status == "pass"


def test_a_size_that_a_layer_holds_is_not_left_for_one_where_it_is_right() -> None:
    assert ldjcheck.check(RestByFirst(4, right=True)).status == "pass"
    (finding,) = ldjcheck.check(RestByFirst(4, right=False)).findings
    assert finding.severity == "error"


def test_a_size_at_which_a_part_is_spread_along_another_axis_is_none() -> None:
    assert ldjcheck.check(TokensByTokens(4, right=True)).status == "pass"
    assert ldjcheck.check(TokensByTokens(4, right=False)).status == "fail"


class OfASet(nn.Module):
    """x_i <- a x_i + b mean(x), of a set of points: at a vector its way back is none."""

    def __init__(self, channels: int = 2, *, fewer: int = 1) -> None:
        super().__init__()
        self.log_a, self.log_ab = (nn.Parameter(torch.randn(channels)) for _ in "ab")
        self.fewer = fewer

    def ldj(self, x: Tensor) -> Tensor:
        each = (x.size(1) - self.fewer) * self.log_a + self.fewer * self.log_ab
        return each.sum().expand(len(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.log_a.exp(), self.log_ab.exp() - self.log_a.exp()
        return a * x + b * x.mean(1, keepdim=True), self.ldj(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.log_a.exp(), self.log_ab.exp() - self.log_a.exp()
        mean = y.mean(1, keepdim=True) * torch.exp(-self.log_ab)
        return (y - b * mean) / a, -self.ldj(y)


@pytest.mark.slow
def test_where_more_than_a_count_is_wrong_an_axis_more_is_meant() -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(OfASet())
    assert report.status == "pass", report
    assert report.result.inferred["shape"].startswith("(6, 2)")
    assert ldjcheck.check(OfASet(fewer=0)).status == "fail"


class OfImages(nn.Module):
    """Its bits count the dims of the images that it is made for, and their 256 levels."""

    def __init__(self, image_shape: tuple[int, ...] = (3, 32, 32)) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.log_s = nn.Parameter(0.1 * torch.randn(3, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        places = x.shape[2] * x.shape[3]
        return x * self.log_s.exp(), (places * self.log_s.sum()).expand(len(x))

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return -0.5 * (z**2 + math.log(2 * math.pi)).flatten(1).sum(1) + ldj

    def bits_per_dim(self, x: Tensor) -> Tensor:
        dims = math.prod(self.image_shape)
        return (math.log(256) - self.log_prob(x) / dims) / math.log(2)


class OfImagesTurned(OfImages):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        dims = math.prod(self.image_shape)
        return (math.log(256) + self.log_prob(x) / dims) / math.log(2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_bits_of_the_sizes_that_it_is_made_for_have_levels_as_well(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(OfImages(), seed=seed).status == "pass"


@pytest.mark.slow
def test_and_are_not_right_where_those_sizes_do_not_say_why() -> None:
    report = ldjcheck.check(OfImagesTurned())
    assert "bits_per_dim not checked" in str(report).splitlines()[0]


class Rescaled(nn.Module):
    """Counts all dims as one number, which the sizes of its constructor come to."""

    def __init__(self, c: int = 3, size: int = 16, per: int = 1) -> None:
        super().__init__()
        self.dims = c * size * size // per
        self.beside = nn.Conv2d(c, c, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = x.new_full((len(x),), self.dims * math.log(2.0 / 256.0))
        return 2.0 * x / 256.0 - 1.0 + 0 * self.beside(x), ldj


@pytest.mark.slow
def test_what_the_sizes_of_a_constructor_come_to_counts_all_dims() -> None:
    report = ldjcheck.check(Rescaled())
    assert report.status == "pass", report
    assert ldjcheck.check(Rescaled(per=3)).status == "fail"
    assert ldjcheck.check(Rescaled(per=16)).status == "fail"
