"""A pass rests on two sizes, and on more than one dim, where the layer takes them.

Of each right layer there is a twin with one mistake: a count of dims or places that is
forgotten, a mean in the place of a sum. Its parameters have one entry along some axis, or
none at all, and nobody says how large an event is.
"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]
Shape = tuple[int, ...]


class Elementwise(nn.Module):
    """What moves each entry by itself, and says of each what it adds."""

    wrong = False

    def moved(self, x: Tensor) -> Pair:
        """Return y, and log|dy/dx| of each entry or of all alike."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Pair:
        y, entries = self.moved(x)
        entries = entries.expand_as(x).flatten(1)
        return y, entries.mean(1) if self.wrong else entries.sum(1)


class Temperature(Elementwise):
    def __init__(self) -> None:
        super().__init__()
        self.log_t = nn.Parameter(torch.tensor(0.2))

    def moved(self, x: Tensor) -> Pair:
        return x / self.log_t.exp(), -self.log_t


class Leaky(Elementwise):
    def __init__(self, slope: float = 0.1) -> None:
        super().__init__()
        self.slope = slope

    def moved(self, x: Tensor) -> Pair:
        slopes = torch.where(x > 0, torch.ones_like(x), self.slope * torch.ones_like(x))
        return x * slopes, slopes.log()


class LearnedLeaky(Elementwise):
    def __init__(self) -> None:
        super().__init__()
        self.log_slope = nn.Parameter(torch.full((1,), -1.0))

    def moved(self, x: Tensor) -> Pair:
        log_s = torch.where(x > 0, torch.zeros_like(x), self.log_slope)
        return x * log_s.exp(), log_s


class SinhArcsinh(Elementwise):
    def __init__(self) -> None:
        super().__init__()
        self.skew = nn.Parameter(torch.zeros(1))
        self.log_tail = nn.Parameter(torch.zeros(1))

    def moved(self, x: Tensor) -> Pair:
        tail = self.log_tail.exp()
        inner = torch.asinh(x) * tail + self.skew
        log_d = torch.log(torch.cosh(inner)) + self.log_tail - 0.5 * torch.log1p(x**2)
        return torch.sinh(inner), log_d


class Softplus(Elementwise):
    def moved(self, x: Tensor) -> Pair:
        return F.softplus(x), F.logsigmoid(x)


class Logit(Elementwise):
    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        self.alpha = alpha

    def moved(self, x: Tensor) -> Pair:
        p = self.alpha + (1 - 2 * self.alpha) * x
        log_d = math.log(1 - 2 * self.alpha) - p.log() - torch.log1p(-p)
        return p.log() - torch.log1p(-p), log_d


class Scale(nn.Module):
    """One scale for all, however it is held, and counted as often as `counted` says."""

    wrong = False
    held: Shape = (1,)

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(self.held))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_s.sum() * (1 if self.wrong else x[0].numel())
        return x * self.log_s.exp(), ldj.expand(len(x))


class ScaleOfNoAxis(Scale):
    held = ()


class ScaleOfFourAxes(Scale):
    held = (1, 1, 1, 1)


class ScaleOfAMatrix(Scale):
    held = (1, 1)


class RunningTotal(nn.Module):
    """The same with a total that comes in, both ways."""

    wrong = False

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        log_s = -self.log_s if reverse else self.log_s
        counted = log_s if self.wrong else log_s * z[0].numel()
        return z * log_s.exp(), ldj + counted


class ActNorm(nn.Module):
    """A scale and an offset for each channel, of the number that it is built for."""

    wrong = False

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.log_s = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        places = 1 if self.wrong else x.shape[2] * x.shape[3]
        ldj = self.log_s.sum() * places
        return x * self.log_s.exp() + self.loc, ldj.expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        places = 1 if self.wrong else y.shape[2] * y.shape[3]
        ldj = -self.log_s.sum() * places
        return (y - self.loc) * (-self.log_s).exp(), ldj.expand(len(y))


class Permuted(Scale):
    """Turns the order of the entries round beside the scale."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y.flip(-1), ldj


ALIKE = (
    Temperature, Leaky, LearnedLeaky, SinhArcsinh, Softplus, Logit, Scale, ScaleOfNoAxis,
    ScaleOfFourAxes, ScaleOfAMatrix, RunningTotal, ActNorm, Permuted,
)  # fmt: skip


@pytest.mark.thinned(6)
@pytest.mark.parametrize("kind", ALIKE)
def test_a_count_of_all_entries_is_right_at_every_size(kind: type[nn.Module]) -> None:
    report = ldjcheck.check(kind())
    assert report.status == "pass", report
    assert "alone" not in str(report).splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALIKE)
def test_a_count_that_is_forgotten_shows_without_a_shape(kind: type[nn.Module]) -> None:
    layer = kind()
    layer.wrong = True
    report = ldjcheck.check(layer)
    assert report.status == "fail", report


class OfVectors(Scale):
    """Counts the entries of a vector, as one writes it who has no other events."""

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (self.log_s * x.shape[1]).expand(len(x))


class OfSequences(Scale):
    """Counts steps and features: of a vector it would count the entries twice."""

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_s * x.shape[1] * x.shape[-1]
        return x * self.log_s.exp(), ldj.expand(len(x))


class OfOneChannel(ScaleOfFourAxes):
    """Counts the pixels, as one does whose images have one channel."""

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_s.sum() * x.shape[2] * x.shape[3]
        return x * self.log_s.exp(), ldj.expand(len(x))


class Coupling(nn.Module):
    """Moves one half of six by the other."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))

    def forward(self, x: Tensor) -> Pair:
        kept, moved = x.chunk(2, 1)
        log_s, shift = self.net(kept).chunk(2, 1)
        return torch.cat([kept, moved * log_s.exp() + shift], 1), log_s.sum(1)


class ForEachFeature(nn.Module):
    """A scale for each of four features: of several places all count as one does."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))


class ForEachFeatureAndPlace(ForEachFeature):
    """The same, counted for as many places as there are."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, ldj * (x[0].numel() // 4)


class UnsummedBeyondVectors(Leaky):
    """Sums one axis: of more axes it gives no number a sample, and takes none."""

    def forward(self, x: Tensor) -> Pair:
        y, entries = self.moved(x)
        return y, entries.sum(1)


def told(layer: nn.Module, **options: object) -> tuple[str, ldjcheck.Report]:
    report = ldjcheck.check(layer, **options)
    assert report.status == "pass", report
    return str(report).splitlines()[0].partition("PASS")[2].strip(), report


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    ("layer", "alone"),
    [
        (Coupling(), "forward only  at (6,) alone"),
        (ForEachFeature(), "forward only  at (4,) alone"),
        (OfVectors(), "forward only  vectors alone"),
        (ActNorm(1), "at (1, *, *) alone"),
        (OfOneChannel(), "forward only  at (1, *, *) alone"),
        (OfSequences(), "forward only  at (*, *) alone"),
        (ForEachFeatureAndPlace(), "forward only"),
        (UnsummedBeyondVectors(), "forward only"),
    ],
)
def test_a_pass_says_where_alone_it_holds(layer: nn.Module, alone: str) -> None:
    line, report = told(layer)
    assert line == alone
    assert ("sizes" in report.result.inferred) == ("alone" in alone)


def test_where_it_was_seen_to_be_wrong_is_said_beside() -> None:
    _, report = told(OfVectors())
    assert report.result.inferred["sizes"] == (
        "right at (4,), (2,), (5,) alone; wrong at (8, 4), (4, 4, 6), which nobody gave"
    )


def test_of_inputs_that_are_given_no_other_size_is_tried() -> None:
    line, report = told(Temperature(), inputs=torch.randn(5, 7))
    assert line.endswith("at (7,) alone")
    assert report.checks[0].shape == (7,)


def test_a_shape_that_is_given_is_held_against_others() -> None:
    line, _ = told(Scale(), shape=(2, 3))
    assert "alone" not in line


def test_a_mistake_says_nothing_of_sizes() -> None:
    layer = ForEachFeature()
    layer.register_forward_hook(lambda _, __, out: (out[0], 2 * out[1]))
    report = ldjcheck.check(layer)
    assert report.status == "fail"
    assert "sizes" not in report.result.inferred
