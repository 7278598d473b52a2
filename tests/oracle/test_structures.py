"""Laws of the oracle by structure, over maps of all structures."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ldjcheck.oracle.derivatives.products import NoProductsError, UnequalDimsError
from ldjcheck.oracle.structures.by_structure import Wanted, determinant
from oracle.custom_functions import ItemInBackward, NoBackward, NoDerivative

from .maps import EXAMPLES, Example, chunk_coupling, dense_ldj, normal, residual

if TYPE_CHECKING:
    from ldjcheck.oracle.structures.determinant import Determinant

every_example = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
few = settings(max_examples=15, deadline=None)


def assert_close(here: Tensor, there: Tensor) -> None:
    torch.testing.assert_close(here, there, atol=1e-10, rtol=1e-11)


def logs(each: float) -> Tensor:
    return torch.full((3,), each, dtype=torch.float64)


@cache
def told(name: str) -> tuple[Determinant, Tensor, int]:
    """Return what is told of an example, its points, and how often it was called."""
    example = EXAMPLES[name]
    calls = 0

    def counting(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return example.f(x)

    x = normal(1, 3, *example.shape)
    return determinant(counting, x), x, calls


# What is told of every map


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_what_the_whole_jacobian_says(name: str) -> None:
    found, x, _ = told(name)
    sign, exact = dense_ldj(EXAMPLES[name].f, x)
    assert_close(found.exact, exact)
    assert torch.equal(found.sign, sign)
    assert found.allowed is not None
    assert ((found.exact - exact).abs() <= found.allowed + 1e-12).all()
    assert (found.allowed < 1e-8).all()
    assert found.coupled is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_structure_is_named_and_found_in_few_products(name: str) -> None:
    found, _, _ = told(name)
    example = EXAMPLES[name]
    assert found.structure == example.structure
    if example.products is not None:
        assert found.products <= example.products
    assert sum(dims for _, dims in found.parts) == math.prod(example.shape)


@pytest.mark.parametrize("name", EXAMPLES)
def test_differences_confirm_it(name: str) -> None:
    found, _, _ = told(name)
    assert found.anchored is not None
    assert found.anchored.all()


@pytest.mark.parametrize("name", EXAMPLES)
def test_shares_of_the_dims_add_up(name: str) -> None:
    found, _, _ = told(name)
    if found.shares is not None:
        assert found.shares.shape == (3, math.prod(EXAMPLES[name].shape))
        assert_close(found.shares.sum(dim=1), found.exact)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_calls_are_counted(name: str) -> None:
    found, _, calls = told(name)
    assert found.calls == calls
    assert calls <= 1 + 6 * len(found.parts)


@every_example
def test_without_the_anchor_one_call_serves(example: Example) -> None:
    x = normal(1, 3, *example.shape)
    assert determinant(example.f, x, Wanted(anchor=False)).calls == 1


@every_example
def test_the_points_are_left_as_they_are(example: Example) -> None:
    x = normal(1, 3, *example.shape)
    before = x.clone()
    determinant(example.f, x)
    assert torch.equal(x, before)
    assert not x.requires_grad


@pytest.mark.thinned(6)
@every_example
def test_samples_have_the_value_that_they_have_alone(example: Example) -> None:
    x = normal(1, 3, *example.shape)
    alone = torch.cat([determinant(example.f, x[b : b + 1]).exact for b in range(3)])
    assert_close(determinant(example.f, x).exact, alone)


@pytest.mark.thinned(3)
@every_example
def test_another_seed_draws_other_vectors_and_finds_the_same(example: Example) -> None:
    x = normal(1, 3, *example.shape)
    assert_close(
        determinant(example.f, x, Wanted(seed=1)).exact,
        determinant(example.f, x, Wanted(seed=2)).exact,
    )


@every_example
def test_float32_is_as_good_as_float32_is(example: Example) -> None:
    x = normal(1, 3, *example.shape)
    try:
        assert example.f(x.float()).dtype == torch.float32
    except (AssertionError, RuntimeError):
        pytest.skip("it holds numbers in float64")
    found = determinant(example.f, x.float())
    assert found.allowed is not None
    exact = dense_ldj(example.f, x.float().double())[1]
    assert ((found.exact - exact).abs() <= found.allowed + 1e-5).all()


# Laws of compositions


@few
@given(st.sampled_from(sorted(EXAMPLES)), st.floats(0.01, 100.0), st.integers(0, 99))
def test_scaling_adds_a_logarithm_per_dim(name: str, a: float, seed: int) -> None:
    example = EXAMPLES[name]
    x = normal(seed, 2, *example.shape)
    plain = determinant(example.f, x).exact
    scaled = determinant(lambda v: a * example.f(v), x).exact
    torch.testing.assert_close(scaled, plain + x[0].numel() * math.log(a))


@few
@given(st.sampled_from(sorted(EXAMPLES)), st.integers(0, 99))
def test_permuting_the_batch_permutes_it(name: str, seed: int) -> None:
    example = EXAMPLES[name]
    x = normal(seed, 4, *example.shape)
    order = [2, 0, 3, 1]
    assert_close(
        determinant(example.f, x[order]).exact, determinant(example.f, x).exact[order]
    )


@few
@given(st.integers(0, 999), st.integers(21, 60), st.floats(0.1, 30.0))
def test_couplings_of_any_size_and_steepness(
    seed: int, dims: int, steepness: float
) -> None:
    f = chunk_coupling(dims, seed, steepness)
    x = normal(seed, 3, dims)
    found = determinant(f, x)
    assert_close(found.exact, dense_ldj(f, x)[1])
    assert found.products <= 6


# Ways of differentiating


@pytest.mark.parametrize("dims", [3, 30])
def test_a_backward_that_vmap_cannot_go_through_is_gone_through_in_a_loop(
    dims: int,
) -> None:
    f = residual(dims)
    found = determinant(lambda x: f(ItemInBackward.apply(x)), normal(0, 3, dims))
    assert_close(found.exact, dense_ldj(lambda x: f(3 * x), normal(0, 3, dims))[1])
    assert found.method == ("reverse-looped" if dims > 20 else "reverse")


@pytest.mark.parametrize("dims", [3, 30])
def test_where_there_is_no_way_back_forward_mode_serves(dims: int) -> None:
    f = chunk_coupling(dims)
    x = normal(0, 3, dims)
    found = determinant(lambda v: NoBackward.apply(f(v)), x)
    assert_close(found.exact, dense_ldj(lambda v: 3 * f(v), x)[1])
    found = determinant(NoBackward.apply, x)

    assert_close(found.exact, logs(dims * math.log(3.0)))


def test_rows_that_pass_are_found_in_forward_mode_as_well() -> None:
    f = chunk_coupling(40)

    def one_way(x: Tensor) -> Tensor:
        y = f(x)
        return torch.cat([y[:, :20], NoBackward.apply(y[:, 20:])], dim=1)

    found = determinant(one_way, normal(0, 3, 40))
    assert found.parts == (("identity", 20), ("diagonal", 20))
    assert found.products <= 8
    assert_close(found.exact, determinant(f, normal(0, 3, 40)).exact + 20 * math.log(3))


@pytest.mark.parametrize("dims", [3, 30])
def test_where_nothing_differentiates_differences_serve(dims: int) -> None:
    x = normal(0, 3, dims)
    found = determinant(lambda v: NoDerivative.apply(torch.sinh(v)), x)
    assert found.allowed is not None
    exact = dims * math.log(3.0) + x.cosh().log().sum(dim=1)
    assert ((found.exact - exact).abs() <= found.allowed).all()
    assert (found.allowed < 1e-3).all()
    assert (found.exact - exact).abs().max() < 1e-7


def test_differences_are_refused_where_nobody_wants_them() -> None:
    with pytest.raises(NoProductsError):
        determinant(NoDerivative.apply, normal(0, 3, 4), Wanted(differences=False))


def test_a_map_that_forgets_its_graph_is_called_once_more_for_each_product() -> None:
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
            ctx.gone = False  # type: ignore[attr-defined]
            return 2 * x

        @staticmethod
        def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
            assert not ctx.gone, "the way back was gone already"  # type: ignore[attr-defined]
            ctx.gone = True  # type: ignore[attr-defined]
            return 2 * grad

    found = determinant(Once.apply, normal(0, 3, 30))
    assert_close(found.exact, logs(30 * math.log(2.0)))


# What is not true of the map that was computed


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * torch.exp(x.mean(1, keepdim=True).detach()),
        lambda x: torch.sinh(x.detach()) - x.detach() + 2 * x,
        lambda x: x + 0.3 * torch.tanh(x.roll(1, 1)).detach(),
        lambda x: x.clone() + 1e-3 * (x.flip(1) ** 2).detach(),
    ],
    ids=["scale", "slope", "neighbour", "little"],
)
@pytest.mark.parametrize("dims", [4, 30])
def test_what_is_detached_is_not_confirmed(f: object, dims: int) -> None:
    found = determinant(f, normal(0, 3, dims))  # type: ignore[arg-type]
    assert found.anchored is not None
    assert not found.anchored.any()


def test_slopes_that_do_not_count_need_no_confirmation() -> None:
    """What a coupling layer's network does may be detached: it is not in det J."""

    def f(x: Tensor) -> Tensor:
        p, q = x.chunk(2, dim=1)
        return torch.cat([p, q * torch.exp(torch.tanh(1e6 * p).detach())], dim=1)

    x = normal(0, 3, 40)
    found = determinant(f, x)
    assert found.parts == (("identity", 20), ("diagonal", 20))
    assert found.anchored is not None
    assert found.anchored.all()
    assert_close(found.exact, torch.tanh(1e6 * x[:, :20]).sum(dim=1))


def test_a_row_of_small_numbers_is_confirmed_for_itself() -> None:
    """Where one output of many is wrong, and small beside the others."""
    scale = torch.logspace(-4, 4, 30, dtype=torch.float64)

    def f(x: Tensor) -> Tensor:
        y = scale * torch.sinh(x)
        return torch.cat([y[:, :1] * x[:, :1].exp().detach(), y[:, 1:]], dim=1)

    found = determinant(f, normal(0, 3, 30))
    assert found.anchored is not None
    assert not found.anchored.any()


def test_what_is_rounded_is_singular_as_it_stands() -> None:
    found = determinant(lambda x: (4 * x).floor() + 0 * x, normal(0, 3, 30))
    assert (found.exact == -math.inf).all()


# Limits


def test_numbers_of_many_orders_of_magnitude_are_no_hindrance() -> None:
    scale = torch.logspace(-150, 150, 61, dtype=torch.float64)
    x = normal(0, 3, 61)
    found = determinant(lambda v: scale * torch.sinh(v), x)
    assert found.structure == "diagonal"
    assert_close(found.exact, x.cosh().log().sum(dim=1))


def test_a_map_that_changes_the_number_of_dims_has_none() -> None:
    with pytest.raises(UnequalDimsError):
        determinant(lambda x: x[:, :3], normal(0, 3, 4))


def test_samples_that_are_not_finite_are_not_known() -> None:
    x = normal(0, 3, 30)
    x[1, 4] = math.nan
    found = determinant(torch.exp, x)
    assert found.is_known.tolist() == [True, False, True]
    assert_close(found.exact[[0, 2]], x[[0, 2]].sum(dim=1))


def test_a_dense_jacobian_that_nobody_can_afford_is_told_beforehand() -> None:
    costs = []

    def refuse(cost: object) -> bool:
        costs.append(cost)
        return False

    found = determinant(residual(60), normal(0, 3, 60), Wanted(afford=refuse))
    assert not found.is_known.any()
    assert found.structure is None
    assert found.refused is not None
    assert found.refused.products == 60
    assert str(found.refused).startswith("60 backward passes, about ")
    assert found.products < 20
    assert determinant(
        torch.exp, normal(0, 3, 60), Wanted(afford=refuse)
    ).is_known.all()
