"""Steps that are written one after the other in one method, with no call between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from ldjcheck.oracle.structures.by_structure import Wanted
from ldjcheck.oracle.structures.composition import determined
from ldjcheck.running.observers.calls import SubmoduleCalls

from .maps import (
    Map,
    actnorm,
    autoregressive,
    chained,
    chunk_coupling,
    dense_ldj,
    normal,
    one_by_one,
    planar,
)

if TYPE_CHECKING:
    from ldjcheck.oracle.structures.determinant import Determinant

DIMS = 130
# torch before 2.4 does not say what a recorded place holds: then no step is told apart.
SAYS = hasattr(torch.ones(1, requires_grad=True).exp().grad_fn, "_input_metadata")
OF_STEPS = "composition" if SAYS else "reverse"


def found(f: Map, x: Tensor) -> Determinant:
    return determined(f, x, SubmoduleCalls(), Wanted())


def assert_is_known(f: Map, x: Tensor, method: str = OF_STEPS) -> None:
    known, (sign, exact) = found(f, x), dense_ldj(f, x)
    assert known.method == method
    torch.testing.assert_close(known.exact, exact, atol=1e-8, rtol=1e-9)
    assert torch.equal(known.sign, sign)
    assert known.anchored is not None
    assert known.anchored.all()


def turned(x: Tensor) -> Tensor:
    return x.flip(1)


def through_a_network(x: Tensor) -> Tensor:
    """Images whose upper half scales the lower one."""
    a, b = x.chunk(2, dim=2)
    s = torch.tanh(torch.nn.functional.conv2d(a, KERNEL, padding=1))
    return torch.cat([a, b * s.exp()], dim=2)


KERNEL = normal(5, 2, 2, 3, 3) / 3


@pytest.mark.parametrize(
    "maps",
    [
        (chunk_coupling(DIMS), turned, chunk_coupling(DIMS, 1)),
        (chunk_coupling(DIMS), turned, autoregressive(DIMS), torch.sinh, planar(DIMS)),
        (turned, chunk_coupling(DIMS), turned, planar(DIMS), turned, planar(DIMS)),
    ],
    ids=["couplings", "kinds of all sorts", "orders between them"],
)
def test_steps_in_a_row_are_told_apart_where_all_goes_through(
    maps: tuple[Map, ...],
) -> None:
    assert_is_known(chained(*maps), normal(0, 3, DIMS))


def test_a_mixing_of_channels_before_a_coupling_is_a_step() -> None:
    f = chained(actnorm, one_by_one(2), through_a_network)
    assert_is_known(f, normal(1, 3, 2, 8, 10))


@pytest.mark.skipif(not SAYS, reason="this torch does not say what a place holds")
def test_it_takes_few_products() -> None:
    f = chained(actnorm, one_by_one(2), through_a_network)
    assert found(f, normal(1, 3, 2, 8, 10)).products <= 160


@pytest.mark.parametrize("size", [1e-4, 1.0])
def test_what_goes_past_a_step_is_not_left_out(size: float) -> None:
    first, second = chunk_coupling(DIMS), chunk_coupling(DIMS, 1)

    def f(x: Tensor) -> Tensor:
        y = second(turned(first(x)))
        return y + size * torch.tanh(x.roll(7, dims=1))

    known, (_, exact) = found(f, normal(2, 3, DIMS)), dense_ldj(f, normal(2, 3, DIMS))
    torch.testing.assert_close(known.exact, exact, atol=1e-8, rtol=1e-9)


def test_a_point_whose_first_axis_is_not_the_batch_is_no_step() -> None:
    """Two channels, and two samples: what is exchanged looks like a batch."""

    def f(x: Tensor) -> Tensor:
        mixed = through_a_network(x)
        exchanged = mixed.transpose(0, 1) * normal(7, 2, 2, 8, 10).exp()
        return planar(160)(exchanged.transpose(0, 1).flatten(1))

    x = normal(3, 2, 2, 8, 10)
    assert_is_known(f, x, method=found(f, x).method)


def test_samples_that_meet_between_two_steps_are_not_summed_up() -> None:
    def f(x: Tensor) -> Tensor:
        y = chunk_coupling(DIMS)(x)
        y = y + 0.3 * torch.tanh(y.roll(1, dims=0))
        return planar(DIMS)(y)

    known = found(f, normal(4, 3, DIMS))
    assert known.method != "composition"
    assert known.coupled is not None
    assert known.coupled.all()


def test_what_autograd_does_not_see_contradicts_differences() -> None:
    def f(x: Tensor) -> Tensor:
        y = chunk_coupling(DIMS)(x)
        return planar(DIMS)(y * (1 + 0.1 * torch.tanh(y.detach())))

    known = found(f, normal(5, 3, DIMS))
    assert known.anchored is not None
    assert not known.anchored.any()
