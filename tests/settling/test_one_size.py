"""Counts that agree at one size: told apart at others, unless the layer is made for one."""

from __future__ import annotations

import math
from argparse import Namespace
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck

Pair = tuple[Tensor, Tensor]


class InvertibleConvolution(nn.Module):
    """Mixes channels; a count of `self.count(x)` places mix theirs alike."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(
            torch.eye(channels) + 0.1 * torch.randn(channels, channels)
        )

    def count(self, x: Tensor) -> int:
        return x[0, 0].numel()

    def forward(self, x: Tensor) -> Pair:
        ldj = self.count(x) * torch.linalg.slogdet(self.weight)[1]
        if x.dim() == 3:
            return F.conv1d(x, self.weight[:, :, None]), ldj.expand(len(x))
        return F.conv2d(x, self.weight[:, :, None, None]), ldj.expand(len(x))


class ChannelsForHeight(InvertibleConvolution):
    def count(self, x: Tensor) -> int:
        return x.shape[1] * x.shape[3]


class ChannelsForWidth(InvertibleConvolution):
    def count(self, x: Tensor) -> int:
        return x.shape[1] * x.shape[2]


class HeldChannelsForHeight(InvertibleConvolution):
    def count(self, x: Tensor) -> int:
        return self.channels * x.shape[3]


class ChannelsForLength(InvertibleConvolution):
    def count(self, x: Tensor) -> int:
        return self.channels


SHAPES = [None, (4, 4, 6), (4, 6, 4), (4, 4, 4), (6, 4, 6)]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "wrong", [ChannelsForHeight, ChannelsForWidth, HeldChannelsForHeight]
)
def test_channels_are_told_from_places_of_as_many(
    wrong: type[InvertibleConvolution], shape: tuple[int, ...] | None
) -> None:
    channels = 4 if shape is None else shape[0]
    assert ldjcheck.check(InvertibleConvolution(channels), shape=shape).status == "pass"
    layer = wrong(channels)
    report = ldjcheck.check(layer, shape=shape)
    x = None if shape is None else torch.zeros(1, *shape)
    is_right_there = x is not None and layer.count(x) == x[0, 0].numel()
    name = "size-hard-coded" if is_right_there else "wrong-dims-factor"
    assert [finding.name for finding in report.findings] == [name]


@pytest.mark.parametrize("shape", [(8, 8), (4, 4)], ids=str)
def test_channels_are_told_from_frames_of_as_many(shape: tuple[int, int]) -> None:
    right, wrong = (
        each(shape[0]) for each in (InvertibleConvolution, ChannelsForLength)
    )
    assert ldjcheck.check(right, shape=shape).status == "pass"
    report = ldjcheck.check(wrong, shape=shape)
    assert report.status == "pass"  # as is asked for: at this shape
    assert [finding.name for finding in report.findings] == ["size-hard-coded"]


class Blocks(nn.Module):
    """A scale for each of the twelve channels that blocks of 2 by 2 places make of three."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(12, 1, 1))

    def count(self, z: Tensor) -> int:
        return z[0, 0].numel()

    def forward(self, x: Tensor) -> Pair:
        z = F.pixel_unshuffle(x, 2) * self.log_scale.exp()
        ldj = self.count(z) * self.log_scale.sum()
        return F.pixel_shuffle(z, 2), ldj.expand(len(x))


class HalfOfTheChannels(Blocks):
    def count(self, z: Tensor) -> int:
        return z.shape[1] // 2


class Checkerboard(nn.Module):
    """Scales every other place, all by one number."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(2, 2, 3, padding=1)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def count(self, mask: Tensor) -> Tensor:
        return mask.sum()

    def forward(self, x: Tensor) -> Pair:
        rows, columns = (torch.arange(n) for n in x.shape[2:])
        mask = ((rows[:, None] + columns) % 2).to(x)
        y = x * self.log_scale.exp() + self.net((1 - mask) * x)
        ldj = x.shape[1] * self.count(mask) * self.log_scale
        return torch.where(mask == 1, y, x), ldj.expand(len(x))


class OfTheOtherColour(Checkerboard):
    def count(self, mask: Tensor) -> Tensor:
        return (1 - mask).sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    "pair", [(Blocks, HalfOfTheChannels), (Checkerboard, OfTheOtherColour)]
)
def test_halves_and_multiples_are_told_from_what_equals_them_at_one_size(
    pair: tuple[type[nn.Module], type[nn.Module]],
) -> None:
    right, wrong = (ldjcheck.check(each()).status for each in pair)
    assert (right, wrong) == ("pass", "fail")


class Channelwise(nn.Module):
    """A scale for each channel of sequences; `frames` is how often each counts."""

    def __init__(self, size: tuple[int, ...], frames: int | None) -> None:
        super().__init__()
        self.frames, self.channels = frames, math.prod(size)
        self.log_scale = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Pair:
        frames = x[0].numel() // self.channels if self.frames is None else self.frames
        ldj = frames * self.log_scale.sum()
        return x * self.log_scale.exp(), ldj.expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(4, 1), (1, 4, 1), (1, 1, 4), (1, 1, 8)], ids=str)
def test_numbers_that_all_frames_share_are_tried_on_several(
    size: tuple[int, ...],
) -> None:
    right, wrong = (
        ldjcheck.check(Channelwise(size, frames)).status for frames in (None, 1)
    )
    assert (right, wrong) == ("pass", "fail")


class Scale(nn.Module):
    """A scale a channel, for images of one size: `self.count()` places share each."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.size = (height, width)
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def count(self) -> int:
        return self.height * self.width

    def forward(self, x: Tensor) -> Pair:
        ldj = self.count() * self.log_scale.sum()
        return x * self.log_scale.exp(), ldj.expand(len(x))


class ByItsTuple(Scale):
    def count(self) -> int:
        return self.size[0] * self.size[1]


class Square(Scale):
    def count(self) -> int:
        return self.height**2


class OneAxis(Scale):
    def count(self) -> int:
        return self.width


class Twice(Scale):
    def count(self) -> int:
        return 2 * self.height * self.width


@pytest.mark.thinned(9)
@pytest.mark.parametrize("sizes", [(3, 5, 7), (3, 32, 32), (4, 8, 8)], ids=str)
@pytest.mark.parametrize("kind", [Scale, ByItsTuple])
def test_a_layer_that_is_made_for_one_size_is_right_at_that_size(
    kind: type[Scale], sizes: tuple[int, int, int]
) -> None:
    report = ldjcheck.check(kind(*sizes))
    assert report.status == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("side", [8, 32])
def test_one_number_may_be_both_sides_of_a_square(side: int) -> None:
    report = ldjcheck.check(Square(3, side, side))
    assert report.status == "pass", str(report)


def test_it_says_which_numbers_were_taken_for_sizes() -> None:
    told = ldjcheck.check(Scale(3, 32, 32)).to_dict()["results"][0]["inferred"]["size"]
    assert told == (
        "the ldj counts with height as its height and width as its width; "
        "set to the sizes of the inputs"
    )


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [OneAxis, Twice, Square])
def test_made_for_one_size_it_may_still_count_wrongly(wrong: type[Scale]) -> None:
    assert ldjcheck.check(wrong(3, 5, 7)).status == "fail"


class LogitOfAnImage(nn.Module):
    """Between 0 and 1 to the whole line, for images of one size that it counts itself."""

    def __init__(self, c: int, h: int, w: int, alpha: float = 0.05) -> None:
        super().__init__()
        self.alpha, self.c, self.h, self.w = alpha, c, h, w
        self.n = c * h * w

    def count(self) -> int:
        return self.n

    def forward(self, x: Tensor) -> Pair:
        s = self.alpha + (1 - 2 * self.alpha) * x
        slopes = -(torch.log(s) + torch.log1p(-s)).flatten(1).sum(1)
        return torch.logit(s), slopes + self.count() * math.log(1 - 2 * self.alpha)


class LogitCountedOnce(LogitOfAnImage):
    def count(self) -> int:
        return 1


class LogitCountsPlaces(LogitOfAnImage):
    def count(self) -> int:
        return self.h * self.w


class LogitTurned(LogitOfAnImage):
    def forward(self, x: Tensor) -> Pair:
        s = self.alpha + (1 - 2 * self.alpha) * x
        slopes = (torch.log(s) + torch.log1p(-s)).flatten(1).sum(1)
        return torch.logit(s), slopes + self.count() * math.log(1 - 2 * self.alpha)


class OfAShape(nn.Module):
    """Counts with the product of a shape that it was given, as NumPy multiplies it."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape, self.dims = shape, np.prod(shape)
        self.log_s = nn.Parameter(torch.tensor(0.1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (self.dims * self.log_s).expand(len(x))


class OfOneSide(OfAShape):
    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (self.shape[1] * self.log_s).expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(3, 8, 8), (1, 28, 28), (3, 32, 32)], ids=str)
@pytest.mark.parametrize("kind", [LogitOfAnImage, OfAShape])
def test_a_count_of_all_dims_goes_with_the_sizes_that_a_layer_holds(
    kind: type[nn.Module], size: tuple[int, int, int]
) -> None:
    report = ldjcheck.check(kind(*size))
    assert report.status == "pass", str(report)


@pytest.mark.slow
def test_what_else_is_wrong_there_is_told_for_itself() -> None:
    report = ldjcheck.check(LogitTurned(3, 8, 8))
    assert [finding.code for finding in report.findings] == ["LDJ104"], str(report)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(3, 8, 8), (1, 28, 28)], ids=str)
def test_a_count_that_is_missing_there_is_named(size: tuple[int, int, int]) -> None:
    (finding,) = ldjcheck.check(LogitCountedOnce(*size)).findings
    assert finding.code == "LDJ101"


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [LogitCountsPlaces(3, 8, 8), LogitCountsPlaces(3, 32, 32), OfOneSide(1, 28, 28)],
)
def test_another_count_is_wrong_there(wrong: nn.Module) -> None:
    report = ldjcheck.check(wrong)
    assert report.status == "fail", str(report)
    assert report.findings[0].code in ("LDJ102", "LDJ103"), str(report)


class Sizes(NamedTuple):
    """What a named tuple of sizes holds."""

    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class Settings:
    """What settings hold that cannot be changed."""

    channels: int
    height: int
    width: int


class Configured(nn.Module):
    """One scale for a channel of images whose sizes stand in settings."""

    def __init__(self, sizes: Any, logs: Tensor) -> None:
        super().__init__()
        self.sizes, self.logs = sizes, nn.Parameter(logs)

    def places(self) -> int:
        if isinstance(self.sizes, dict):
            return int(self.sizes["height"] * self.sizes["width"])
        return int(self.sizes.height * self.sizes.width)

    def forward(self, x: Tensor) -> Pair:
        return x * self.logs.exp(), (self.places() * self.logs.sum()).expand(len(x))


class ConfiguredOneSide(Configured):
    def places(self) -> int:
        return super().places() // self.sizes["width"]


_SETTINGS = {"channels": 3, "height": 8, "width": 8}


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    "sizes",
    [_SETTINGS, Sizes(**_SETTINGS), Settings(**_SETTINGS), Namespace(**_SETTINGS)],
    ids=lambda sizes: type(sizes).__name__,
)
def test_sizes_in_settings_are_sizes_that_a_layer_holds(sizes: Any) -> None:
    report = ldjcheck.check(Configured(sizes, torch.zeros(1, 3, 1, 1)))
    assert report.status == "pass", str(report)


@pytest.mark.slow
def test_one_side_of_two_in_settings_is_no_count_of_places() -> None:
    report = ldjcheck.check(ConfiguredOneSide(_SETTINGS, torch.zeros(1, 3, 1, 1)))
    assert report.findings[0].code in ("LDJ102", "LDJ103"), str(report)


class CountInABuffer(nn.Module):
    """One scale for all dims; their count is all that it knows of its size."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.tensor(float(dims)))
        self.log_s = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (self.log_s * self.count).expand(len(x))


class CountInTheClass(nn.Module):
    """The same, the count written above its methods."""

    count = 784

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (self.log_s * self.count).expand(len(x))


class PlacesByMeans(nn.Module):
    """One scale for a channel, and a count of places that multiplies their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.places = 1024
        self.logs = nn.Parameter(torch.zeros(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.logs.exp(), (self.places * self.logs.mean()).expand(len(x))


class CountAddedOnTheWayBack(CountInABuffer):
    def inverse(self, y: Tensor) -> Pair:
        return y * (-self.log_s).exp(), (self.log_s * self.count).expand(len(y))


class RowsOfAPicture(nn.Module):
    """One scale for all dims, and the count of one of two axes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.columns = 16, 9
        self.log_s = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Pair:
        batch, _, _ = x.shape
        return x * self.log_s.exp(), (self.log_s * self.rows).expand(batch)


@pytest.mark.parametrize("layer", [CountInABuffer(3072), CountInTheClass()])
def test_the_one_number_that_a_layer_holds_may_count_all_its_dims(
    layer: nn.Module,
) -> None:
    report = ldjcheck.check(layer)
    assert report.status == "pass", str(report)


@pytest.mark.slow
def test_a_layer_that_holds_its_count_is_wrong_in_the_direction_that_is() -> None:
    (finding,) = ldjcheck.check(CountAddedOnTheWayBack(3072)).findings
    assert finding.code == "LDJ302"


@pytest.mark.thinned(2)
@pytest.mark.parametrize("wrong", [RowsOfAPicture(), PlacesByMeans()])
def test_what_may_be_another_count_is_not_taken_for_that_of_all_dims(
    wrong: nn.Module,
) -> None:
    assert ldjcheck.check(wrong).status == "fail"


class Levels(nn.Module):
    """Divides whole numbers by how many levels there are, in so many variables."""

    def __init__(self, levels: int = 16, variables: int = 6) -> None:
        super().__init__()
        self.levels, self.variables = levels, variables

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.full((len(x),), -self.variables * math.log(self.levels))
        return x / self.levels, ldj


class LevelsOfBits(Levels):
    def forward(self, x: Tensor) -> Pair:
        ldj = torch.full((len(x),), -self.variables * math.log2(self.levels))
        return x / self.levels, ldj


@pytest.mark.slow
def test_the_size_of_a_vector_is_the_number_that_counts_and_no_other() -> None:
    report = ldjcheck.check(Levels())
    assert report.status == "pass", str(report)
    assert ldjcheck.check(LevelsOfBits()).status == "fail"


class Frames(nn.Module):
    """One scale for a feature of sequences; it knows how many frames there are."""

    def __init__(self, frames: int = 12, features: int = 4) -> None:
        super().__init__()
        self.frames, self.features = frames, features
        self.log_s = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.frames * self.log_s.sum()
        return x * self.log_s.exp(), ldj.expand(len(x))


class FramesByFeatures(Frames):
    def forward(self, x: Tensor) -> Pair:
        ldj = self.features * self.log_s.sum()
        return x * self.log_s.exp(), ldj.expand(len(x))


def test_what_counts_frames_is_made_for_sequences() -> None:
    report = ldjcheck.check(Frames())
    assert report.status == "pass", str(report)
    shape = report.to_dict()["results"][0]["inferred"]["shape"]
    assert (
        shape == "(6, 4): the ldj counts with frames, the size of no axis of a vector"
    )


def test_features_counted_for_frames_are_no_frames() -> None:
    assert ldjcheck.check(FramesByFeatures()).status == "fail"


class AboutTheCentre(nn.Module):
    """Points of a set move away from their mean, which stays: of n points n - 1 count."""

    def __init__(self, d: int = 3) -> None:
        super().__init__()
        self.d = d
        self.log_s = nn.Parameter(torch.zeros(()))

    def count(self, x: Tensor) -> int:
        return (x.shape[1] - 1) * self.d

    def forward(self, x: Tensor) -> Pair:
        centre = x.mean(dim=1, keepdim=True)
        y = centre + (x - centre) * self.log_s.exp()
        return y, (self.count(x) * self.log_s).expand(len(x))


class AllPointsCounted(AboutTheCentre):
    def count(self, x: Tensor) -> int:
        return x.shape[1] * self.d


@pytest.mark.slow
def test_what_counts_with_the_size_of_vectors_may_be_made_for_sets_of_them() -> None:
    report = ldjcheck.check(AboutTheCentre())
    assert report.status == "pass", str(report)
    shape = report.to_dict()["results"][0]["inferred"]["shape"]
    why = "the ldj counts with d, and is right for several such vectors alone"
    assert shape == f"(6, 3): {why}"
    assert ldjcheck.check(AllPointsCounted()).status == "fail"


class LayersForFrames(Frames):
    """Counts something else that it holds, which is no size of its events."""

    def __init__(self, name: str, features: int = 4) -> None:
        super().__init__(12, features)
        del self.frames
        self.name = name
        setattr(self, name, 3)

    def forward(self, x: Tensor) -> Pair:
        ldj = getattr(self, self.name) * self.log_s.sum()
        return x * self.log_s.exp(), ldj.expand(len(x))


class HiddenForDims(nn.Module):
    """Counts hidden units, and holds a number whose square they are."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.parts = 64, 8
        self.log_s = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Pair:
        batch, _, _, _ = x.shape
        return x * self.log_s.exp(), (self.hidden * self.log_s).expand(batch)


class LayersForDims(nn.Module):
    """Counts its layers where it has one scale for all dims."""

    def __init__(self) -> None:
        super().__init__()
        self.n_layers = 2
        self.log_s = nn.Parameter(torch.zeros(()))
        self.dim = 6

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (self.n_layers * self.log_s).expand(len(x))


class HiddenForLength(nn.Module):
    """A scale for a channel of sequences, counted with the width of a network."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden_dim = 16
        self.logs = nn.Parameter(torch.zeros(2, 1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.logs.exp(), (self.hidden_dim * self.logs.sum()).expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        HiddenForLength(),
        LayersForFrames("n_layers"),
        LayersForFrames("hidden_size"),
        LayersForFrames("batch_size"),
        LayersForFrames("n_steps"),
        HiddenForDims(),
        LayersForDims(),
    ],
    ids=["length", "layers", "hidden", "batch", "steps", "square", "dims"],
)
def test_what_counts_something_else_is_no_size_of_an_event(wrong: nn.Module) -> None:
    assert ldjcheck.check(wrong).status == "fail"


class Graph(nn.Module):
    """Moves half of the features of each node, as told by its neighbours' other half."""

    def __init__(self, nodes: int, features: int) -> None:
        super().__init__()
        self.register_buffer("adjacency", torch.ones(nodes, nodes).triu(1))
        self.net = nn.Linear(features // 2, features)

    def forward(self, h: Tensor) -> Pair:
        a, b = h.chunk(2, dim=2)
        s, t = self.net(self.adjacency @ a).chunk(2, dim=2)
        return torch.cat([a, b * s.exp() + t], dim=2), s.sum((1, 2))


@pytest.mark.parametrize(("nodes", "features"), [(4, 4), (5, 6), (7, 2)])
def test_a_graph_has_as_many_nodes_as_its_matrix_joins(
    nodes: int, features: int
) -> None:
    report = ldjcheck.check(Graph(nodes, features))
    assert report.status == "pass"
    shape = report.to_dict()["results"][0]["inferred"]["shape"]
    assert shape.startswith(f"({nodes}, {features})")


class BothSides(nn.Module):
    """Multiplies a matrix from both sides, as a Kronecker product does a vector."""

    def __init__(self, swapped: bool = False) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.eye(3) + torch.randn(3, 3) / 3)
        self.right = nn.Parameter(torch.eye(4) + torch.randn(4, 4) / 3)
        self.swapped = swapped

    def forward(self, x: Tensor) -> Pair:
        rows, columns = (3, 4) if self.swapped else (4, 3)
        ldj = (
            rows * torch.slogdet(self.left)[1] + columns * torch.slogdet(self.right)[1]
        )
        return self.left @ x @ self.right, ldj.expand(len(x))


@pytest.mark.slow
def test_a_batch_as_long_as_a_side_of_a_matrix_is_not_taken_for_it() -> None:
    """Three vectors of 4 dims are also one matrix of 3 x 4."""
    torch.manual_seed(0)
    right = ldjcheck.check(BothSides())
    assert right.status == "pass", right
    assert right.to_dict()["results"][0]["inferred"]["shape"].startswith("(3, 4)")
    assert ldjcheck.check(BothSides(swapped=True)).status == "fail"


class OfThree(nn.Module):
    """Takes a batch of 3, and no other."""

    def forward(self, x: Tensor) -> Pair:
        assert len(x) == 3
        return x, torch.zeros(3)


@pytest.mark.slow
def test_a_layer_that_takes_one_batch_only_is_not_said_to_couple_samples() -> None:
    (finding,) = ldjcheck.check(OfThree()).findings
    assert finding.code == "LDJ006"
    assert "runs with 3 samples, raises with 4" in finding.evidence[0]


class OfAVideo(nn.Module):
    """Counts frames, rows and columns that it holds."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.frames, self.height, self.width = 6, 8, 10
        self.log_s = nn.Parameter(torch.zeros(1, channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        places = self.frames * self.height * self.width
        return x * self.log_s.exp(), (places * self.log_s.sum()).expand(len(x))


def test_frames_are_held_as_places_are() -> None:
    report = ldjcheck.check(OfAVideo())
    assert report.status == "pass", str(report)
    assert "frames as its frames" in report.result.inferred["size"]


class WithItsPrior(nn.Module):
    """A scale for each channel of images that have one, and the density of what it gives."""

    def __init__(self, shape: tuple[int, int, int] = (1, 28, 28)) -> None:
        super().__init__()
        channels, height, width = shape
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.ndim = channels * height * width
        self.normaliser = 0.5

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.log_scale.sum() * x.shape[2] * x.shape[3]
        return x * self.log_scale.exp(), ldj.expand(len(x))

    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        constant = self.normaliser * self.ndim * math.log(2 * math.pi)
        return 0.5 * z.square().flatten(1).sum(1) + constant - ldj


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["auto", "model"])
def test_a_prior_counts_with_the_sizes_of_its_flow(kind: str) -> None:
    report = ldjcheck.check(WithItsPrior(), kind=kind)
    assert report.status == "pass", report
    assert report.checks[0].shape == (1, 4, 6)


@pytest.mark.slow
def test_a_prior_that_is_wrong_is_so_at_small_sizes_too() -> None:
    layer = WithItsPrior()
    layer.normaliser = 1.0
    assert ldjcheck.check(layer, kind="model").status == "fail"
