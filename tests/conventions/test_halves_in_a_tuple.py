"""Both halves of an event may come, and go, in one tuple: `a, b = x`, `torch.cat(x)`."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ldjcheck


class Coupling(nn.Module):
    """A coupling that is handed what it changes, and what it does not, in one."""

    sign = 1

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(dims, 2 * dims)

    def forward(self, x, ldj, reverse=False):
        change, keep = x
        s, t = self.net(keep).chunk(2, -1)
        if reverse:
            change = (change - t) * torch.exp(-s)
            ldj = ldj - self.sign * s.sum(-1)
        else:
            change = change * torch.exp(s) + t
            ldj = ldj + self.sign * s.sum(-1)
        return (change, keep), ldj


class CouplingTurned(Coupling):
    sign = -1


class Bend(nn.Module):
    """Two images in, two images out, and an ldj beside them."""

    def forward(self, pair):
        left, right = pair
        ldj = torch.log(torch.cosh(left)).flatten(1).sum(1)
        return (torch.sinh(left), right + left), ldj


class Swap(nn.Module):
    """Nothing but the order of the two changes."""

    def forward(self, x, ldj, reverse=False):
        first, second = x
        return (second, first), ldj


class ScaledChannels(nn.Module):
    """Halves of an image, joined and scaled by one number for each channel of both."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, halves, ldj, reverse=False):
        x = torch.cat(halves, dim=1)
        by = -self.log_scale if reverse else self.log_scale
        ldj = ldj + self.counted(x) * by.sum()
        return (x * by.exp()).chunk(2, dim=1), ldj

    def counted(self, x):
        return x.size(2) * x.size(3)


class ScaledChannelsOnce(ScaledChannels):
    def counted(self, x):
        return 1


@pytest.mark.thinned(4)
@pytest.mark.parametrize("kind", [Coupling, Bend, Swap, ScaledChannels])
def test_what_takes_its_input_apart_is_given_a_tuple(kind):
    report = ldjcheck.check(kind())
    assert report.status == "pass", report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [(CouplingTurned, "sign-flipped"), (ScaledChannelsOnce, "missing-spatial-factor")],
)
def test_a_mistake_in_such_a_layer_is_found(kind, name):
    report = ldjcheck.check(kind())
    assert report.status == "fail", report
    assert report.findings[0].name == name
