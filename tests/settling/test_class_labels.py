"""A class label, a time, and an image beside the input are found like other contexts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Labelled(nn.Module):
    """Its scale depends on a class; `counted` says how often the scale counts."""

    def __init__(self, counted: float = 1.0) -> None:
        super().__init__()
        self.scales = nn.Embedding(5, 4)
        self.counted = counted

    def forward(self, x: Tensor, label: Tensor) -> Pair:
        s = self.scales(label)
        return x * s.exp(), self.counted * s.sum(1)


class OneHot(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2 + 7, 4)

    def forward(self, x: Tensor, y: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        seen = nn.functional.one_hot(y, 7).to(a)
        s, t = self.net(torch.cat([a, seen], 1)).chunk(2, 1)
        return torch.cat([a, b * s.exp() + t], 1), s.sum(1)


class Timed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(1, 6)

    def forward(self, x: Tensor, t: Tensor) -> Pair:
        s, shift = self.net(t[:, None]).chunk(2, 1)
        return x * s.exp() + shift, s.sum(1)


class BesideAnImage(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(1 + 3, 2, 3, padding=1)

    def forward(self, x: Tensor, cond: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        s, t = self.net(torch.cat([a, cond], 1)).chunk(2, 1)
        return torch.cat([a, b * s.exp() + t], 1), s.sum((1, 2, 3))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("make", [Labelled, OneHot, Timed, BesideAnImage])
def test_the_context_is_found(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(make())
    assert report.status == "pass", report


def test_a_mistake_beside_a_label_is_found_too() -> None:
    assert ldjcheck.check(Labelled(counted=2.0)).findings[0].code == "LDJ114"
