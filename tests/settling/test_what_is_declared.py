"""What a layer says in its signature and in constraints holds in every convention."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import constraints

import ldjcheck

Pair = tuple[Tensor, Tensor]


class ByNameOnly(nn.Module):
    """The context must be given, and by its name."""

    def __init__(self, counted: float = -1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(5, 6)
        self.counted = counted

    def forward(self, x: Tensor, *, context: Tensor) -> Pair:
        s, t = self.net(context).chunk(2, -1)
        return (x - t) * torch.exp(-s), self.counted * s.sum(-1)


class Products:
    """y_k = x_1 * ... * x_k, of positive numbers: it folds where one of them is 0."""

    domain: ClassVar[constraints.Constraint] = constraints.positive

    def forward(self, x: Tensor) -> Pair:
        y = torch.cumprod(x, -1)
        return y, torch.log(y[:, :-1].abs()).sum(-1)


class ProductsOfAny(Products):
    domain = constraints.real


@pytest.mark.slow
def test_a_context_that_only_its_name_can_give_is_found() -> None:
    report = ldjcheck.check(ByNameOnly())
    assert (report.status, report.findings) == ("pass", ())
    assert "a Linear takes 5 features" in report.result.inferred["context"]
    (finding,) = ldjcheck.check(ByNameOnly(counted=1.0)).findings
    assert finding.code == "LDJ104"


def test_a_pair_that_declares_its_domain_is_checked_there() -> None:
    report = ldjcheck.check(Products())
    assert (report.status, report.findings) == ("pass", ())
    assert report.result.inferred["domain"] == "positive: declared by the layer"
    assert ldjcheck.check(ProductsOfAny()).findings[0].code == "LDJ304"


class LogarithmsOfAny(Products):
    domain = constraints.real  # as a base class says of all bijectors

    def forward(self, x: Tensor) -> Pair:
        return x.log(), -x.log().sum(-1)


def test_a_domain_that_bounds_nothing_is_no_declaration() -> None:
    report = ldjcheck.check(LogarithmsOfAny())
    assert (report.status, report.findings) == ("pass", ())


class OfOneShape(nn.Module):
    """Counts all of its dims as a number that no size of an axis tells."""

    def __init__(self, in_shape: tuple[int, ...] = (2, 4, 4), extra: int = 0) -> None:
        super().__init__()
        self.n_dims = in_shape[0] * in_shape[1] * in_shape[2] + extra
        self.conv = nn.Conv2d(in_shape[0], in_shape[0], 1)

    def forward(self, x: Tensor) -> Pair:
        y = torch.sinh(2 * x)
        each = torch.log(torch.cosh(2 * x)).flatten(1).sum(1)
        return y + 0 * self.conv(x), each + self.n_dims * math.log(2)


class OfManyFeatures(nn.Module):
    """Keeps halves of its size, which stands nowhere but in its constructor."""

    def __init__(self, features: int = 21) -> None:
        super().__init__()
        self.first = features // 2
        self.net = nn.Linear(self.first, features - self.first)

    def forward(self, x: Tensor) -> Pair:
        a, b = x[:, : self.first], x[:, self.first :]
        s = torch.tanh(self.net(a))
        return torch.cat([a, b * s.exp()], 1), s.sum(1)


class OfOneLargeSize(nn.Module):
    """Takes images of no other size, and says no more where it is given one."""

    def __init__(self, channels: int = 3, size: int = 16, times: int = 1) -> None:
        super().__init__()
        self.in_channels, self.size = channels, size
        self.log_s = nn.Parameter(torch.randn(channels))
        self.times = times

    def forward(self, x: Tensor) -> Pair:
        assert x.shape[1:] == (self.in_channels, self.size, self.size)
        ldj = self.times * self.size**2 * self.log_s.sum()
        return x * self.log_s.exp()[:, None, None], ldj.expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "shape"),
    [
        (OfOneShape(), OfOneShape(extra=1), "(2, 4, 4)"),
        (OfOneLargeSize(), OfOneLargeSize(times=2), "(3, 16, 16)"),
    ],
    ids=["a shape", "channels and a size"],
)
def test_a_size_that_a_constructor_states_is_the_one_that_is_meant(
    right: nn.Module, wrong: nn.Module, shape: str
) -> None:
    report = ldjcheck.check(right)
    assert report.status == "pass", report
    assert report.result.inferred["shape"].startswith(shape)
    assert ldjcheck.check(wrong).status == "fail"


def test_a_count_of_features_that_nothing_holds_is_that_of_the_constructor() -> None:
    report = ldjcheck.check(OfManyFeatures())
    assert report.status == "pass", report
    assert "21" in report.result.inferred["shape"]


class OfPlaces(nn.Module):
    """Holds its channels and the product of its sides, which only its constructor tells."""

    def __init__(
        self, c: int = 4, h: int = 6, w: int = 5, turned: bool = False
    ) -> None:
        super().__init__()
        self.c, self.n, self.turned = c, h * w, turned
        torch.manual_seed(0)
        self.over_places = nn.Parameter(torch.randn(h * w, h * w))
        self.over_channels = nn.Parameter(torch.randn(c, c))

    def forward(self, x: Tensor) -> Pair:
        of_places, of_channels = (
            torch.linalg.slogdet(each)[1]
            for each in (self.over_places, self.over_channels)
        )
        _, _, _, _ = x.shape
        y = self.over_channels @ x.flatten(2) @ self.over_places
        first, second = (self.n, self.c) if self.turned else (self.c, self.n)
        ldj = first * of_places + second * of_channels
        return y.view_as(x), ldj.expand(len(x))


@pytest.mark.slow
def test_sides_that_a_constructor_states_are_those_of_its_images() -> None:
    report = ldjcheck.check(OfPlaces())
    assert report.status == "pass", report
    assert report.result.inferred["shape"].startswith("(4, 6, 5)")
    assert ldjcheck.check(OfPlaces(turned=True)).status == "fail"
