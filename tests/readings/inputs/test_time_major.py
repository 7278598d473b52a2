"""The batch may be the second axis: `(time, batch, channels)`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Coupling(nn.Module):
    """Couples channels at each step, and sums over steps and channels."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        kept, other = x.chunk(2, -1)
        shift, log_scale = self.net(kept).chunk(2, -1)
        return kept, other, shift, log_scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, other, shift, log_scale = self.halves(x)
        y = torch.cat([kept, other * log_scale.exp() + shift], -1)
        return y, log_scale.sum((0, 2))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        kept, other, shift, log_scale = self.halves(y)
        x = torch.cat([kept, (other - shift) * (-log_scale).exp()], -1)
        return x, -log_scale.sum((0, 2))


class Scale(nn.Module):
    """Scales each channel: at vectors it runs as well, and counts samples as steps."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.log_scale.sum() * x.shape[0]
        return x * self.log_scale.exp(), ldj.expand(x.shape[1])


class Averaged(Coupling):
    """Averages over the steps."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, _ = super().forward(x)
        return y, self.halves(x)[3].mean(0).sum(1)


class SummedOverTheBatch(Coupling):
    """Sums over what is no step, but the batch."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, _ = super().forward(x)
        return y, self.halves(x)[3].sum(0)


class ScaleAndGain(Scale):
    """Its gain scales each channel, and its log counts once."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x)
        gain = self.log_scale[0]
        return y * gain.exp(), ldj + x.shape[0] * gain


@pytest.mark.parametrize("layer", [Coupling, Scale])
def test_right_ones_pass(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert "second axis" in report.result.inferred["shape"]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [Averaged, SummedOverTheBatch])
def test_wrong_ones_fail(layer: type[nn.Module]) -> None:
    assert ldjcheck.check(layer()).status == "fail"


def test_a_wrong_one_has_the_batch_second_too_where_it_has_a_number_for_each() -> None:
    report = ldjcheck.check(ScaleAndGain())
    assert report.status == "fail"
    assert "second axis" in report.result.inferred["shape"]
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ103"]


class SumOfSums(nn.Module):
    """Sums over the last axis, then over the first: steps, or samples."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.times = times
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.sinh(x * self.log_scale.exp())
        each = self.log_scale + 0.5 * torch.log1p(y**2)
        return y, self.times * each.sum(-1).sum(0)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(3))
def test_one_that_adds_up_either_axis_is_told_both_ways(seed: int) -> None:
    report = ldjcheck.check(SumOfSums(), seed=seed)
    assert report.status == "unproven", report
    assert [f.code for f in report.findings] == ["LDJ405"]
    assert report.findings[0].evidence == (
        "fail as one number of all samples, with the batch first:",
        "  shape=3",
        "pass as one of each sample, with the batch second, (time, batch, channels):",
        "  adapter=, which exchanges the first two axes",
    )


def test_one_that_adds_up_its_samples_fails_at_the_shape_that_is_typed() -> None:
    report = ldjcheck.check(SumOfSums(), shape=3)
    assert report.findings[0].code == "LDJ106", report


@pytest.mark.slow
def test_one_that_is_wrong_either_way_fails() -> None:
    assert ldjcheck.check(SumOfSums(0.5)).status == "fail"


class Padded(nn.Module):
    """Scales the steps that are within a sequence, and leaves what pads it."""

    def __init__(self, *, masked: bool = True) -> None:
        super().__init__()
        self.masked = masked
        self.conv = nn.Conv1d(2, 2, 3, padding=1)
        self.log_scale = nn.Parameter(0.3 * torch.randn(4))

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        steps = torch.arange(len(x), device=x.device)
        mask = (steps[:, None] < lengths[None, :]).unsqueeze(-1).to(x.dtype)
        x = x * (self.log_scale * mask).exp()
        kept, other = x[..., :2], x[..., 2:]
        s = torch.tanh(self.conv((kept * mask).permute(1, 2, 0))).permute(2, 0, 1)
        within = s * mask if self.masked else s
        ldj = self.log_scale.sum() * mask.sum((0, 2)) + within.sum((0, 2))
        return torch.cat([kept, other * (s * mask).exp()], -1), ldj


@pytest.mark.parametrize("seed", [0, 4])
def test_a_sequence_has_a_length_for_each_entry_of_the_second_axis(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(Padded(), seed=seed)
    assert report.status == "pass", report
    assert report.result.inferred["shape"].endswith("(time, batch, channels)")
    wrong = ldjcheck.check(Padded(masked=False), seed=seed)
    assert wrong.status == "fail"
    assert "LDJ207" not in [f.code for f in wrong.findings], wrong


class OverTime(Coupling):
    """Scales each step by what the one before it was, and averages."""

    def __init__(self) -> None:
        super().__init__()
        self.of_past = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        past = torch.cat([torch.zeros_like(x[:1]), x[:-1]], 0)
        s = torch.tanh(self.of_past(past))
        return x * s.exp(), s.mean((0, 2))

    inverse = None  # type: ignore[assignment]


class OverSamples(nn.Module):
    """Shifts each sample by its share of all of them."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        share = torch.softmax(x, 0)
        return x + share, (1 + share * (1 - share)).log().sum(1)


@pytest.mark.slow
def test_steps_that_meet_are_no_samples() -> None:
    """With the batch second no sample meets another: it is that, whether right or not."""
    report = ldjcheck.check(OverTime())
    assert [f.code for f in report.findings] == ["LDJ105"], report
    report = ldjcheck.check(OverSamples())
    assert [f.code for f in report.findings] == ["LDJ207"], report


class OfFrames(nn.Module):
    """Scales each step by the one before, with a number for each frame, and a density."""

    def __init__(self, *, is_whole: bool = True) -> None:
        super().__init__()
        self.of_past = nn.Linear(4, 4)
        self.gain = nn.Parameter(0.3 * torch.randn(()))
        self.is_whole = is_whole

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        _, batch, dims = x.shape
        past = torch.cat([x.new_zeros(1, batch, dims), x[:-1]], 0)
        s = torch.tanh(self.of_past(past))
        gain = self.gain * dims if self.is_whole else self.gain
        return x * (s + self.gain).exp(), s.sum(-1) + gain

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum((0, 2)) + ldj.sum(0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_of_a_number_for_each_frame_the_density_says_which_axis_is_the_batch(
    seed: int,
) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(OfFrames(), seed=seed)
    assert report.status == "pass", report
    assert "second axis" in report.result.inferred["shape"]
    wrong = ldjcheck.check(OfFrames(is_whole=False), seed=seed)
    assert [f.code for f in wrong.findings if f.severity == "error"] == ["LDJ103"]
