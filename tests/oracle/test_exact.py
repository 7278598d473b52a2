"""The oracle: exact log-determinants of maps whose Jacobian is known in closed form."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ldjcheck
from ldjcheck.oracle.derivatives.jacobian import (
    NoJacobianError,
    difference_jacobian,
    exact_jacobian,
    ldj_error,
    log_abs_det,
)
from oracle.custom_functions import ItemInBackward, NoBackward, NoDerivative

few = settings(max_examples=12, deadline=None)
seeds = st.integers(0, 2**31)
dims_ = st.integers(1, 6)
batches = st.integers(1, 5)


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def assert_close(a: Tensor, b: Tensor, atol: float = 1e-11) -> None:
    torch.testing.assert_close(a, b, rtol=1e-11, atol=atol)


def bent(x: Tensor) -> Tensor:
    """Return a map of the whole sample: every output hangs on every input."""
    return x + 0.3 * torch.sin(x.sum(dim=1, keepdim=True) + x)


# Closed forms


@few
@given(seeds, dims_, batches)
def test_a_linear_map_is_its_own_jacobian(seed: int, dims: int, batch: int) -> None:
    a = normal(seed, dims, dims)
    found, coupling, method = exact_jacobian(lambda x: x @ a.T, normal(1, batch, dims))
    assert_close(found, a.expand(batch, dims, dims))
    assert (coupling, method) == (0.0, "reverse")


@few
@given(seeds, dims_, batches)
def test_an_elementwise_map_sums_the_logs_of_its_slopes(
    seed: int, dims: int, batch: int
) -> None:
    x = normal(seed, batch, dims)
    sign, ldj = ldjcheck.exact_ldj(torch.sinh, x)
    assert_close(ldj, torch.cosh(x).log().sum(1))
    assert (sign == 1).all()


@few
@given(seeds, dims_, batches)
def test_a_cubed_radius_has_a_rank_one_jacobian(
    seed: int, dims: int, batch: int
) -> None:
    # y = |x|^2 x has J = |x|^2 I + 2 x x', so log|det J| = D log|x|^2 + log 3.
    x = normal(seed, batch, dims) + 0.1
    _, ldj = ldjcheck.exact_ldj(lambda v: v * (v * v).sum(1, keepdim=True), x)
    assert_close(ldj, dims * (x * x).sum(1).log() + math.log(3), atol=1e-9)


def test_polar_coordinates_stretch_by_the_radius() -> None:
    x = torch.tensor([[0.5, 0.1], [2.0, -1.0]], dtype=torch.float64)
    sign, ldj = ldjcheck.exact_ldj(
        lambda v: torch.stack([v[:, 0] * v[:, 1].cos(), v[:, 0] * v[:, 1].sin()], 1), x
    )
    assert_close(ldj, x[:, 0].log())
    assert sign.tolist() == [1.0, 1.0]


def test_a_reflection_has_sign_minus_one() -> None:
    sign, ldj = ldjcheck.exact_ldj(lambda v: v.flip(1), normal(0, 3, 2))
    assert sign.tolist() == [-1.0] * 3
    assert ldj.tolist() == [0.0] * 3


def test_images_are_flattened_sample_by_sample() -> None:
    x = normal(0, 3, 2, 3, 4)
    scale = torch.tensor([2.0, 0.25], dtype=torch.float64)
    _, ldj = ldjcheck.exact_ldj(lambda v: v * scale.view(1, 2, 1, 1), x)
    assert_close(ldj, torch.full((3,), 12 * math.log(0.5), dtype=torch.float64))


def test_a_collapsing_map_has_minus_infinity() -> None:
    _, ldj = ldjcheck.exact_ldj(lambda v: v * torch.tensor([1.0, 0.0]), normal(0, 2, 2))
    assert ldj.tolist() == [-math.inf] * 2


# Laws of every flow


@few
@given(seeds, dims_, batches)
def test_composing_adds_and_inverting_negates(seed: int, dims: int, batch: int) -> None:
    x = normal(seed, batch, dims)
    a = normal(seed + 1, dims, dims) + 3 * torch.eye(dims)
    y = bent(x)
    _, first = ldjcheck.exact_ldj(bent, x)
    _, second = ldjcheck.exact_ldj(lambda v: v @ a.T, y)
    _, both = ldjcheck.exact_ldj(lambda v: bent(v) @ a.T, x)
    _, back = ldjcheck.exact_ldj(lambda v: torch.linalg.solve(a, v.T).T, y @ a.T)
    assert_close(both, first + second, atol=1e-9)
    assert_close(back, -second, atol=1e-9)


@few
@given(seeds, st.permutations(range(4)))
def test_permuting_the_batch_permutes_the_ldj(seed: int, order: list[int]) -> None:
    x = normal(seed, 4, 3)
    _, ldj = ldjcheck.exact_ldj(bent, x)
    _, permuted = ldjcheck.exact_ldj(bent, x[order])
    assert_close(permuted, ldj[order])


@few
@given(seeds, dims_, st.floats(0.01, 100))
def test_scaling_by_a_adds_the_log_of_a_per_dim(seed: int, dims: int, a: float) -> None:
    x = normal(seed, 2, dims)
    _, ldj = ldjcheck.exact_ldj(bent, x)
    _, scaled = ldjcheck.exact_ldj(lambda v: a * bent(v), x)
    assert_close(scaled, ldj + dims * math.log(a), atol=1e-9)


# Samples


def test_samples_that_meet_in_the_batch_mean_are_coupled() -> None:
    _, coupling, _ = exact_jacobian(lambda x: x + x.mean(0), normal(0, 4, 3))
    assert coupling == pytest.approx(0.25)


@pytest.mark.parametrize(("batch", "dims"), [(4, 64), (4, 65)])
def test_few_and_many_dims_give_the_same_jacobian(batch: int, dims: int) -> None:
    x = normal(0, batch, dims)
    found, coupling, _ = exact_jacobian(bent, x)
    lean = 0.3 * torch.cos(x.sum(1, keepdim=True) + x)
    expected = torch.eye(dims) + lean[:, :, None] * (1 + torch.eye(dims))
    assert_close(found, expected)
    assert coupling == (0.0 if batch * dims <= 256 else None)


def test_more_outputs_than_one_chunk_holds_are_put_together_in_order() -> None:
    x = normal(0, 2, 300)
    slopes = torch.linspace(1, 2, 300, dtype=torch.float64)
    found, _, _ = exact_jacobian(lambda v: v * slopes, x)
    assert_close(found, torch.diag(slopes).expand(2, 300, 300))


# Fallbacks


def autoregressive_in_place(y: Tensor) -> Tensor:
    """Return x with y[i] = exp(x[i-1]^2) x[i], filled in entry by entry."""
    x = torch.zeros_like(y)
    for i in range(y.shape[1]):
        given = x[:, max(i - 1, 0)] ** 2
        x[:, i] = y[:, i] * torch.exp(-given if i else 0 * given)
    return x


def test_a_backward_that_reads_numbers_is_run_row_by_row() -> None:
    found, _, method = exact_jacobian(ItemInBackward.apply, normal(0, 3, 9))
    assert method == "reverse-looped"
    assert_close(found, (3 * torch.eye(9, dtype=torch.float64)).expand(3, 9, 9))


@pytest.mark.slow
def test_few_rows_are_run_one_by_one_anyway_and_need_no_compiler() -> None:
    code = """
import sys, torch
from ldjcheck.oracle.derivatives.jacobian import exact_jacobian
found, _, method = exact_jacobian(lambda x: x.exp(), torch.zeros(3, 4).double())
assert method == "reverse" and torch.equal(found[0], torch.eye(4).double())
assert "sympy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("dims", [2, 130])
def test_where_reverse_mode_raises_forward_mode_answers(dims: int) -> None:
    found, _, method = exact_jacobian(NoBackward.apply, normal(0, 2, dims))
    assert method == "forward"
    assert_close(found, (3 * torch.eye(dims, dtype=torch.float64)).expand(2, -1, -1))


@pytest.mark.slow
def test_an_inverse_that_fills_in_place_has_its_exact_ldj() -> None:
    y = normal(0, 3, 4)
    x = autoregressive_in_place(y)
    _, ldj = ldjcheck.exact_ldj(autoregressive_in_place, y)
    assert_close(ldj, -(x[:, :-1] ** 2).sum(1))


def test_a_map_without_any_derivative_is_said_to_have_none() -> None:
    with pytest.raises(NoJacobianError):
        exact_jacobian(NoDerivative.apply, normal(0, 3, 2))
    with pytest.raises(ValueError, match="does not go through"):
        ldjcheck.exact_ldj(NoDerivative.apply, normal(0, 3, 2))


@few
@given(seeds, dims_)
def test_differences_agree_with_autograd_on_smooth_maps(seed: int, dims: int) -> None:
    x = normal(seed, 3, dims)
    exact, _, _ = exact_jacobian(bent, x)
    found, errors = difference_jacobian(bent, x)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-8)
    assert ((found - exact).abs() <= errors + 1e-9).all()


# What exact_ldj refuses


def test_a_map_that_drops_dims_has_no_determinant() -> None:
    with pytest.raises(ValueError, match="3 dims to 2"):
        ldjcheck.exact_ldj(lambda x: x[:, :2], normal(0, 4, 3))


def test_the_points_are_left_as_they_were() -> None:
    x = normal(0, 3, 2).requires_grad_()
    before = x.detach().clone()
    ldjcheck.exact_ldj(lambda v: v * v, x)
    assert torch.equal(x.detach(), before)
    assert x.grad is None


@few
@given(seeds, dims_, batches)
def test_log_abs_det_is_that_of_each_matrix(seed: int, dims: int, batch: int) -> None:
    matrices = normal(seed, batch, dims, dims)
    sign, ldj = log_abs_det(matrices)
    assert_close(sign * ldj.exp(), torch.stack([m.det() for m in matrices]))


@few
@given(seeds, dims_, st.floats(0.0, 1.0))
def test_zeros_change_no_determinant_and_no_sign(
    seed: int, dims: int, filled: float
) -> None:
    holes = torch.rand(
        (3, dims, dims), generator=torch.Generator().manual_seed(seed + 1)
    )
    matrices = normal(seed, 3, dims, dims) * (holes < filled)
    sign, log = log_abs_det(matrices)
    known = [torch.linalg.slogdet(matrix) for matrix in matrices]
    regular = (
        torch.stack([k[1] for k in known]) > -20
    )  # what rounding leaves of 0 apart
    assert_close(sign[regular], torch.stack([k[0] for k in known])[regular])
    assert_close(log[regular], torch.stack([k[1] for k in known])[regular], atol=1e-8)
    assert (log[~regular] < -20).all()


@few
@given(seeds, st.floats(1.0, 1e14))
def test_the_slopes_of_a_steep_network_do_not_drown_the_scales(
    seed: int, steepness: float
) -> None:
    """Of a coupling they stand beside the pivots, in whatever order the entries are."""
    scales = 0.5 + normal(seed, 2, 3).abs()
    jacobian = torch.eye(6, dtype=torch.float64).repeat(2, 1, 1)
    jacobian[:, 3:, :3] = steepness * normal(seed + 1, 2, 3, 3)
    jacobian[:, 3:, 3:] = torch.diag_embed(scales)
    rows, columns = (
        torch.randperm(6, generator=torch.Generator().manual_seed(seed + k))
        for k in (2, 3)
    )
    _, log = log_abs_det(jacobian[:, rows][:, :, columns])
    assert_close(log, scales.log().sum(1))


@few
@given(seeds, dims_)
def test_errors_of_the_entries_move_the_ldj_by_no_more_than_is_said(
    seed: int, dims: int
) -> None:
    jacobian = 3 * torch.eye(dims) + 0.3 * normal(seed, 2, dims, dims)
    errors = 1e-6 * normal(seed + 1, 2, dims, dims)
    moved = log_abs_det(jacobian + errors)[1] - log_abs_det(jacobian)[1]
    said = ldj_error(jacobian, errors.abs())
    assert (moved.abs() <= said + 1e-9).all()
    assert ldj_error(torch.zeros(1, dims, dims), errors[:1].abs()).isinf().all()
