"""A mask leaves out the end of a sequence: the ldj counts what it keeps, and nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class Frames(nn.Module):
    """Scales the features of each frame, `(batch, time, features)`; padding stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def count(self, mask: Tensor) -> Tensor:
        return mask.sum(1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Pair:
        if mask is None:
            mask = torch.ones_like(x[..., 0])
        y = x * torch.exp(self.log_s * mask.unsqueeze(-1))
        return y, self.count(mask) * self.log_s.sum()


class FramesAllCounted(Frames):
    def count(self, mask: Tensor) -> Tensor:
        return torch.full_like(mask[:, 0], mask.shape[1])


class FramesToBeGiven(Frames):
    """The mask `(batch, time)` cannot be left out."""

    def forward(self, x: Tensor, mask: Tensor) -> Pair:  # type: ignore[override]
        return super().forward(x, mask)


class FramesToBeGivenAllCounted(FramesToBeGiven):
    def count(self, mask: Tensor) -> Tensor:
        return torch.full_like(mask[:, 0], mask.shape[1])


class FramesMapped(Frames):
    """All frames are mapped, and those are counted that the loss looks at."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Pair:
        if mask is None:
            mask = torch.ones_like(x[..., 0])
        return x * self.log_s.exp(), self.count(mask) * self.log_s.sum()


class ChannelsFirst(nn.Module):
    """The same of `(batch, channels, time)`, where padding becomes zero."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([[0.3], [-0.2], [0.5]]))

    def count(self, mask: Tensor) -> Tensor:
        return mask.sum(-1)

    def forward(self, x: Tensor, frame_mask: Tensor | None = None) -> Pair:
        if frame_mask is None:
            frame_mask = torch.ones_like(x[:, 0])
        y = x * self.log_s.exp() * frame_mask[:, None]
        return y, self.count(frame_mask) * self.log_s.sum()


class ChannelsFirstAllCounted(ChannelsFirst):
    def count(self, mask: Tensor) -> Tensor:
        return torch.ones_like(mask).sum(-1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    "layer", [Frames, FramesToBeGiven, FramesMapped, ChannelsFirst]
)
def test_frames_that_are_kept_are_counted(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", str(report)
    assert not [f for f in report.findings if f.severity == "error"]


@pytest.mark.parametrize(
    "layer", [FramesAllCounted, FramesToBeGivenAllCounted, ChannelsFirstAllCounted]
)
def test_frames_that_are_left_out_are_not(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "fail", str(report)
    assert report.findings[0].code == "LDJ113"


def test_padding_that_stays_is_told_from_padding_that_becomes_zero() -> None:
    stays = ldjcheck.check(FramesAllCounted()).findings[0].evidence
    goes = ldjcheck.check(ChannelsFirstAllCounted()).findings[0].evidence
    assert stays[-1].endswith("stays as it is")
    assert goes[-1].endswith("becomes zero")


class Shared(ChannelsFirst):
    """What is kept is divided by the mask itself: nothing by nothing where it leaves out."""

    def forward(self, x: Tensor, frame_mask: Tensor) -> Pair:  # type: ignore[override]
        y = x * (self.log_s * frame_mask[:, None]).exp()
        mask = frame_mask[:, None]
        return y, (self.log_s * mask / mask.sum(1, keepdim=True)).sum((1, 2))


class Averaged(ChannelsFirst):
    """The mean over the kept frames, which is mended by more than another axis."""

    def forward(self, x: Tensor, frame_mask: Tensor) -> Pair:  # type: ignore[override]
        y = x * (self.log_s * frame_mask[:, None]).exp()
        mask = frame_mask[:, None]
        return y, (self.log_s * mask / mask.sum((1, 2), keepdim=True)).sum((1, 2))


def test_what_is_no_number_where_the_mask_leaves_out_does_not_pass() -> None:
    report = ldjcheck.check(Shared(), shape=(3, 5))
    assert report.status == "fail", str(report)
    (finding,) = (f for f in report.findings if f.severity == "error")
    assert finding.code == "LDJ213"


def test_no_edit_is_verified_that_loses_the_numbers_of_padded_samples() -> None:
    (finding,) = ldjcheck.check(Averaged(), shape=(3, 5)).findings
    after = [e.after for e in finding.fix.edits] if finding.fix else []
    assert "mask.sum(1, keepdim=True)" not in "".join(after)


class FramesDensity(nn.Module):
    """A density of frames with its base written out; padding becomes zero."""

    def __init__(self, counted: str = "neither") -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))
        self.counted = counted

    def log_prob(self, x: Tensor, mask: Tensor) -> Tensor:
        m = mask.unsqueeze(-1)
        every = torch.ones_like(m)
        z = x * self.log_s.exp() * m
        of_base, of_map = (every if self.counted == w else m for w in ("base", "map"))
        log_p = (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)) * of_base
        return log_p.sum((1, 2)) + (self.log_s * of_map).sum((1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_density_counts_what_is_kept_in_its_base_and_in_its_ldj(seed: int) -> None:
    assert ldjcheck.check(FramesDensity(), seed=seed).status == "pass"
    for counted, whose in (("base", "density of z"), ("map", "log-determinant")):
        report = ldjcheck.check(FramesDensity(counted), seed=seed)
        (finding,) = report.findings
        told = f"The {whose} also counts what the mask leaves out."
        assert (finding.code, finding.message) == ("LDJ113", told)
