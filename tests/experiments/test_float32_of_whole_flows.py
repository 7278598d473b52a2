"""What float32 cannot hold of a whole flow is no fault of its ldj."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ldjcheck


class Squeezing(nn.Module):
    """A coupling of channels whose scales may be less than what float32 holds."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(2, 32, 3, padding=1), nn.Tanh())
        self.out = nn.Conv2d(32, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        scale = torch.sigmoid(120 * torch.tanh(self.out(self.net(a))) - 10)
        return torch.cat([b * scale, a], 1), scale.log().flatten(1).sum(1)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([Squeezing(), Squeezing()])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, first = self.parts[0](x)
        x, second = self.parts[1](x)
        return x, first + second


def test_scales_that_underflow_in_float32_alone_are_no_mistake() -> None:
    report = ldjcheck.check(Twice(), shape=(4, 6, 6))
    assert report.status != "fail", report
    as_written = Twice()(torch.randn(8, 4, 6, 6))[1]
    assert not bool(as_written.isfinite().all())


class Scaled:
    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale


class KeepsWhatItSaw(nn.Module):
    """Holds one tensor more in one precision than in the other."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [Scaled(torch.randn(3), torch.rand(3) + 0.5)]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.dtype == torch.float32:
            self.seen = x[0].detach()
        loc, scale = self.parts[0].loc, self.parts[0].scale
        return (x * scale + loc).tanh(), (
            scale.log() - 2 * (x * scale + loc).cosh().log()
        ).sum(1)


def test_each_tensor_is_held_against_the_one_at_its_own_place() -> None:
    assert ldjcheck.check(KeepsWhatItSaw(), shape=(3,)).status == "pass"
