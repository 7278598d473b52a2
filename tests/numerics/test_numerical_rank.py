"""Rank is lost by a gap among singular values, however a matrix is scaled or rounded."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from last_bits import other
from torch import Tensor

import ldjcheck
from ldjcheck.numerics.numerical_rank import (
    clear_sign,
    has_both_signs,
    log_abs_det_at_least,
    loses_rank,
)
from ldjcheck.numerics.tolerance import lost_below
from ldjcheck.oracle.derivatives.jacobian import log_abs_det

SEEDS = st.integers(0, 10_000)
DIMS = st.integers(2, 12)


def below(matrix: Tensor) -> float:
    return lost_below(len(matrix), "float64")


def product(dims: int, rank: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    left = torch.randn(dims, rank, generator=draw, dtype=torch.float64)
    return left @ torch.randn(rank, dims, generator=draw, dtype=torch.float64)


def with_sizes(sizes: Tensor, seed: int) -> Tensor:
    """Return a matrix with these singular values."""
    draw = torch.Generator().manual_seed(seed)
    pair = torch.randn(2, len(sizes), len(sizes), generator=draw, dtype=torch.float64)
    left, right = torch.linalg.qr(pair).Q
    return (left * sizes) @ right


def hilbert(dims: int) -> Tensor:
    i = torch.arange(dims, dtype=torch.float64)
    return 1 / (i[:, None] + i + 1)


@given(DIMS, st.data(), SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_product_of_thin_matrices_loses_rank_with_whatever_last_bits(
    dims: int, data: st.DataObject, seed: int
) -> None:
    rank = data.draw(st.integers(1, dims - 1))
    matrix = product(dims, rank, seed)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(3):
        matrix = other(matrix, draw)
        assert loses_rank(matrix, below(matrix))
        sign, log = log_abs_det(matrix[None], below(matrix))
        assert (float(sign), float(log)) == (0.0, -math.inf)


@given(DIMS, SEEDS, st.floats(-80, 80))
@settings(max_examples=40, deadline=None)
def test_scaling_dims_one_by_one_loses_no_rank_and_finds_none(
    dims: int, seed: int, reach: float
) -> None:
    scales = torch.logspace(-reach, reach, dims, dtype=torch.float64)
    turn = with_sizes(torch.ones(dims, dtype=torch.float64), seed)
    for scaled in (turn * scales, scales[:, None] * turn):
        assert not loses_rank(scaled, below(scaled))
    thin = product(dims, dims - 1, seed)
    assert loses_rank(scales[:, None] * thin, below(thin))


@pytest.mark.parametrize("smallest", [1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_squeezed_and_not_by_rounding_is_kept(
    smallest: float, seed: int
) -> None:
    sizes = torch.ones(6, dtype=torch.float64)
    sizes[-1] = smallest
    matrix = with_sizes(sizes, seed)
    assert not loses_rank(matrix, below(matrix))
    exact = float(log_abs_det(matrix[None], below(matrix))[1])
    assert exact == pytest.approx(math.log(smallest), rel=1e-2)


@pytest.mark.parametrize("dims", [8, 12, 20, 40])
def test_what_falls_off_step_by_step_is_regular_and_its_logarithm_a_number(
    dims: int,
) -> None:
    matrix = hilbert(dims)
    assert not loses_rank(matrix, below(matrix))
    assert math.isfinite(float(log_abs_det(matrix[None], below(matrix))[1]))
    assert math.isfinite(log_abs_det_at_least(matrix))


def test_a_zero_that_elimination_meets_in_a_regular_matrix_is_no_zero() -> None:
    sizes = torch.logspace(-30, 0, 31, dtype=torch.float64)  # half of them drown
    for seed in range(20):
        matrix = with_sizes(sizes, seed)
        log = float(log_abs_det(matrix[None], below(matrix))[1])
        assert math.isfinite(log)


@pytest.mark.parametrize("dims", [255, 300])
def test_a_large_matrix_is_asked_as_a_small_one_is(dims: int) -> None:
    assert loses_rank(product(dims, dims - 1, 0), lost_below(dims, "float64"))
    assert not loses_rank(product(dims, dims, 0), lost_below(dims, "float64"))


def test_rows_of_zeros_lose_rank_and_a_matrix_of_zeros_does() -> None:
    matrix = torch.eye(3, dtype=torch.float64) + 0.5
    matrix[1] = 0.0
    assert loses_rank(matrix, below(matrix))
    assert loses_rank(torch.zeros(3, 3, dtype=torch.float64), below(matrix))


def test_pivots_that_stand_alone_are_no_rounding_however_small() -> None:
    steep = torch.tensor([[1.0, 0.0], [1e20, 1e-20]], dtype=torch.float64)
    sign, log = log_abs_det(steep[None], below(steep))
    assert (float(sign), float(log)) == (1.0, pytest.approx(math.log(1e-20)))


def test_the_sign_of_what_rounding_left_is_not_told() -> None:
    assert clear_sign(product(4, 3, 0)) is None
    assert clear_sign(torch.diag(torch.tensor([1.0, -2.0]).double())) == -1.0
    assert clear_sign(torch.full((2, 2), math.nan)) is None


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_rests_of_rounding_have_no_two_signs(seed: int) -> None:
    thin = [product(4, 3, seed + n) for n in range(6)]
    assert not has_both_signs(torch.stack(thin))
    assert has_both_signs(torch.stack([torch.eye(3), torch.diag(-torch.ones(3))]))


def test_the_oracle_says_minus_infinity_on_every_processor() -> None:
    weight = product(5, 3, 1)
    x = torch.randn(2, 5, dtype=torch.float64)
    for dtype in (torch.float64, torch.float32):
        sign, log = ldjcheck.exact_ldj(lambda v: v @ weight.to(v.dtype), x.to(dtype))
        assert sign.tolist() == [0.0, 0.0]
        assert log.tolist() == [-math.inf, -math.inf]
