"""Layers as students write them, with no ldj or a wrong one: it is derived, run, and agrees."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import ldjcheck


class Stretch(nn.Module):
    """A constant scale, and no ldj."""

    def __init__(self) -> None:
        super().__init__()
        self.quants = 256

    def forward(self, x: Tensor) -> Tensor:
        return x / self.quants


class Squash(nn.Module):
    """An elementwise map of several operations, and a zero for its ldj."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((5,), 0.5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.tanh(x * torch.exp(self.scale))
        return z, torch.zeros(len(x))


class Half(nn.Module):
    """A coupling by chunks whose author has forgotten the exponent's sign."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        b = b * torch.exp(-s) + t
        return torch.cat([a, b], dim=1), s.sum(dim=1)


class Mix(nn.Module):
    """A linear map with log|det W| left out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(4) + 0.1 * torch.ones(4, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x @ self.weight, torch.zeros(len(x))


class Gate(nn.Module):
    """A sigmoid whose derivative is taken for its logarithm."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.sigmoid(x)
        return z, F.logsigmoid(x).sum(dim=1)


class Tails(nn.Module):
    """Pieces that are put in their places by a mask."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x.clone()
        big = x.abs() > 1
        y[big] = torch.sign(x[big]) * (1 + torch.log(x[big].abs()))
        return y, torch.zeros(len(x))


class TwoSides(nn.Module):
    """Both pieces put into zeros, each by a mask of its own."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[x > 0] = torch.expm1(x[x > 0])
        y[x <= 0] = 3 * x[x <= 0]
        return y


class OneByOne(nn.Module):
    """Autoregressive, in a loop over the dims."""

    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleList([nn.Linear(max(i, 1), 2) for i in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        out = []
        for i in range(3):
            h = self.nets[i](x[:, :i] if i else torch.zeros(len(x), 1))
            out.append(x[:, i] * torch.exp(h[:, 0]) + h[:, 1])
        return torch.stack(out, dim=1)


class Normed(nn.Module):
    """Torch's own batch normalisation, by its running statistics."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.norm(x), torch.zeros(len(x))


class TwoReturns(nn.Module):
    """A return for each way, on lines that follow one another."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = nn.Parameter(torch.zeros(4))

    def forward(
        self, x: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        if reverse:
            return x * torch.exp(-self.logs), ldj
        return x * torch.exp(self.logs), ldj


LAYERS = {
    "constant": (Stretch, (5,)),
    "elementwise": (Squash, (5,)),
    "coupling": (Half, (4,)),
    "linear": (Mix, (4,)),
    "sigmoid": (Gate, (5,)),
    "by a mask": (Tails, (5,)),
    "by two masks": (TwoSides, (5,)),
    "in a loop": (OneByOne, (3,)),
    "batch norm": (Normed, (3, 4, 5)),
    "two returns": (TwoReturns, (4,)),
}


def is_indexing_seen() -> bool:
    """Return whether this torch tells those who watch of what is indexed; 2.2 does not."""
    seen: list[object] = []

    class Watches(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            seen.append(func)
            return func(*args, **(kwargs or {}))

    x = torch.ones(2)
    with Watches():
        x[x > 0]
    return Tensor.__getitem__ in seen


@pytest.mark.thinned(12)
@pytest.mark.parametrize("name", LAYERS)
def test_a_derived_ldj_agrees_where_nothing_was_derived_from(name: str) -> None:
    if "mask" in name and not is_indexing_seen():
        pytest.skip("what is indexed is on no tape")
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    derived = ldjcheck.derive(make(), shape=shape).derived
    assert derived is not None
    assert derived.applicability == "verified", derived
    assert derived.edits
    assert derived.residual_after is not None
    assert derived.residual_after < 1e-6


@pytest.mark.slow
def test_what_the_garbage_collector_calls_is_no_function_of_the_layers() -> None:
    def collected(phase: str, info: dict[str, int]) -> None:
        """Run at every collection, as a function of hypothesis does once it was used."""

    often = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(1)
    try:
        derived = ldjcheck.derive(Gate(), shape=(5,)).derived
    finally:
        gc.set_threshold(*often)
        gc.callbacks.remove(collected)
    assert derived is not None
    assert derived.applicability == "verified", derived
    assert gc.isenabled()


def test_each_line_is_edited_once() -> None:
    derived = ldjcheck.derive(TwoReturns(), shape=(4,)).derived
    assert derived is not None
    lines = [edit.line for edit in derived.edits]
    assert len(lines) == len(set(lines))


def test_a_right_ldj_needs_no_edit() -> None:
    class Right(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return 3 * x, torch.full((len(x),), 1.0986122886681098 * x.shape[1])

    derived = ldjcheck.derive(Right(), shape=(5,)).derived
    assert derived is not None
    assert derived.is_right
    assert not derived.edits


def test_a_map_without_a_closed_form_is_refused_by_the_step_that_stops_it() -> None:
    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x + 0.1 * self.net(x), torch.zeros(len(x))

    derived = ldjcheck.derive(Dense(), shape=(3,)).derived
    assert derived is not None
    assert derived.applicability != "verified"
    assert derived.obstacles or derived.doubts
