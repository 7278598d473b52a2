"""What the recorder writes down can be run again, and disturbs nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ldjcheck.tape import (
    Node,
    ancestors,
    dependents,
    evaluate,
    in_order,
    is_differentiable,
    rerun,
)
from ldjcheck.tape.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = str(Path(__file__))


def recorded(f: Callable[[Tensor], Any], x: Tensor) -> tuple[Recorder, Node, Any]:
    """Return the recorder, the node of the (first) output, and the output."""
    recorder, given_ = Recorder(), x.clone()
    recorder.source(given_, "input")
    with recorder:
        out = f(given_)
    first = out[0] if isinstance(out, tuple) else out
    node = recorder.find(first)
    assert node is not None
    return recorder, node, first


def again(target: Node, value: Tensor | None = None) -> Tensor:
    """Run the whole tape once more, with another input if one is given."""
    values: dict[Node, Tensor] = {}
    for node in in_order(ancestors(target)):
        if node.name == "input" and value is not None:
            values[node] = value
        elif node.function is not None:
            values[node] = evaluate(node, lambda n: values.get(n, n.value))
    return values.get(target, target.value)


# Ways to write a computation


def plain(x: Tensor) -> Tensor:
    return torch.sinh(x) * 2 + x.sum(1, keepdim=True)


def in_place(x: Tensor) -> Tensor:
    y = x.clone()
    y += 1.5
    y.mul_(x)
    y -= x.mean()
    return y


def overwritten(x: Tensor) -> Tensor:
    y = x * 2.0
    held = y
    z = y + 1.0
    y *= 3.0
    return held * z


def through_a_view(x: Tensor) -> Tensor:
    y = x.clone()
    left = y[:, :2]
    left *= 3.0
    return y * y[:, :1]


def view_after_base(x: Tensor) -> Tensor:
    y = x.clone()
    flat = y.view(-1)
    y.exp_()
    return flat.reshape(x.shape) + x


def two_views(x: Tensor) -> Tensor:
    y = x.clone()
    a, b = y[:, 0], y[:, 1:]
    a.add_(b.sum(1))
    b.mul_(2.0)
    return y


def set_items(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, 0] = x[:, 0].exp()
    y[:, 1:] = x[:, 1:] * x[:, :1]
    y[x > 0.5] = 0.25
    return y


def masked(x: Tensor) -> Tensor:
    return torch.where(x < 0, 0.2 * x, x) + x.masked_fill(x > 1, 0.0)


def chunked(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    return torch.cat([a, b * torch.exp(a)], dim=1)


def unrolled(x: Tensor) -> Tensor:
    return torch.stack([row.cumsum(0) * k for k, row in enumerate(x, 1)])


def lists(x: Tensor) -> Tensor:
    logs = [x, x.tanh()]
    logs.append(x**2)
    return torch.stack(logs).sum(0) + sum(logs)


def numbers(x: Tensor) -> Tensor:
    return np.float64(2.0) - x * np.log(3.0) + math.pi - (1 - x) + np.float32(0.5)


def detached(x: Tensor) -> Tensor:
    return x * x.detach().exp() + x.data


def keywords(x: Tensor) -> Tensor:
    return torch.sum(input=x, dim=1, keepdim=True) + torch.add(x, x, alpha=3)


def reflected(x: Tensor) -> Tensor:
    return 2.0 / (3.0 + x**2) - (1.0 - x) @ torch.eye(x.shape[1], dtype=x.dtype)


WAYS = (
    plain, in_place, overwritten, through_a_view, view_after_base, two_views, set_items,
    masked, chunked, unrolled, lists, numbers, detached, keywords, reflected,
)  # fmt: skip
by_way = pytest.mark.parametrize("f", WAYS, ids=lambda f: f.__name__)


@by_way
@settings(max_examples=8, deadline=None)
@given(batch=st.integers(1, 4), half=st.integers(1, 3), seed=st.integers(0, 999))
def test_the_tape_says_what_the_layer_computed(
    f: Callable[[Tensor], Tensor], batch: int, half: int, seed: int
) -> None:
    x = torch.randn(
        batch, 2 * half, dtype=torch.float64,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    right = f(x.clone())
    _, node, out = recorded(f, x)
    assert torch.equal(out, right), "recording changes nothing"
    assert torch.equal(node.value, right)
    assert torch.equal(again(node), right)


@by_way
def test_the_tape_runs_at_another_input_too(f: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(3, 4, dtype=torch.float64)
    other = torch.randn(3, 4, dtype=torch.float64)
    _, node, _ = recorded(f, x)
    assert torch.allclose(again(node, other), f(other.clone()), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "f",
    [f for f in WAYS if f is not detached],  # the tape sees through it, on purpose
    ids=lambda f: f.__name__,
)
def test_the_tape_has_the_layers_derivative(f: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(3, 4, dtype=torch.float64)
    recorder, node, _ = recorded(f, x)
    source = recorder.nodes[0]
    order = in_order(ancestors(node))
    depending = dependents(order, source)

    def replay(value: Tensor) -> Tensor:
        return rerun(order, depending, source, value, node)

    jacobian = torch.autograd.functional.jacobian
    direct = jacobian(lambda v: f(v.clone()), x)
    assert torch.allclose(jacobian(replay, x), direct, rtol=0, atol=1e-12)


@by_way
def test_every_operation_has_its_place_in_this_file_and_none_of_ours(
    f: Callable[[Tensor], Tensor],
) -> None:
    recorder, _, _ = recorded(f, torch.randn(3, 4, dtype=torch.float64))
    begin = f.__code__.co_firstlineno
    source = Path(HERE).read_text().splitlines()
    placed = [node for node in recorder.nodes if node.function is not None]
    assert placed
    for node in placed:
        files = [place.file for place in node.places]
        assert not [name for name in files if "ldjcheck/running" in name], files
        assert not [name for name in files if "ldjcheck/tape" in name], files
    inside = [n for n in placed if n.place and n.place.function == f.__name__]
    assert inside
    for node in inside:
        place = node.place
        assert place is not None
        assert place.file == HERE
        assert begin < place.line <= place.end_line
        assert source[place.line - 1].strip()


def test_detach_is_seen_through() -> None:
    x = torch.randn(2, 3, dtype=torch.float64)
    recorder, node, _ = recorded(lambda v: v.detach().exp(), x)
    source = recorder.nodes[0]
    order = in_order(ancestors(node))
    replayed = torch.autograd.functional.jacobian(
        lambda v: rerun(order, dependents(order, source), source, v, node).sum(), x
    )
    assert torch.allclose(replayed, x.exp())


def test_rounding_stops_a_derivative() -> None:
    recorder, node, _ = recorded(torch.floor, torch.randn(2, 3))
    assert not is_differentiable(node)
    assert dependents(recorder.nodes, recorder.nodes[0]) == {recorder.nodes[0]}


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.5, 1.5, 2.0], dtype=torch.float64))

    def helper(self, x: Tensor) -> Tensor:
        return x * self.scale  # in the helper

    def forward(self, x: Tensor) -> Tensor:
        return self.helper(x)  # in the module


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            x = self.inner(x)  # in the flow
        return x


def test_places_go_from_the_helper_to_the_flow() -> None:
    layer = Outer()
    recorder, _, _ = recorded(layer, torch.randn(2, 3, dtype=torch.float64))
    lines = Path(HERE).read_text().splitlines()
    products = [node for node in recorder.nodes if node.name == "mul"]
    assert len(products) == 2
    for node in products:
        mine = [place for place in node.places if place.file == HERE]
        marks = [lines[p.line - 1].partition("# ")[2] for p in mine[:3]]
        assert marks == ["in the helper", "in the module", "in the flow"]
        scale = node.parents[1]
        assert scale.learnable
        assert torch.equal(scale.value, layer.inner.scale)
    first, second = (node.places for node in products)
    assert first[0].span == second[0].span
    assert first[0].call != second[0].call, "two executions of one helper"
    assert first[2].call == second[2].call, "in one run of the flow"


def test_a_draw_and_a_parameter_are_marked_as_sources() -> None:
    draw = torch.randn(2, 3)
    weight = nn.Parameter(torch.ones(3))
    recorder = Recorder([draw])
    with recorder:
        out = draw + weight
    node = recorder.find(out)
    assert node is not None
    assert [parent.random for parent in node.parents] == [True, False]
    assert [parent.learnable for parent in node.parents] == [False, True]


def test_values_survive_what_is_written_over_them() -> None:
    recorder, _, _ = recorded(overwritten, torch.ones(1, 2, dtype=torch.float64))
    doubled = next(node for node in recorder.nodes if node.name == "mul")
    assert doubled.value.tolist() == [[2.0, 2.0]]


def test_a_replay_leaves_the_tape_as_it_was() -> None:
    for f in WAYS:
        recorder, node, _ = recorded(f, torch.randn(3, 4, dtype=torch.float64))
        before = [n.value.clone() for n in recorder.nodes]
        again(node, torch.randn(3, 4, dtype=torch.float64))
        after = [n.value for n in recorder.nodes]
        assert all(map(torch.equal, before, after)), f.__name__


def test_one_use_of_a_value_can_be_replaced() -> None:
    x = torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    _, node, _ = recorded(lambda v: v * v, x)
    half = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    assert torch.equal(evaluate(node, lambda n: n.value, {(node, 0): half}), x * half)
