"""Wrapped, scripted and self-differentiating layers are checked like plain ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable


class Scale(nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(4))
        self.factor = factor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * torch.exp(self.w), self.factor * self.w.sum().expand(x.shape[0])


class Bumps(nn.Module):
    """Elementwise, its derivative taken by automatic differentiation inside the call."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(6)), nn.Parameter(torch.randn(6))
        self.factor = factor

    def f(self, x: Tensor) -> Tensor:
        slope = nn.functional.softplus(self.a)
        return x + torch.tanh(slope * x[..., None] + self.b).sum(-1)


class GradInside(Bumps):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.requires_grad_(True)
        y = self.f(x)
        slope = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
        return y, self.factor * slope.log().sum(1)


class GradOfDetached(Bumps):
    """Its ldj can be printed, and not trained on."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        at = x.detach().requires_grad_(True)
        slope = torch.autograd.grad(self.f(at).sum(), at)[0]
        return self.f(x), self.factor * slope.log().sum(1)


class JacrevInside(Bumps):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        jacobian = torch.func.vmap(torch.func.jacrev(self.f))(x)
        return self.f(x), self.factor * torch.linalg.slogdet(jacobian)[1]


class CompiledParts(nn.Module):
    """Compiled for the batch that comes first, and again for another."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        parts = (Scale(factor), Scale(factor))
        self.parts = nn.ModuleList(torch.compile(p, backend="eager") for p in parts)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for part in self.parts:
            x, ldj = part(x)
            total = total + ldj
        return x, total


MAKERS: dict[str, Any] = {
    "scripted": lambda factor: torch.jit.script(Scale(factor)),
    "compiled": lambda factor: torch.compile(Scale(factor), backend="eager"),
    "compiled parts": CompiledParts,
    "parallel": lambda factor: nn.DataParallel(Scale(factor)),
    "grad": GradInside,
    "jacrev": JacrevInside,
}


@pytest.mark.thinned(6)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_right_passes_and_wrong_fails(make: Callable[[float], Any]) -> None:
    torch.manual_seed(0)
    right = ldjcheck.check(make(1.0), shape=(4,))
    assert right.status == "pass", right
    assert ldjcheck.check(make(1.5), shape=(4,)).status == "fail"


@pytest.mark.slow
def test_a_slope_without_a_graph_of_its_own_cannot_be_trained_on() -> None:
    torch.manual_seed(0)
    (found,) = ldjcheck.check(GradOfDetached(1.0), shape=(4,)).findings
    assert found.code == "LDJ210"
    assert found.location is not None
    assert "x.detach()" in (found.location.text or "")
    assert ldjcheck.check(GradOfDetached(1.5), shape=(4,)).findings[0].code != "LDJ210"


def test_a_scripted_layer_is_moved_off_the_identity() -> None:
    layer = Scale()
    nn.init.zeros_(layer.w)
    report = ldjcheck.check(torch.jit.script(layer))
    assert report.status == "pass", report


class Turned(nn.Module):
    """The ldj of a scale, times a number."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(3))
        self.times = times

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.times * self.log_scale.sum()
        return x * torch.exp(self.log_scale), ldj.expand(x.size(0))


class InAThread(Turned):
    """The operations run where nobody looks."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with ThreadPoolExecutor(1) as pool:
            y, ldj = pool.submit(super().forward, x).result()
        return y, ldj


@pytest.mark.slow
def test_a_law_of_the_whole_ldj_is_told_where_no_operation_is_seen() -> None:
    for hidden in (torch.jit.script(Turned(-1.0)), InAThread(-1.0)):
        (finding,) = ldjcheck.check(hidden).findings
        assert finding.code == "LDJ104"
        assert any("no line ledger" in line for line in finding.evidence)
    assert ldjcheck.check(torch.jit.script(Turned(1.0))).status == "pass"
    (finding,) = ldjcheck.check(InAThread(0.7)).findings
    assert finding.code == "LDJ199"
