"""A right value with a wrong gradient is found, and what only looks like it is not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Coupling(nn.Module):
    """The last two dims are scaled and moved as the first two say."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))

    def scale(self, x: Tensor) -> Pair:
        s, t = self.net(x[:, :2]).chunk(2, dim=1)
        return torch.tanh(s), t

    def ldj(self, s: Tensor) -> Tensor:
        return s.sum(dim=1)

    def forward(self, x: Tensor) -> Pair:
        s, t = self.scale(x)
        return torch.cat([x[:, :2], x[:, 2:] * s.exp() + t], 1), self.ldj(s)

    def inverse(self, y: Tensor) -> Pair:
        s, t = self.scale(y)
        return torch.cat([y[:, :2], (y[:, 2:] - t) * torch.exp(-s)], 1), -self.ldj(s)


class Detached(Coupling):
    def ldj(self, s: Tensor) -> Tensor:
        return s.detach().sum(dim=1)  # here


class HalfDetached(Coupling):
    def ldj(self, s: Tensor) -> Tensor:
        return s[:, 0] + s[:, 1].detach()  # here


class OfData(Coupling):
    def ldj(self, s: Tensor) -> Tensor:
        return s.data.sum(dim=1)  # here


class ScaleWithoutGradient(Coupling):
    def scale(self, x: Tensor) -> Pair:
        with torch.no_grad():  # here
            s = torch.tanh(self.net(x[:, :2])[:, :2])
        return s, self.net(x[:, :2])[:, 2:]


class DecoratedLdj(Coupling):
    @torch.no_grad()  # here
    def ldj(self, s: Tensor) -> Tensor:
        return s.sum(dim=1)


class DecoratedForward(Coupling):
    @torch.inference_mode()
    def forward(self, x: Tensor) -> Pair:
        return super().forward(x)


class Number(nn.Module):
    """One learned scale, of which the ldj sees a plain number."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: Tensor) -> Pair:
        log_scale = float(self.log_scale)  # here
        return x * self.log_scale.exp(), torch.full((len(x),), log_scale * x[0].numel())


class TwiceTheGradient(torch.autograd.Function):
    """exp(a), with a backward that is twice as large."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        ctx.save_for_backward(a)
        return a.exp()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # here
        (a,) = ctx.saved_tensors
        return 2 * grad * a.exp()


class WrongBackwardOfLdj(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.3, 0.1, -0.2]))

    def forward(self, x: Tensor) -> Pair:
        ldj = TwiceTheGradient.apply(self.a).sum()
        return x * self.a.exp().exp(), ldj.expand(len(x))


class OutsideOfTorch(nn.Module):
    """Takes the logarithm in NumPy, where no derivative goes."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.2, 0.7, 0.9, 1.5]))

    def forward(self, x: Tensor) -> Pair:
        scale = self.scale.detach().numpy()  # here
        ldj = torch.as_tensor(np.log(np.abs(scale)).sum())
        return x * self.scale, ldj.expand(len(x))


CUTS = [
    OutsideOfTorch,
    Detached, HalfDetached, OfData, ScaleWithoutGradient, DecoratedLdj, Number,
    WrongBackwardOfLdj,
]  # fmt: skip


def line_marked_in(layer: type) -> int:
    """Return the line with the comment `here` that stands after the layer's begin."""
    owner = TwiceTheGradient if layer is WrongBackwardOfLdj else layer
    lines = Path(__file__).read_text().splitlines()
    begin = lines.index(
        next(x for x in lines if x.startswith(f"class {owner.__name__}("))
    )
    return next(i for i in range(begin, len(lines)) if "# here" in lines[i]) + 1


@pytest.mark.thinned(8)
@pytest.mark.parametrize("layer", CUTS)
def test_a_cut_is_found_where_it_stands(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(
        layer(), shape=(4,) if layer is not WrongBackwardOfLdj else (3,)
    )
    assert report.status == "fail"
    found = report.findings[0]
    assert (found.code, found.direction) == ("LDJ210", "forward")
    assert found.location is not None
    assert found.location.line == line_marked_in(layer)
    gradient = next(c for c in report.checks if c.name == "gradient")
    assert gradient.status == "fail"


@pytest.mark.slow
def test_a_forward_without_any_gradient_cannot_be_trained() -> None:
    report = ldjcheck.check(DecoratedForward(), shape=(4,))
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ210"]


def test_the_evidence_has_both_derivatives() -> None:
    evidence = ldjcheck.check(Number(), shape=(4,)).findings[0].evidence
    assert evidence[0].startswith(
        "log_scale: autograd says +0, differences of the exact"
    )


class WrongBackwardOfMap(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return TwiceTheGradient.apply(x), x.sum(dim=1)


def test_a_wrong_backward_of_the_map_is_no_pass() -> None:
    report = ldjcheck.check(WrongBackwardOfMap(), shape=(3,))
    assert report.status == "unproven"
    assert report.findings[0].code == "LDJ404"


# What looks like it and is right


class Initialised(nn.Module):
    """Sets its parameters from its first batch, without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(4))
        self.register_buffer("done", torch.tensor(0))

    def forward(self, x: Tensor) -> Pair:
        if not self.done:
            with torch.no_grad():
                self.log_scale.data.copy_(-x.std(dim=0).log())
                self.done.fill_(1)
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))


class Sampler(Coupling):
    @torch.no_grad()
    def inverse(self, y: Tensor) -> Pair:
        return super().inverse(y)


class Frozen(Coupling):
    def __init__(self) -> None:
        super().__init__()
        self.net.requires_grad_(False)


class Buffered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_scale", torch.linspace(-0.5, 0.7, 4))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_scale.exp(), self.log_scale.detach().sum().expand(len(x))


class StraightThrough(nn.Module):
    """Scales by a rounded number of halvings; the gradient goes past the rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.halvings = nn.Parameter(torch.linspace(0.6, 3.1, 4))

    def forward(self, x: Tensor) -> Pair:
        rounded = self.halvings + (self.halvings.round() - self.halvings).detach()
        return x * 0.5**rounded, -(rounded * math.log(2)).sum().expand(len(x))


class Clamped(nn.Module):
    """Clips its log-scale, and hands the gradient on as if it did not."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)
        nn.init.zeros_(self.net.weight)
        nn.init.zeros_(self.net.bias)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        s = 20 * self.net(a)
        s = s + (s.clamp(-5, 3) - s).detach()
        return torch.cat([a, b * s.exp()], dim=1), s.sum(dim=1)


class Stabilised(Coupling):
    """Subtracts a detached maximum inside a logarithm, which changes nothing."""

    def ldj(self, s: Tensor) -> Tensor:
        top = s.max(dim=1, keepdim=True).values.detach()
        return (s - top).sum(dim=1) + top.squeeze(1) * s.shape[1]


class Stable(Coupling):
    """A detached maximum that drops out of value and gradient."""

    def scale(self, x: Tensor) -> Pair:
        s, t = super().scale(x)
        top = s.max(dim=1, keepdim=True).values.detach()
        return top + (s - top), t

    def ldj(self, s: Tensor) -> Tensor:
        top = s.max(dim=1, keepdim=True).values.detach()
        inside = (s - top).exp().log() + top
        return inside.sum(dim=1)


class WithStatistics(nn.Module):
    """Counts what it sees without gradients, and does not use it."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(4))
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Pair:
        with torch.no_grad():
            x.mean(dim=0)
        print_only = x.detach().mean().item()
        assert print_only == print_only
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))


RIGHT = [
    Coupling, Initialised, Sampler, Frozen, Buffered, StraightThrough, Clamped, Stabilised,
    Stable, WithStatistics,
]  # fmt: skip


@pytest.mark.thinned(6)
@pytest.mark.parametrize("layer", RIGHT)
def test_a_right_gradient_passes(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer(), shape=(4,))
    assert report.status == "pass", report
    assert all(f.severity == "note" for f in report.findings)


def test_a_way_back_without_gradients_says_why_it_is_not_judged() -> None:
    report = ldjcheck.check(Sampler(), shape=(4,))
    (result,) = report.to_dict()["results"]
    names = [(c["name"], c["direction"]) for c in result["checks"]]
    assert ("gradient", "forward") in names
    assert ("gradient", "inverse") not in names
    assert "made for sampling" in result["inferred"]["gradient inverse"]
