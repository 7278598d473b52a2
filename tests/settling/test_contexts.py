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


class Upsampled(nn.Module):
    """Scales and shifts an image by what a net makes of one half as large."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 6, 3, padding=1)

    def forward(self, x: Tensor, small: Tensor) -> Pair:
        large = nn.functional.interpolate(small, scale_factor=2.0)
        s, t = self.net(large).chunk(2, 1)
        return x * s.tanh().exp() + t, s.tanh().flatten(1).sum(1)


class OfWhatIsSeen(nn.Module):
    """Scales and shifts a vector by what an encoder makes of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten()
        )
        self.net = nn.Linear(4 * 8 * 8, 6)

    def forward(self, x: Tensor, image: Tensor) -> Pair:
        s, t = self.net(self.see(image)).chunk(2, 1)
        return x * s.tanh().exp() + t, s.tanh().sum(1)


@pytest.mark.parametrize(
    ("layer", "name", "shape", "of_context"),
    [
        (Upsampled(), "small", (3, 4, 6), (3, 2, 3)),
        (OfWhatIsSeen(), "image", (3,), (1, 16, 16)),
    ],
)
def test_an_image_beside_another_or_beside_a_vector_is_found(
    layer: nn.Module, name: str, shape: tuple[int, ...], of_context: tuple[int, ...]
) -> None:
    report = ldjcheck.check(layer)
    assert report.status == "pass", report
    assert report.checks[0].shape == shape
    assert report.result.inferred[name].startswith(f"{of_context}: a Conv2d takes")


class OfNodes(nn.Module):
    """Scales half of each node's features by what its neighbours are, along an adjacency."""

    def __init__(self, counted: float = 1.0) -> None:
        super().__init__()
        self.net, self.counted = nn.Linear(2, 2), counted

    def forward(self, x: Tensor, adj: Tensor) -> Pair:
        a, b = x.chunk(2, dim=-1)
        s = torch.tanh(adj @ self.net(a))
        return torch.cat([a, b * s.exp()], dim=-1), self.counted * s.sum((1, 2))


@pytest.mark.slow
def test_what_joins_the_rows_of_an_event_is_found() -> None:
    report = ldjcheck.check(OfNodes())
    assert report.status == "pass", report
    nodes = report.checks[0].shape[0]
    assert report.result.inferred["adj"].startswith(f"({nodes}, {nodes})")
    assert ldjcheck.check(OfNodes(counted=2.0)).findings[0].code == "LDJ114"


class OfPaddedNodes(nn.Module):
    """x: (B, N, F), adj: (B, N, N), mask: (B, N); t (B, 1) is how long it flows."""

    def __init__(self, counted: float = 1.0) -> None:
        super().__init__()
        self.net, self.counted = nn.Linear(2, 2), counted

    def forward(self, x: Tensor, adj: Tensor, t: Tensor, mask: Tensor) -> Pair:
        a, b = x.chunk(2, dim=-1)
        s = torch.tanh(adj @ self.net(a)) * t[:, None] * mask[..., None]
        return torch.cat([a, b * s.exp()], dim=-1), self.counted * s.sum((1, 2))


@pytest.mark.slow
def test_several_contexts_are_of_the_sizes_that_words_give_them() -> None:
    report = ldjcheck.check(OfPaddedNodes())
    assert report.status == "pass", report
    nodes = report.checks[0].shape[0]
    told = report.result.inferred
    assert told["adj"].startswith(f"({nodes}, {nodes}): as it is written in words")
    assert (told["mask"][:4], told["t"][:4]) == (f"({nodes},)", "(1,)")
    assert ldjcheck.check(OfPaddedNodes(counted=2.0)).findings[0].code == "LDJ114"


class HandsThemOn(nn.Module):
    """Says nothing of what it hands on to its layers, which do."""

    def __init__(self, counted: float = 1.0) -> None:
        super().__init__()
        self.step = OfPaddedNodes(counted)

    def forward(self, x: Tensor, adj: Tensor, t: Tensor, mask: Tensor) -> Pair:
        y, ldj = self.step(x, adj, t, mask)
        return y.flip(-1), ldj


@pytest.mark.slow
def test_contexts_that_are_handed_on_are_described_by_who_takes_them() -> None:
    report = ldjcheck.check(HandsThemOn())
    assert report.status == "pass", report
    assert "as it is written in words" in report.result.inferred["adj"]
    assert ldjcheck.check(HandsThemOn(counted=2.0)).findings[0].code == "LDJ114"


class Sharpened(nn.Module):
    """Scales hidden channels `h` by what a net makes of an image `u` of half the size."""

    def __init__(self, places: str) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 5, 3, padding=1)
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(5, 5))[0] * 1.5)
        self.places = places

    def forward(self, h: Tensor, u: Tensor) -> Pair:
        scale = torch.sigmoid(
            nn.functional.interpolate(self.net(u), scale_factor=2) + 2
        )
        counted = {"h": h, "u": u}[self.places]
        ldj = torch.linalg.slogdet(self.weight)[1] * counted[0, 0].numel()
        y = torch.einsum("ij,bjhw->bihw", self.weight, h * scale)
        return y, ldj + scale.log().sum((1, 2, 3))


@pytest.mark.slow
@pytest.mark.parametrize(("places", "status"), [("h", "pass"), ("u", "fail")])
def test_what_stands_first_may_be_the_input_whatever_is_called_like_one(
    places: str, status: str
) -> None:
    report = ldjcheck.check(Sharpened(places))
    assert report.status == status, report
    assert report.result.inferred["u"].startswith("(3, "), report


class Mixing(nn.Module):
    """Mixes rows by what features of theirs say; each column is mixed alike."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.net = nn.Linear(4, 6)
        self.n_coords, self.more = 3, 1 + 0.5 * more

    def forward(self, pos: Tensor, feats: Tensor) -> Pair:
        q = self.net(feats)
        mix = torch.eye(pos.shape[1]) + 0.5 * torch.softmax(q @ q.mT, -1)
        return mix @ pos, self.more * self.n_coords * torch.linalg.slogdet(mix)[1]


class Described(Mixing):
    """pos: (B, N, 3), feats: (B, N, 4); the features are not transformed."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Mixing, Described])
def test_features_of_each_row_are_as_many_as_a_net_takes_and_no_count_of_x(
    kind: type[Mixing],
) -> None:
    assert [ldjcheck.check(kind(more)).status for more in (0, 1)] == ["pass", "fail"]
