"""A layer in half precision, run as it is written, is judged by its own rounding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ldjcheck

HALF, BRAIN = torch.float16, torch.bfloat16


class Scale(nn.Module):
    """One log-scale a channel, counted at every pixel, added to a running total."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.4, 0.25], dtype=dtype))

    def forward(self, x, ldj):
        pixels = x.shape[2] * x.shape[3]
        y = x * self.log_s.exp()[:, None, None]
        return y, ldj + self.log_s.sum() * pixels


class ScaleWithoutPixels(Scale):
    """The same, a channel counted once."""

    def forward(self, x, ldj):
        y = x * self.log_s.exp()[:, None, None]
        return y, ldj + self.log_s.sum()


class Coupling(nn.Module):
    """A coupling all of whose arithmetic is in the precision of its network."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4).to(dtype)

    def both(self, x):
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        return a, b, s, t

    def forward(self, x):
        a, b, s, t = self.both(x)
        return torch.cat([a, b * s.exp() + t], 1), s.sum(1)

    def inverse(self, y):
        a, b, s, t = self.both(y)
        return torch.cat([a, (b - t) * (-s).exp()], 1), -s.sum(1)


class CouplingTurned(Coupling):
    """The same, with its sign turned both ways."""

    def forward(self, x):
        y, ldj = super().forward(x)
        return y, -ldj

    def inverse(self, y):
        x, ldj = super().inverse(y)
        return x, -ldj


class Squash(nn.Module):
    """A slope in two digits in front of a squash in float32."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.5, dtype=dtype))

    def forward(self, x):
        y = torch.tanh(x.float() * self.slope.exp())
        return y, (self.slope + torch.log(1 - y**2)).sum(-1)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("dtype", [HALF, BRAIN])
@pytest.mark.parametrize("kind", [Scale, Coupling, Squash])
def test_what_its_own_rounding_explains_is_no_mistake(kind, dtype):
    torch.manual_seed(0)
    report = ldjcheck.check(kind(dtype), dtype="as-written")
    assert report.status in ("pass", "unproven"), report
    assert not [f for f in report.findings if f.severity == "error"], report


@pytest.mark.thinned(4)
@pytest.mark.parametrize("dtype", [HALF, BRAIN])
@pytest.mark.parametrize("kind", [ScaleWithoutPixels, CouplingTurned])
def test_a_mistake_beyond_its_rounding_is_found(kind, dtype):
    torch.manual_seed(0)
    report = ldjcheck.check(kind(dtype), dtype="as-written")
    assert report.status == "fail", report


def test_a_layer_of_doubles_runs_in_doubles_as_written():
    layer = nn.Linear(3, 3, bias=False).double()

    class Turn(nn.Module):
        def __init__(self):
            super().__init__()
            self.turn = layer

        def forward(self, x):
            logdet = torch.linalg.slogdet(self.turn.weight)[1]
            return self.turn(x), logdet.expand(len(x))

    report = ldjcheck.check(Turn(), dtype="as-written")
    assert report.status == "pass", report
