"""A further tensor that a layer needs is found, and nothing else is fed to it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import transforms as tt

import ldjcheck
from ldjcheck.conventions import recognise_conventions

Pair = tuple[Tensor, Tensor]


class OfImages(nn.Module):
    """Shifts and scales one channel by the other and by two channels of context."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Pair:
        assert context is not None, "a context is needed"
        a, b = x.chunk(2, dim=1)
        s, t = self.net(torch.cat([a, context], dim=1)).chunk(2, dim=1)
        return torch.cat([a, b * s.exp() + t], dim=1), s.flatten(1).sum(1)


class Gate(nn.Module):
    """Scales each entry by a gate of its own."""

    def forward(self, x: Tensor, gate: Tensor | None = None) -> Pair:
        assert gate is not None, "a gate is needed"
        assert gate.shape == x.shape
        return x * torch.sigmoid(gate), nn.functional.logsigmoid(gate).sum(1)


class Lazy(nn.Module):
    """Is built without its context, and is nothing without it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 4)

    def forward(self, c: Tensor | None = None) -> tt.Transform:
        scale = None if c is None else self.net(c).exp()
        return tt.AffineTransform(0.0, scale)


@pytest.mark.parametrize(
    ("layer", "name", "shape"),
    [(Gate(), "gate", None), (Lazy(), "c", (3,))],
)
def test_a_context_that_is_needed_is_found(
    layer: Any, name: str, shape: tuple[int, ...] | None
) -> None:
    report = ldjcheck.check(layer)
    assert report.status == "pass", report
    held = report.checks[0].shape if shape is None else shape
    assert str(held) in report.result.inferred[name]


def test_channels_of_images_and_of_their_context_are_found_together() -> None:
    report = ldjcheck.check(OfImages())
    assert report.status == "pass", report
    channels, *size = report.checks[0].shape
    first = (channels + 1) // 2  # of the image, beside the context
    assert str((3 - first, *size)) in report.result.inferred["context"]


def test_the_input_is_no_context_though_it_has_a_default() -> None:
    class Defaults(nn.Module):
        def forward(self, x: Tensor | None = None, c: Tensor | None = None) -> Pair:
            raise AssertionError

    assert {calls.extra_names for calls in recognise_conventions(Defaults())} == {
        ("c",)
    }
