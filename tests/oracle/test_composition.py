"""Whole flows by their parts: the sum is right, or it is said not to be the flow's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ldjcheck.oracle.structures.by_structure import Wanted
from ldjcheck.oracle.structures.composition import Composition, Step, composed
from oracle.custom_functions import NoBackward

from .maps import (
    Map,
    actnorm,
    autoregressive,
    chunk_coupling,
    dense_ldj,
    mask_coupling,
    normal,
    one_by_one,
    planar,
    residual,
    shuffled,
    squeeze,
)


def recorded(maps: list[Map], x: Tensor) -> tuple[list[Step], Map]:
    """Return the steps of a flow that runs the maps one after the other, and the flow."""
    steps, at = [], x
    for each in maps:
        steps.append(Step(f=each, x=at))
        at = each(at.clone()).detach()

    def flow(v: Tensor) -> Tensor:
        for each in maps:
            v = each(v)
        return v

    return steps, flow


def assert_is_the_flows(found: Composition, flow: Map, x: Tensor) -> None:
    sign, exact = dense_ldj(flow, x)
    assert found.is_known.all(), (found.residual, found.bound, found.broken_at)
    torch.testing.assert_close(found.exact, exact, atol=1e-9, rtol=1e-10)
    assert torch.equal(found.sign, sign)
    assert found.allowed is not None
    assert (found.allowed < 1e-7).all()
    assert found.broken_at is None


def couplings(count: int, dims: int) -> list[Map]:
    halves: Map = lambda x: x.flip(1)  # noqa: E731 - one of a list
    return [
        each for seed in range(count) for each in (chunk_coupling(dims, seed), halves)
    ]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_flow_of_couplings_is_the_sum_over_its_parts(count: int) -> None:
    x = normal(0, 3, 30)
    steps, flow = recorded(couplings(count, 30), x)
    found = composed(steps, Step(f=flow, x=x))
    assert_is_the_flows(found, flow, x)
    words = [part.structure for part in found.parts]
    assert words == ["triangular", "permutation"] * count


def test_a_flow_of_all_kinds_of_parts_is_their_sum() -> None:
    dims = 36
    maps: list[Map] = [
        torch.sinh, planar(dims), residual(dims), lambda x: x[:, shuffled(dims)],
        autoregressive(dims), lambda x: -x,
    ]  # fmt: skip
    x = normal(0, 3, dims)
    steps, flow = recorded(maps, x)
    assert_is_the_flows(composed(steps, Step(f=flow, x=x)), flow, x)


def test_a_flow_of_images_is_the_sum_over_its_parts() -> None:
    maps: list[Map] = [
        mask_coupling((1, 4, 6)), squeeze, actnorm, one_by_one(4),
        mask_coupling((4, 2, 3), 1),
    ]  # fmt: skip
    x = normal(0, 3, 1, 4, 6)
    steps, flow = recorded(maps, x)
    found = composed(steps, Step(f=flow, x=x))
    assert_is_the_flows(found, flow, x)
    assert [part.structure for part in found.parts] == [
        "triangular", "permutation", "diagonal", "block", "triangular",
    ]  # fmt: skip


def multiscale(x: Tensor, first: Map, second: Map) -> tuple[Tensor, list[Step]]:
    """Return a flow that splits half of its numbers off, and what it calls where."""
    y = first(x)
    kept, done = y.chunk(2, dim=1)
    z = second(kept)
    steps = [Step(f=first, x=x.detach()), Step(f=second, x=kept.detach())]
    return torch.cat([done, z], dim=1), steps


def test_behind_a_split_a_part_takes_some_of_the_numbers() -> None:
    x = normal(0, 3, 40)
    first, second = chunk_coupling(40), residual(20)
    _, steps = multiscale(x, first, second)

    def flow(v: Tensor) -> Tensor:
        return multiscale(v, first, second)[0]

    found = composed(steps, Step(f=flow, x=x))
    assert_is_the_flows(found, flow, x)
    assert [sum(dims for _, dims in part.parts) for part in found.parts] == [40, 20]


def test_what_stands_between_the_parts_may_move_numbers_but_not_change_them() -> None:
    x = normal(0, 3, 30)
    one, other = chunk_coupling(30), residual(30, 1)
    order = shuffled(30)

    def flow(v: Tensor) -> Tensor:
        return other(one(v)[:, order]).flip(1)

    between = one(x)[:, order].detach()
    steps = [Step(f=one, x=x), Step(f=other, x=between)]
    assert_is_the_flows(composed(steps, Step(f=flow, x=x)), flow, x)


# What is no composition of the steps is told as that


def test_a_step_that_is_left_out_breaks_the_chain_there() -> None:
    x = normal(0, 3, 30)
    steps, flow = recorded([chunk_coupling(30), torch.sinh, residual(30)], x)
    for missing in range(3):
        left = [step for number, step in enumerate(steps) if number != missing]
        found = composed(left, Step(f=flow, x=x))
        assert found.broken_at == missing
        assert not found.is_known.any()


def test_numbers_that_are_scaled_between_the_parts_break_the_chain() -> None:
    x = normal(0, 3, 30)
    one, other = chunk_coupling(30), residual(30, 1)

    def flow(v: Tensor) -> Tensor:
        return other(one(v) / 2)

    steps = [Step(f=one, x=x), Step(f=other, x=(one(x) / 2).detach())]
    found = composed(steps, Step(f=flow, x=x))
    assert found.broken_at == 1
    assert not found.is_known.any()


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-6, 1e-9])
def test_what_leaves_the_numbers_and_changes_their_slopes_is_seen(size: float) -> None:
    x = normal(0, 3, 30)
    one, other = chunk_coupling(30), residual(30, 1)

    def unseen(v: Tensor) -> Tensor:
        return v + size * (v.flip(1) - v.flip(1).detach())

    def flow(v: Tensor) -> Tensor:
        return other(unseen(one(v)))

    steps = [Step(f=one, x=x), Step(f=other, x=one(x).detach())]
    found = composed(steps, Step(f=flow, x=x))
    assert found.broken_at is None
    assert not found.is_known.any()
    assert (found.residual > found.bound).all()


def test_a_step_that_takes_one_number_twice_breaks_the_chain() -> None:
    x = normal(0, 3, 30)
    steps = [Step(f=torch.sinh, x=torch.cat([x[:, :29], x[:, :1]], dim=1))]
    found = composed(steps, Step(f=torch.sinh, x=x))
    assert found.broken_at == 0


def test_the_sum_is_told_although_the_parts_are_not_the_whole() -> None:
    x = normal(0, 3, 30)
    steps = [Step(f=torch.sinh, x=x)]
    found = composed(steps, Step(f=torch.exp, x=x))
    assert found.broken_at == 1
    torch.testing.assert_close(found.exact, x.cosh().log().sum(1))


# What it takes


def test_calls_grow_with_the_number_of_parts_and_no_faster() -> None:
    x = normal(0, 3, 30)
    spent = []
    for count in (1, 2, 4, 8):
        steps, flow = recorded(couplings(count, 30), x)
        found = composed(steps, Step(f=flow, x=x), Wanted(anchor=False))
        spent.append(found.calls)
    assert spent == [1 + 2 * 2 * count for count in (1, 2, 4, 8)]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(range(6)), min_size=1, max_size=5), st.integers(0, 99))
def test_any_order_of_parts(kinds: list[int], seed: int) -> None:
    dims = 24
    known: list[Map] = [
        chunk_coupling(dims, seed), lambda x: x.flip(1), torch.sinh,
        residual(dims, seed), planar(dims, seed), autoregressive(dims, None, seed),
    ]  # fmt: skip
    x = normal(seed, 2, dims) / 4
    steps, flow = recorded([known[kind] for kind in kinds], x)
    assert_is_the_flows(composed(steps, Step(f=flow, x=x)), flow, x)


def test_where_a_part_has_no_way_back_the_chain_goes_forwards() -> None:
    x = normal(0, 3, 30)
    steps, flow = recorded([chunk_coupling(30), NoBackward.apply, torch.sinh], x)
    assert_is_the_flows(composed(steps, Step(f=flow, x=x)), flow, x)
