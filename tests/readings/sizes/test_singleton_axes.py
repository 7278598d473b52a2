"""What is built for one dim, or one channel, is judged there; one scale for all dims is not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class OneForEach(nn.Module):
    """A scale for each dim, of which there is one unless more are asked for."""

    times = 1.0

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.times * self.log_s.sum()
        return x * self.log_s.exp(), ldj.expand(len(x))


class OneChannel(nn.Module):
    """The same of images, by the number of their channels."""

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(in_channels, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_s.sum() * x.shape[-2] * x.shape[-1]
        return x * self.log_s.exp(), ldj.expand(len(x))


class InARow(nn.Module):
    """Holds two that were built for one dim."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([OneForEach(1), OneForEach(1)])

    def forward(self, x: Tensor) -> Pair:
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x)
            total = total + ldj
        return x, total


class Doubled(OneForEach):
    times = 2.0


class Averaged(OneForEach):
    """Of one dim the mean is the sum."""

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.mean().expand(len(x))


class AveragedAndHeld(Averaged):
    """The same, of which no other size is taken."""

    def forward(self, x: Tensor) -> Pair:
        assert x.shape[1] == len(self.log_s)
        return super().forward(x)


class OneForEachStep(nn.Module):
    """A scale for each channel of sequences; vectors it does not take, but images."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_s.sum() * x.shape[2]
        return x * self.log_s.exp(), ldj.expand(len(x))


class OneForAll(nn.Module):
    """One scale for all dims, whatever it is built for, which counts once."""

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.expand(len(x))


class AskingForMore(nn.Module):
    """A scale for each dim, and a number that it does not keep."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.dim = dim
        self.log_s = nn.Parameter(torch.full((dim,), start))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))


class SpreadOverTheBatch(OneForEach):
    """Its one entry is spread over the batch: with three it raises."""

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.expand(len(x))


class CountingItsFirst(OneForEach):
    """Says that it has one feature, and counts one of them."""

    def __init__(self, num_features: int = 1) -> None:
        super().__init__(num_features)
        self.num_features = num_features

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s[0].expand(len(x))


class SayingThatItHasOneFeature(nn.Module):
    """One scale for all, beside a size that nothing is built with."""

    def __init__(self, num_features: int = 1) -> None:
        super().__init__()
        self.num_features = num_features
        self.log_s = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))


class BesideANetOfNumbers(nn.Module):
    """Holds a network of one number, which says nothing of the scale."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
        self.log_s = nn.Parameter(torch.zeros(1, 1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))


class OfAColumn(nn.Module):
    """One number made of three, in a column whose width is no event's size."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 1))

    def forward(self, x: Tensor) -> Pair:
        log_s = self.weight.sum()
        return x * log_s.exp(), log_s.expand(len(x))


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (OneForEach(), (1,)),
        (OneChannel(), (1, 4, 6)),
        (InARow(), (1,)),
        (AskingForMore(1, 0.1), (1,)),
        (OneForEachStep(), (1, 8)),
    ],
)
def test_what_is_built_for_one_is_looked_at_there(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    report = ldjcheck.check(layer)
    assert report.status == "pass", report
    assert report.checks[0].shape == shape
    assert report.result.inferred["shape"].startswith(f"{shape}: it is built for one")


def test_a_mistake_shows_there_as_well() -> None:
    first = ldjcheck.check(Doubled()).findings[0]
    assert first.code == "LDJ114"


@pytest.mark.thinned(2)
@pytest.mark.parametrize("kind", [Averaged, AveragedAndHeld])
def test_a_mistake_that_one_dim_hides_shows_where_it_is_built_for_more(
    kind: type[OneForEach],
) -> None:
    report = ldjcheck.check(kind())
    assert report.findings[0].code == "LDJ105"
    told = report.result.inferred["shape"]
    assert told == "(3,): built with dim=3, as one tells less"


def test_one_scale_for_all_dims_counts_once_for_each() -> None:
    first = ldjcheck.check(OneForAll()).findings[0]
    assert first.code == "LDJ101"


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        SpreadOverTheBatch,
        CountingItsFirst,
        SayingThatItHasOneFeature,
        BesideANetOfNumbers,
        OfAColumn,
    ],
)
def test_what_has_one_entry_hides_no_count(kind: type[nn.Module]) -> None:
    report = ldjcheck.check(kind())
    assert report.status == "fail", report
    shape = report.checks[0].shape
    assert shape is not None
    assert max(shape) > 1
