"""Videos are events of four axes: channels, frames, height and width."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Scaled(nn.Module):
    """A scale for each channel, which counts once for each pixel of each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.7, 1.5, 2.0]))

    def places(self, x: Tensor) -> int:
        return math.prod(x.shape[2:])

    def forward(self, x: Tensor) -> Pair:
        assert x.dim() == 5
        y = x * self.scale.abs()[:, None, None, None]
        return y, (self.places(x) * self.scale.abs().log().sum()).expand(len(x))


class OncePerFrame(Scaled):
    def places(self, x: Tensor) -> int:
        return x.shape[2]


class Once(Scaled):
    def places(self, x: Tensor) -> int:
        return 1


class Mixing(nn.Module):
    """A 1x1x1 convolution of the channels."""

    def __init__(self, *, forgets_frames: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv3d(3, 3, 1, bias=False)
        self.forgets_frames = forgets_frames

    def forward(self, x: Tensor) -> Pair:
        b, _, t, h, w = x.shape
        frames = 1 if self.forgets_frames else t
        log_det = torch.linalg.slogdet(self.conv.weight.squeeze())[1]
        return self.conv(x), (frames * h * w * log_det).expand(b)


def test_a_right_layer_of_videos_passes_at_a_size_that_is_found() -> None:
    for layer in (Scaled(), Mixing()):
        report = ldjcheck.check(layer)
        assert (report.status, report.findings) == ("pass", ())
        assert len(report.checks[0].shape or ()) == 4


@pytest.mark.slow
def test_a_term_that_counts_once_misses_every_pixel_of_every_frame() -> None:
    (finding,) = ldjcheck.check(Once()).findings
    assert finding.code == "LDJ102"
    assert finding.message.endswith("once, not once per pixel of each frame.")


@pytest.mark.slow
def test_a_count_without_frames_or_without_pixels_is_another_count() -> None:
    assert [f.code for f in ldjcheck.check(OncePerFrame()).findings] == ["LDJ103"]
    (finding,) = ldjcheck.check(Mixing(forgets_frames=True)).findings
    assert finding.code == "LDJ103"
    assert "it needs T times as much" in finding.message
