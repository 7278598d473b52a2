"""Whatever a layer does to the world, afterwards the world is as it was before."""

from __future__ import annotations

import cProfile
import math
import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from small_layers import Affine, Pair
from torch import Tensor, nn

import ldjcheck
from ldjcheck.api import check_layer
from ldjcheck.records import Layer, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHARED = torch.tensor([0.5, 0.25, 2.0, 1.5])
"""A tensor of the user's at module level, which a layer's code names."""


@dataclass
class World:
    """Everything that a check must leave as it was, taken down bit by bit."""

    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, layer: Any, *tensors: Tensor) -> World:
        facts: dict[str, Any] = {
            "torch generator": torch.get_rng_state().tolist(),
            "numpy generator": str(np.random.get_state()),
            "generator of random": random.getstate(),
            "default dtype": torch.get_default_dtype(),
            "grad mode": torch.is_grad_enabled(),
            "inference mode": torch.is_inference_mode_enabled(),
            "anomaly mode": torch.is_anomaly_enabled(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "threads": torch.get_num_threads(),
            "folder": os.getcwd(),
            "path": list(sys.path),
        }
        for index, tensor in enumerate(tensors):
            facts |= _told(f"the user's tensor {index}", tensor)
        if isinstance(layer, nn.Module):
            for name, module in layer.named_modules():
                facts[f"{name or 'layer'}.training"] = module.training
            for name, tensor in (*layer.named_parameters(), *layer.named_buffers()):
                facts |= _told(name, tensor)
        for name, value in vars(layer).items():
            if isinstance(value, (int, float, str, list, Tensor)):
                facts[f"attribute {name}"] = (id(value), str(value))
        return cls(facts)

    def differences(self, other: World) -> list[str]:
        names = {**self.facts, **other.facts}
        return [n for n in names if self.facts.get(n) != other.facts.get(n)]


def _told(name: str, tensor: Tensor) -> dict[str, Any]:
    grad = tensor.grad if tensor.is_leaf else None
    return {
        name: (id(tensor), tensor.dtype, tensor.requires_grad, tensor.data_ptr()),
        f"{name}, values": (tuple(tensor.shape), tensor.detach().tolist()),
        f"{name}, grad": None if grad is None else (id(grad), grad.tolist()),
    }


class Disturbing(Affine):
    """A right layer that also does something to the world, each time it is called."""

    def __init__(self, disturb: Callable[[Disturbing, Tensor], Any]) -> None:
        super().__init__()
        self.disturb = disturb
        self.calls = 0
        self.seen: list[int] = []
        self.last = torch.zeros(2)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Pair:
        self.disturb(self, x)
        return super().forward(x)

    def inverse(self, y: Tensor) -> Pair:
        self.disturb(self, y)
        return super().inverse(y)


class Uncopyable(Disturbing):
    """The same, for which `copy.deepcopy` raises: it is run in place."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        raise RuntimeError("there is one of me only")


def _write_parameter(layer: Disturbing, x: Tensor) -> None:
    layer.shift.data.fill_(7.0)


def _replace_parameter(layer: Disturbing, x: Tensor) -> None:
    layer.shift = nn.Parameter(torch.full((4,), 7.0, dtype=x.dtype))


def _fill_gradients(layer: Disturbing, x: Tensor) -> None:
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)


def _backward(layer: Disturbing, x: Tensor) -> None:
    with torch.enable_grad():
        layer.shift.exp().sum().backward()


def _count(layer: Disturbing, x: Tensor) -> None:
    layer.count += 1


def _remember(layer: Disturbing, x: Tensor) -> None:
    layer.calls += 1
    layer.seen.append(layer.calls)
    layer.last = x.detach()


def _use_shared(layer: Disturbing, x: Tensor) -> None:
    SHARED.mul_(2.0)


def _grow_attributes(layer: Disturbing, x: Tensor) -> None:
    layer.added = 1


def _statistics(layer: Disturbing, x: Tensor) -> None:
    layer.norm.train()
    layer.norm(x.reshape(len(x), 4).to(layer.norm.weight.dtype))


DISTURBANCES: dict[str, Callable[[Disturbing, Tensor], Any]] = {
    "nothing": lambda layer, x: None,
    "writes a parameter": _write_parameter,
    "replaces a parameter": _replace_parameter,
    "fills gradients in": _fill_gradients,
    "runs backward": _backward,
    "counts in a buffer": _count,
    "keeps running statistics": _statistics,
    "remembers": _remember,
    "adds an attribute": _grow_attributes,
    "goes into training mode": lambda layer, x: layer.train(),
    "freezes itself": lambda layer, x: layer.requires_grad_(False),
    "thaws a buffer": lambda layer, x: layer.count.requires_grad_(True),
    "writes the user's tensor": _use_shared,
    "seeds torch": lambda layer, x: torch.manual_seed(5),
    "draws from torch": lambda layer, x: torch.rand(3),
    "seeds numpy": lambda layer, x: np.random.seed(5),
    "seeds random": lambda layer, x: random.seed(5),
    "sets the default dtype": lambda layer, x: torch.set_default_dtype(torch.float64),
    "switches gradients off": lambda layer, x: torch._C._set_grad_enabled(False),
    "detects anomalies": lambda layer, x: torch.autograd.set_detect_anomaly(True),
    "wants determinism": lambda layer, x: torch.use_deterministic_algorithms(True),
    "sets the threads": lambda layer, x: torch.set_num_threads(
        3 - torch.get_num_threads() % 2
    ),
    "changes the folder": lambda layer, x: os.chdir(Path(__file__).parent),
    "imports from nowhere": lambda layer, x: sys.path.clear(),
}
DISTURBANCES["does it all and raises"] = lambda layer, x: (
    [disturb(layer, x) for name, disturb in DISTURBANCES.items() if "and" not in name],
    1 / 0,
)


@pytest.fixture(autouse=True)
def _clean_world() -> Iterator[None]:
    """Put the world in order, lest one failing test bring others down."""
    dtype, threads, folder = (
        torch.get_default_dtype(),
        torch.get_num_threads(),
        os.getcwd(),
    )
    path = list(sys.path)
    values = SHARED.clone()
    yield
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)
    torch._C._set_grad_enabled(True)
    torch.autograd.set_detect_anomaly(False)
    torch.use_deterministic_algorithms(False)
    os.chdir(folder)
    sys.path[:] = path
    SHARED.copy_(values)


def half_trained(layer: Disturbing) -> Disturbing:
    """Return the layer with gradients, frozen weights and mixed training flags."""
    layer.eval()
    layer.norm.train()
    layer.norm.weight.requires_grad_(False)
    layer.shift.grad = torch.full((4,), 0.25)
    return layer


@pytest.mark.thinned(24)
@pytest.mark.parametrize("kind", [Disturbing, Uncopyable])
@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_check_leaves_the_world_as_it_was(kind: type[Disturbing], name: str) -> None:
    disturb = DISTURBANCES[name]
    user = torch.arange(4.0)
    layer = half_trained(
        kind(lambda layer, x: (disturb(layer, x), SHARED.sum() + user.sum()))
    )
    before = World.of(layer, user, SHARED)

    report = ldjcheck.check(layer, shape=(4,))

    assert World.of(layer, user, SHARED).differences(before) == []
    copied = "copy" not in report.result.inferred
    assert report.status == "error" or copied == (kind is Disturbing)


def test_a_folder_that_a_call_leaves_and_removes_is_left_again(tmp_path: Path) -> None:
    def away(layer: Disturbing, x: Tensor) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()

    folder = os.getcwd()
    assert ldjcheck.check(Disturbing(away), shape=(4,)).status == "pass"
    assert os.getcwd() == folder


@pytest.mark.parametrize("grad", [True, False])
def test_the_callers_own_modes_stay(grad: bool) -> None:
    layer = half_trained(Disturbing(DISTURBANCES["nothing"]))
    with torch.set_grad_enabled(grad):
        before = World.of(layer)
        report = ldjcheck.check(layer, shape=(4,))
        assert World.of(layer).differences(before) == []
    assert report.status == "pass"


class Steps(nn.Sequential):
    """A wrong flow: its sublayers are watched one by one."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        for layer in self:
            x, _ = layer(x)
        return x, torch.ones(len(x))


class Dropping(nn.Module):
    """A flow that asks a distribution about what it drops: calls are listened to."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        y, dropped = (2 * x).chunk(2, dim=1)
        density = torch.distributions.Normal(0.0, 1.0).log_prob(dropped).sum(1)
        return y, density + x.shape[1] * math.log(2.0)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Steps(Affine(3), Affine(3)), Dropping()])
def test_a_profiler_of_the_callers_goes_on(layer: nn.Module) -> None:
    profiler = cProfile.Profile()
    profiler.enable()
    ldjcheck.check(layer)
    math.lgamma(3.0)  # nobody else calls it
    profiler.disable()
    assert any("lgamma" in str(entry.code) for entry in profiler.getstats())


def test_inference_mode_of_the_caller_is_no_obstacle() -> None:
    with torch.inference_mode():
        before = World.of(Affine())
        assert ldjcheck.check(Affine(), shape=(4,)).status == "pass"
        assert torch.is_inference_mode_enabled()
    assert before.facts["inference mode"]


@pytest.mark.parametrize("name", ["writes a parameter", "remembers", "nothing"])
def test_a_layer_that_cannot_be_copied_is_built_anew_where_that_is_possible(
    name: str,
) -> None:
    def build() -> Uncopyable:
        return half_trained(Uncopyable(DISTURBANCES[name]))

    layer = build()
    before = World.of(layer)
    result = check_layer(
        Layer(target="layer", name="layer", obj=layer, rebuild=build),
        Options(shape=((None, (4,)),)),
    )
    assert World.of(layer).differences(before) == []
    assert result.inferred["copy"].startswith("built anew")


def closure_flow() -> tuple[Callable[[Tensor], Pair], Tensor]:
    """Return a flow that is a plain function, and the weight only its closure holds."""
    weight = torch.tensor([0.3, -0.2, 0.8, 0.1], requires_grad=True)

    def flow(x: Tensor) -> Pair:
        with torch.no_grad():
            weight.mul_(1.0)
        return x * weight.exp(), weight.sum().expand(len(x))

    return flow, weight


def test_a_tensor_that_only_a_closure_holds_is_moved_on_a_copy() -> None:
    flow, weight = closure_flow()
    weight.grad = torch.ones(4)
    before = World.of(flow, weight)
    report = ldjcheck.check(flow, shape=(4,))
    assert World.of(flow, weight).differences(before) == []
    assert report.status == "pass"


def test_the_world_above_would_notice() -> None:
    layer = half_trained(Disturbing(DISTURBANCES["nothing"]))
    user = torch.arange(4.0)
    before = World.of(layer, user)
    for name, disturb in DISTURBANCES.items():
        if name in ("nothing", "does it all and raises", "writes the user's tensor"):
            continue
        disturb(layer, torch.randn(3, 4))
    user.add_(1)
    unnoticed = set(before.facts) - set(World.of(layer, user).differences(before))
    assert unnoticed <= {
        "inference mode",
        "attribute dims",
        "the user's tensor 0",
        "the user's tensor 0, grad",
        "count, grad",
        "norm.training",
        *(fact for fact in before.facts if fact.startswith("norm")),
        *(f"log_scale{more}" for more in (", values", "")),
    }
