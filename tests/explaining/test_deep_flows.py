"""Flows that squeeze twice and couple often: few sizes fit them, and they saturate soon."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Squeeze(nn.Module):
    """Trades height and width for channels."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        move = nn.functional.pixel_shuffle if reverse else nn.functional.pixel_unshuffle
        return move(z, 2), ldj


class PerChannel(nn.Module):
    """Scales each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def pixels(self, z: Tensor) -> int:
        return z.shape[2] * z.shape[3]

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        each = self.log_scale.sum() * self.pixels(z)
        if reverse:
            return z * torch.exp(-self.log_scale), ldj - each
        return z * self.log_scale.exp(), ldj + each


class OncePerRow(PerChannel):
    def pixels(self, z: Tensor) -> int:
        return z.shape[2]


class Couple(nn.Module):
    """Scales half of the channels by what a network makes of the others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.net = nn.Sequential(
            nn.Conv2d(half, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 2 * half, 3, padding=1),
        )

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        a, b = z.chunk(2, dim=1)
        log_scale, shift = self.net(a).chunk(2, dim=1)
        each = log_scale.flatten(1).sum(1)
        if reverse:
            return torch.cat([a, (b - shift) * torch.exp(-log_scale)], 1), ldj - each
        return torch.cat([a, b * log_scale.exp() + shift], 1), ldj + each


class Deep(nn.Module):
    """Two scales of two steps; `wrong` scales the channels of the smaller one."""

    def __init__(self, wrong: type[PerChannel] = PerChannel) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for channels in (4, 16):
            self.layers.append(Squeeze())
            for _ in range(2):
                self.layers += [PerChannel(channels), Couple(channels)]
        self.layers[6] = wrong(16)

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        for layer in reversed(self.layers) if reverse else self.layers:
            z, ldj = layer(z, ldj, reverse)
        return z, ldj


def checked(flow: nn.Module) -> dict[str, Any]:
    result: dict[str, Any] = ldjcheck.check(flow).to_dict()["results"][0]
    return result


@pytest.mark.slow
def test_a_right_deep_flow_passes() -> None:
    torch.manual_seed(0)
    assert checked(Deep())["status"] == "pass"


@pytest.mark.slow
def test_a_wrong_count_in_a_deep_flow_is_told_apart_from_others() -> None:
    torch.manual_seed(0)
    failing = checked(Deep(OncePerRow))
    samples = failing["checks"][0]["samples"]
    assert max(sample["allowed"] for sample in samples) < 1e-4

    wrong = {line["sublayer"] for line in failing["sublayers"] if line["is_wrong"]}
    assert wrong == {"layers[6]"}

    finding = failing["findings"][0]
    assert finding["code"] == "LDJ103", finding
    assert "it needs W times as much" in finding["message"]
    assert len({point["dims"] for point in finding["law"]["points"]}) >= 3
