"""Laws that hold for ldjcheck itself, whatever the flow.

By default each law is tried on a few flows. The long run tries 400 of them for each law:

    pytest -n 0 -m slow tests/checking
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import ldjcheck
from ldjcheck import strategies
from ldjcheck.conventions import recognise_conventions
from ldjcheck.oracle.direction import measure_direction
from ldjcheck.records import Domain, Layer, Options
from ldjcheck.running.bench import Bench
from ldjcheck.strategies.flow import MISTAKES, Scale

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.records import Direction, Side

FEW, MANY = 12, 400
INSIDE = "interval:-2:2"
RIGHT = strategies.flows(max_steps=3)
WRONG = strategies.flows(max_steps=3, mistakes=MISTAKES)
SHAPES = strategies.event_shapes(max_rank=2, max_size=3)
INPUTS = strategies.inputs(SHAPES, INSIDE)
WIDE = strategies.inputs(
    strategies.event_shapes(max_rank=2, min_size=2, max_size=3), INSIDE
)


@dataclass(frozen=True, kw_only=True)
class Law:
    """A claim about all that its strategies draw."""

    strategies: tuple[Any, ...]
    claim: Callable[..., None]


def law(*strategies: Any) -> Callable[[Callable[..., None]], Law]:
    """Return a decorator that makes a law of a claim."""
    return lambda claim: Law(strategies=strategies, claim=claim)


def measured(
    flow: strategies.RandomFlow, x: torch.Tensor, direction: Direction = "forward"
) -> Side:
    """Measure a flow as the check does, at these inputs alone."""
    calls = recognise_conventions(flow)[0]
    layer = Layer(target="flow", name="flow", obj=flow)
    options = Options()
    bench = Bench(
        layer=layer, options=options, promote=True, calls=calls,
        shape=tuple(x.shape[1:]), batch=len(x), domain=Domain(kind="real"),
    )  # fmt: skip
    runner = bench.runner()
    return measure_direction(runner, direction, x, options, behaviour=False)


def exact(flow: strategies.RandomFlow, x: torch.Tensor) -> torch.Tensor:
    side = measured(flow, x)
    assume(bool(torch.isfinite(side.y).all()))  # some steps stretch past all numbers
    assert side.exact.ldj is not None
    return side.exact.ldj


def alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-9, atol=1e-9)


@law(RIGHT, RIGHT, INPUTS)
def composing_adds(
    first: strategies.RandomFlow, second: strategies.RandomFlow, x: torch.Tensor
) -> None:
    both = strategies.RandomFlow(first.steps + second.steps)
    middle = first(x)[0]
    assert alike(exact(both, x), exact(first, x) + exact(second, middle))


@law(RIGHT, INPUTS)
def inverting_negates(flow: strategies.RandomFlow, x: torch.Tensor) -> None:
    back = measured(flow, flow(x)[0], "inverse")
    assert back.exact.ldj is not None
    assert back.said.ldj is not None
    assert alike(back.exact.ldj, -exact(flow, x))
    assert alike(back.said.ldj, back.exact.ldj)


@law(WRONG, INPUTS, st.randoms(use_true_random=False))
def permuting_the_batch_permutes(
    flow: strategies.RandomFlow, x: torch.Tensor, random: Any
) -> None:
    order = list(range(len(x)))
    random.shuffle(order)
    before, after = measured(flow, x), measured(flow, x[order])
    assert before.exact.ldj is not None
    assert after.exact.ldj is not None
    assert before.said.ldj is not None
    assert after.said.ldj is not None
    assert alike(after.exact.ldj, before.exact.ldj[order])
    assert alike(after.said.ldj, before.said.ldj[order])


@law(RIGHT, INPUTS, st.sampled_from([2.0, -3.0, 0.25, 1e-3, 50.0]))
def scaling_adds_dims_times_the_log(
    flow: strategies.RandomFlow, x: torch.Tensor, factor: float
) -> None:
    scaled = strategies.RandomFlow((*flow.steps, Scale((factor,))))
    dims = x[0].numel()
    assert alike(exact(scaled, x), exact(flow, x) + dims * math.log(abs(factor)))


@law(WRONG, WIDE)
def a_planted_mistake_is_found(flow: strategies.RandomFlow, x: torch.Tensor) -> None:
    side = measured(flow, x)
    assert side.exact.anchored
    assert side.disagrees


@law(RIGHT, INPUTS)
def an_unplanted_one_never_is(flow: strategies.RandomFlow, x: torch.Tensor) -> None:
    side = measured(flow, x)
    assert side.exact.anchored
    assert side.exact.ldj is not None
    assert not side.disagrees


LAWS = [
    composing_adds,
    inverting_negates,
    permuting_the_batch_permutes,
    scaling_adds_dims_times_the_log,
    a_planted_mistake_is_found,
    an_unplanted_one_never_is,
]


def hold(law: Law, examples: int) -> None:
    """Try a law on so many flows, the same ones in every run."""
    tried = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(given(*law.strategies)(law.claim))
    tried()


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.claim.__name__)
def test_a_law_holds(law: Law) -> None:
    hold(law, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.claim.__name__)
def test_a_law_holds_on_many_flows(law: Law) -> None:
    hold(law, MANY)


# The whole check, with all that it varies


def the_check_tells_them_apart(flow: strategies.RandomFlow) -> None:
    report = ldjcheck.check(flow, shape=(2, 3), direction="forward")
    assert report.status == ("pass" if flow.planted is None else "fail"), repr(flow)


@law(st.one_of(RIGHT, WRONG))
def checked(flow: strategies.RandomFlow) -> None:
    the_check_tells_them_apart(flow)


def test_the_whole_check_tells_right_flows_from_wrong_ones() -> None:
    hold(checked, 2)


@pytest.mark.slow
def test_the_whole_check_tells_many_right_flows_from_wrong_ones() -> None:
    hold(checked, 40)
