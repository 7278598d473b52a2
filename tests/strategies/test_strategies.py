"""The strategies give what they promise, and shrink to what is simplest."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributions import constraints

import ldjcheck
from ldjcheck import strategies

SHAPES = strategies.event_shapes()


def anything(value: Any) -> bool:
    return True


# What they give


@given(SHAPES, st.data())
def test_shapes_stay_within_their_bounds(shape: tuple[int, ...], data: Any) -> None:
    assert 1 <= len(shape) <= 3
    assert math.prod(shape) <= 64
    images = strategies.event_shapes(min_rank=3, min_size=2, max_size=4)
    assert all(2 <= size <= 4 for size in data.draw(images))


@given(strategies.inputs(SHAPES, batch=2))
def test_inputs_are_batches_of_float64(x: torch.Tensor) -> None:
    assert x.dtype == torch.float64
    assert len(x) == 2
    assert x.isfinite().all()


@pytest.mark.parametrize(
    ("domain", "low", "high"),
    [("unit", 0, 1), ("positive", 0, math.inf), ("interval:-2:3", -2, 3)],
)
def test_inputs_lie_inside_their_domain(domain: str, low: float, high: float) -> None:
    @settings(max_examples=30)
    @given(strategies.inputs((3,), domain))
    def inside(x: torch.Tensor) -> None:
        assert ((x > low) & (x < high)).all()

    inside()


@given(strategies.inputs((2, 2), "int:0:7"))
def test_whole_numbers_include_both_ends_and_nothing_beyond(x: torch.Tensor) -> None:
    assert torch.equal(x, x.round())
    assert ((x >= 0) & (x <= 7)).all()


@pytest.mark.parametrize(
    "constraint",
    [
        constraints.real,
        constraints.positive,
        constraints.unit_interval,
        constraints.interval(-1.0, 4.0),
        constraints.simplex,
        constraints.lower_cholesky,
        constraints.integer_interval(2, 5),
    ],
    ids=str,
)
def test_inputs_keep_a_constraint(constraint: constraints.Constraint) -> None:
    @settings(max_examples=25)
    @given(strategies.inputs((3, 3), constraint))
    def kept(x: torch.Tensor) -> None:
        assert x.shape[1:] == (3, 3)
        assert constraint.check(x).all()

    kept()


@given(SHAPES.flatmap(strategies.masks))
def test_masks_hold_both_kinds_of_entries(mask: torch.Tensor) -> None:
    assert mask.any()
    assert mask.numel() == 1 or not mask.all()


@given(strategies.parameters(nn.Linear(3, 2), scale=2.0))
def test_parameters_fit_the_layer(values: dict[str, torch.Tensor]) -> None:
    layer = nn.Linear(3, 2)
    layer.load_state_dict(values)
    assert all(p.abs().max() <= 2.0 for p in layer.parameters())


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(strategies.flows(), st.data())
def test_flows_undo_themselves_and_report_what_they_do(
    flow: strategies.RandomFlow, data: Any
) -> None:
    x = data.draw(strategies.inputs(SHAPES, "interval:-2:2"))
    y, ldj = flow(x)
    back, other = flow.inverse(y)
    assert torch.allclose(back, x, atol=1e-8)
    assert torch.allclose(other, -ldj, atol=1e-8)
    assert torch.allclose(ldj, ldjcheck.exact_ldj(lambda v: flow(v)[0], x)[1])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    strategies.flows(mistakes=["sign", "once", "mean", "twice", "dropped"]),
    strategies.inputs((3,), "interval:-2:2"),
)
def test_a_planted_mistake_is_one(flow: strategies.RandomFlow, x: torch.Tensor) -> None:
    exact = ldjcheck.exact_ldj(lambda v: flow(v)[0], x)[1]
    assert ((flow(x)[1] - exact).abs() > 1e-3).all()


def test_a_flow_can_be_written_down_and_made_again() -> None:
    names = {name: getattr(strategies, name) for name in ("Planted", "RandomFlow")}
    from ldjcheck.strategies import flow as steps

    scope = {
        **names,
        **{n: getattr(steps, n) for n in ("Scale", "Bend", "Couple", "Turn")},
    }
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)

    @settings(max_examples=20)
    @given(strategies.flows(mistakes=["sign"]))
    def again(flow: strategies.RandomFlow) -> None:
        twin = eval(repr(flow), scope)  # our own words
        assert torch.equal(twin(x)[1], flow(x)[1])

    again()


def test_a_mistake_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such mistake: 'typo'"):
        strategies.flows(mistakes=["typo"])  # type: ignore[list-item]  # that is the point


# What they shrink to


def test_shapes_shrink_to_one_entry() -> None:
    assert find(SHAPES, anything) == (1,)
    same_tries = settings(derandomize=True)  # in some orders hypothesis stops at (2, 2)
    assert find(SHAPES, lambda s: math.prod(s) > 3, settings=same_tries) == (4,)


def test_seeds_shrink_to_zero() -> None:
    assert find(strategies.seeds(), anything) == 0


@pytest.mark.slow
def test_inputs_shrink_to_one_sample_of_simple_numbers() -> None:
    x = find(strategies.inputs(SHAPES), anything)
    assert torch.equal(x, torch.zeros(1, 1, dtype=torch.float64))
    shapes = strategies.event_shapes(max_rank=1)
    far = find(strategies.inputs(shapes), lambda v: bool((v > 3).any()))
    assert far.tolist() == [[4.0]]


def test_masks_shrink_to_one_true_entry() -> None:
    assert find(strategies.masks((4,)), anything).sum() == 1


@pytest.mark.slow
def test_parameters_shrink_to_zeros() -> None:
    found = find(strategies.parameters(nn.Linear(2, 2)), anything)
    assert all(not value.any() for value in found.values())


@pytest.mark.slow
def test_flows_shrink_to_one_step() -> None:
    assert len(find(strategies.flows(max_steps=2), anything).steps) == 1
    found = find(strategies.flows(max_steps=2, mistakes=["sign", "twice"]), anything)
    assert repr(found) == (
        "RandomFlow((Scale(factors=(2.0,)),), Planted(step=0, mistake='sign'))"
    )


def test_hypothesis_is_not_loaded_by_the_package() -> None:
    import subprocess
    import sys

    code = "import ldjcheck, sys; print({'torch', 'hypothesis'} & set(sys.modules))"
    done = subprocess.run(  # our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
