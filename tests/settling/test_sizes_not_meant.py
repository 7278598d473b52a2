"""A layer is judged at sizes that it is made for, and not at all that it happens to run at."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ldjcheck


class Halves(nn.Module):
    """Two coordinates, of which the first says how the second is scaled; or vice versa."""

    def __init__(self, flip: bool = False) -> None:
        super().__init__()
        self.flip = flip
        self.net = nn.Linear(1, 1)

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        return (b, a) if self.flip else (a, b)

    def total(self, s: Tensor) -> Tensor:
        return s.sum(1)

    def forward(self, x: Tensor) -> Any:
        a, b = self.halves(x)
        s = torch.tanh(self.net(a))
        parts = (b * s.exp(), a) if self.flip else (a, b * s.exp())
        return torch.cat(parts, 1), self.total(s)


class Slices(Halves):
    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, :1], x[:, 1:]


class Doubled(Halves):
    def total(self, s: Tensor) -> Tensor:
        return 2 * s.sum(1)


class Planes(Halves):
    """The same of images with two channels."""

    def __init__(self, flip: bool = False) -> None:
        super().__init__(flip)
        self.net = nn.Conv2d(1, 1, 3, padding=1)  # type: ignore[assignment]

    def total(self, s: Tensor) -> Tensor:
        return s.flatten(1).sum(1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("shape", [None, (2,)], ids=["found", "given"])
@pytest.mark.parametrize("layer", [Halves(), Halves(flip=True), Slices()])
def test_halves_of_one_entry_are_not_spread_over_two(layer: Any, shape: Any) -> None:
    report = ldjcheck.check(layer, shape=shape)
    assert report.status == "pass", report
    assert "(2,)" in report.result.inferred["shape"]


@pytest.mark.parametrize("flip", [False, True])
def test_neither_are_halves_of_one_channel(flip: bool) -> None:
    report = ldjcheck.check(Planes(flip))
    assert report.status == "pass", report


@pytest.mark.slow
@pytest.mark.parametrize("flip", [False, True])
def test_a_mistake_is_found_there_all_the_same(flip: bool) -> None:
    report = ldjcheck.check(Doubled(flip))
    assert report.findings[0].code == "LDJ114", report


class MixesPixels(nn.Module):
    """A 1x1 convolution, written for any number of axes behind the channels."""

    def __init__(self, counts: bool) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.linalg.qr(torch.randn(3, 3))[0])
        self.counts = counts

    def forward(self, z: Tensor, ldj: Tensor) -> Any:
        pixels = z.view(z.size(0), z.size(1), -1)
        count = pixels.size(2) if self.counts else 1
        z = torch.matmul(self.W, pixels).view(z.size())
        return z, ldj + torch.slogdet(self.W)[1] * count


@pytest.mark.slow
def test_what_looks_for_pixels_is_given_some() -> None:
    right = ldjcheck.check(MixesPixels(counts=True))
    assert right.status == "pass", right
    wrong = ldjcheck.check(MixesPixels(counts=False))
    assert wrong.findings[0].code == "LDJ102", wrong
    assert wrong.result.inferred["shape"].startswith("(3, 4, 6): it takes (3,) too")


class Wide(nn.Module):
    """Scales more dims than a first guess has."""

    def __init__(self, sign: int = 1) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(600))
        self.sign = sign

    def forward(self, x: Tensor) -> Any:
        ldj = self.sign * self.log_scale.sum()
        return x * self.log_scale.exp(), ldj.expand(len(x))


def test_a_large_layer_is_not_tried_on_one_number_alone() -> None:
    report = ldjcheck.check(Wide())
    assert report.status == "pass", report
    assert report.checks[0].dims == 600


class OfScalars(nn.Module):
    """Takes one number a sample, `(batch,)`, and no axis besides."""

    def forward(self, x: Tensor) -> Any:
        (batch,) = x.shape
        return 3 * x, torch.full((batch,), math.log(3.0), dtype=x.dtype)


def test_a_flow_on_single_numbers_needs_no_shape() -> None:
    report = ldjcheck.check(OfScalars())
    assert report.status == "pass", report
    assert report.result.inferred["shape"].startswith("()")


class WarpsScalars(nn.Module):
    """Takes one number a sample too; the derivative of its bend is off by its size."""

    def __init__(self, size: float = 1.0) -> None:
        super().__init__()
        self.amp, self.size = nn.Parameter(torch.tensor(0.5)), size

    def forward(self, x: Tensor) -> Any:
        assert x.dim() == 1
        bend = torch.tanh(self.amp)
        slope = 1 + self.size * bend * torch.cos(x)
        return x + bend * torch.sin(x), slope.log()


@pytest.mark.slow
def test_a_mistake_of_a_flow_on_single_numbers_is_found() -> None:
    assert ldjcheck.check(WarpsScalars()).status == "pass"
    report = ldjcheck.check(WarpsScalars(size=0.5))
    assert report.status == "fail", report
    assert report.findings[0].code == "LDJ120"


class ClampedLogit(nn.Module):
    """Keeps its inputs off 0 and 1, so that it is finite everywhere."""

    def forward(self, x: Tensor) -> Any:
        x = x.clamp(1e-5, 1 - 1e-5)
        y = torch.logit(x)
        return y, (F.softplus(y) + F.softplus(-y)).sum(1)

    def inverse(self, y: Tensor) -> Any:
        return torch.sigmoid(y), -(F.softplus(y) + F.softplus(-y)).sum(1)


class Rectifies(nn.Module):
    """Loses all inputs below 0."""

    def forward(self, x: Tensor) -> Any:
        return 2 * torch.relu(x), torch.full((len(x),), x.shape[1] * math.log(2.0))

    def inverse(self, y: Tensor) -> Any:
        return y / 2, torch.full((len(y),), -y.shape[1] * math.log(2.0))


def test_a_clamp_before_a_logarithm_says_where_inputs_live() -> None:
    report = ldjcheck.check(ClampedLogit())
    assert report.status == "pass", report
    assert report.result.inferred["domain"].startswith("unit: the way back leads")


def test_a_map_that_loses_its_inputs_has_no_domain_of_its_own() -> None:
    assert ldjcheck.check(Rectifies()).status != "pass"


class ManyNumbers(nn.Module):
    """Wants two numbers of a context for each dim: `(batch, dims, 2)`."""

    def forward(self, z: Tensor, coef: Tensor) -> Any:
        shift, log_scale = coef[..., 0], coef[..., 1]
        return shift + torch.exp(log_scale) * z, log_scale.sum(-1)


def test_a_context_that_is_not_each_samples_own_is_none() -> None:
    """As a class label, the first sample's would do for all, and be counted once."""
    report = ldjcheck.check(ManyNumbers())
    assert report.status == "error", report
    assert "kwarg={'coef': True}" in str(report)
    given = ldjcheck.check(ManyNumbers(), shape=(4,), context={"coef": (4, 2)})
    assert given.status == "pass", given


class StopsEarly(nn.Module):
    """Undoes its map by a fixed-point iteration of `steps` steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor) -> Any:
        return x + 0.8 * torch.sin(x), torch.log1p(0.8 * torch.cos(x)).sum(1)

    def inverse(self, y: Tensor) -> Any:
        x = y
        for _ in range(self.steps):
            x = y - 0.8 * torch.sin(x)
        return x, -torch.log1p(0.8 * torch.cos(x)).sum(1)


@pytest.mark.slow
def test_a_solver_that_stops_early_does_not_undo_the_map() -> None:
    assert "LDJ301" in [f.code for f in ldjcheck.check(StopsEarly(10)).findings]
    assert ldjcheck.check(StopsEarly(200)).status == "pass"


class UnpacksItsInput(nn.Module):
    """Wants three things in one argument, and is given a batch of three samples.

    What the third is for, nothing says: a context would come back.
    """

    def forward(self, inputs: Any) -> Any:
        x, ldj, _ = inputs
        return x.flip(-1), ldj


class Folds(nn.Module):
    """Says that it is no bijection: its ldj is a contribution to the likelihood."""

    bijective = False

    def forward(self, x: Tensor) -> Any:
        return x.abs(), torch.full((len(x),), -math.log(2.0) * x.shape[1])

    def inverse(self, z: Tensor) -> Any:
        return z * torch.sign(torch.rand_like(z) - 0.5)


@pytest.mark.slow
def test_a_batch_that_is_taken_apart_is_no_verdict() -> None:
    report = ldjcheck.check(UnpacksItsInput())
    assert report.findings[0].code == "LDJ006", report
    assert "takes its input apart" in str(report)


@pytest.mark.slow
def test_a_layer_that_says_it_is_no_bijection_is_not_judged_as_one() -> None:
    report = ldjcheck.check(Folds())
    assert report.findings[0].code == "LDJ004", report


class OnePixel(nn.Module):
    """Holds vectors as images of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Any:
        assert x.dim() == 4
        a, b = x.flatten(1).chunk(2, 1)
        s = self.net(a)
        return torch.cat([a, b * s.exp()], 1)[:, :, None, None], s.sum(1)


def test_a_vector_may_be_an_image_of_one_pixel() -> None:
    report = ldjcheck.check(OnePixel())
    assert report.status == "pass", report
    assert report.result.inferred["shape"].startswith("(4, 1, 1)")


class Standard:
    """A prior over what is dropped: its shape is not the layer's."""

    shape = (3,)

    def log_prob(self, x: Tensor) -> Tensor:
        return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


class Kept(nn.Module):
    """Keeps the first two entries; `dim` says on which axis, and no size."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.prior, self.keep, self.dim, self.sign = Standard(), 2, 1, sign

    def forward(self, x: Tensor) -> Any:
        z, rest = x.split((self.keep, x.shape[self.dim] - self.keep), self.dim)
        return z, self.sign * self.prior.log_prob(rest)


class RunningSum(nn.Module):
    """Adds all entries before to each: whatever the shape, its ldj is 0."""

    def __init__(self, ldj: float = 0.0) -> None:
        super().__init__()
        self.axis, self.ldj = 1, ldj

    def forward(self, x: Tensor) -> Any:
        return x.cumsum(self.axis), torch.full((len(x),), self.ldj)

    def inverse(self, y: Tensor) -> Any:
        first = torch.zeros_like(y.narrow(self.axis, 0, 1))
        return torch.diff(y, dim=self.axis, prepend=first), torch.zeros(len(y))


@pytest.mark.slow
def test_an_event_of_which_nothing_is_dropped_is_no_split_layers() -> None:
    right, wrong = ldjcheck.check(Kept()), ldjcheck.check(Kept(-1.0))
    assert right.status == "pass", right
    assert not right.result.inferred["shape"].startswith("(2,)"), "all of it is kept"
    (finding,) = wrong.findings
    assert finding.code == "LDJ104", wrong
    assert "self.sign * self.prior.log_prob(rest)" in str(finding.fix), wrong


@pytest.mark.slow
def test_adding_entries_to_entries_leaves_nothing_to_take_the_logarithm_of() -> None:
    assert ldjcheck.check(RunningSum()).status == "pass"
    assert ldjcheck.check(RunningSum(0.5)).findings[0].code == "LDJ111"


class Unsummed(nn.Module):
    """Its ldj has an entry for each dim, which is right for single numbers alone."""

    def forward(self, x: Tensor) -> Any:
        return x.exp(), x


def unsummed(x: Tensor) -> Any:
    """Return the same, as a function."""
    return x.exp(), 1 * x


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Unsummed(), unsummed])
def test_an_ldj_that_is_not_summed_is_no_layer_of_single_numbers(layer: Any) -> None:
    report = ldjcheck.check(layer)
    assert [f.code for f in report.findings] == ["LDJ202"]
    assert report.status == "fail"


class FedAll(nn.Module):
    """A coupling whose net is given x, where it was made for a half of it."""

    def __init__(self, dims: int = 6) -> None:
        super().__init__()
        self.net = nn.Linear(dims // 2, dims)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.net(x).chunk(2, 1)
        return torch.cat([a, b * s.exp() + t], 1), s.sum(1)


def test_a_size_at_which_a_part_is_spread_and_dims_are_added_is_no_size() -> None:
    """With 3 dims the net runs, and what it makes of them meets the 1 dim of a half."""
    (found,) = ldjcheck.check(FedAll()).findings
    assert found.code == "LDJ006"
    text = "\n".join(found.evidence)
    assert "(3,): runs, since one part is spread over another in line" in text
    assert "mat1 and mat2 shapes cannot be multiplied (3x6 and 3x6), in line" in text


class OneByOne(nn.Module):
    """The first of its prefixes has no entries, at any size; on one entry it is spread."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("std", torch.rand(3) + 0.5)
        self.nets = nn.ModuleList(nn.Linear(4 + i, 2) for i in range(3))
        self.register_buffer("observed", torch.randn(1, 4))
        self.sign = sign

    def forward(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        seen, t = self.observed.expand(len(theta), -1), theta / self.std
        parts, ldj = [], -self.sign * self.std.log().sum()
        for i, net in enumerate(self.nets):
            shift, log_scale = net(torch.cat([seen, t[:, :i]], 1)).unbind(1)
            parts.append(t[:, i] * log_scale.exp() + shift)
            ldj = ldj + log_scale
        return torch.stack(parts, 1), ldj


class OfFewTargets(nn.Module):
    """A shift of two numbers for each of five targets, of which it holds the places."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.net, self.sign = nn.Linear(1, 4), sign
        self.register_buffer("places", torch.linspace(-1, 1, 5)[None, :, None])

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.net(self.places.expand(len(y), -1, -1)).chunk(2, -1)
        return (y - shift) * log_scale.exp(), self.sign * log_scale.sum((1, 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "shape"), [(OneByOne, "(3,)"), (OfFewTargets, "(5, 2)")]
)
def test_one_entry_that_is_spread_is_not_taken_for_the_size(
    kind: type[nn.Module], shape: str
) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(kind())
    assert report.status == "pass", report
    assert report.result.inferred["shape"].startswith(shape)
    assert ldjcheck.check(kind(sign=-1.0)).status == "fail"
