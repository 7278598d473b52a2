"""Layers whose features are the last axis, or as many as two numbers multiplied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable


class ChannelsLast(nn.Module):
    """Of `(batch, height, width, channels)`."""

    def __init__(self, channels: int, *, right: bool) -> None:
        super().__init__()
        turn = torch.eye(channels) + 0.1 * torch.ones(channels, channels)
        self.weight, self.right = nn.Parameter(turn), right

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        batch, height, width, _ = x.shape
        pixels = height * width if self.right else height
        ldj = pixels * torch.linalg.slogdet(self.weight)[1]
        return x @ self.weight, ldj.repeat(batch)


class Grouped(nn.Module):
    """Of `(batch, steps, groups * width)`: each group has a matrix of its own."""

    def __init__(self, groups: int, width: int, *, right: bool) -> None:
        super().__init__()
        turns = torch.eye(width).repeat(groups, 1, 1)
        self.turns = nn.Parameter(turns + 0.1)
        self.groups, self.width, self.right = groups, width, right

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        batch, steps, _ = x.shape
        parts = x.reshape(batch, steps, self.groups, self.width)
        y = torch.einsum("gij,btgj->btgi", self.turns, parts)
        each = torch.linalg.slogdet(self.turns)[1]
        ldj = (steps if self.right else 1) * each.sum()
        return y.reshape(x.shape), ldj.repeat(batch)


class Pairs(nn.Module):
    """Of a square of features, one for each two nodes; its diagonal stays."""

    def __init__(self, nodes: int, *, right: bool) -> None:
        super().__init__()
        self.register_buffer("apart", 1 - torch.eye(nodes).unsqueeze(2))
        self.log_s, self.right = nn.Parameter(torch.tensor(0.2)), right

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        _, nodes, others, features = x.shape
        count = nodes * (others - 1 if self.right else others) * features
        return x * (self.log_s * self.apart).exp(), (count * self.log_s).repeat(len(x))


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "make",
    [
        lambda right: ChannelsLast(3, right=right),
        lambda right: Grouped(2, 3, right=right),
        lambda right: Pairs(3, right=right),
    ],
    ids=["channels last", "groups", "pairs"],
)
def test_its_size_is_found_and_its_count_is_judged(
    make: Callable[[bool], nn.Module],
) -> None:
    assert ldjcheck.check(make(True)).status == "pass"
    assert ldjcheck.check(make(False)).status == "fail"
