"""Maps that all but have a structure: each is refused it, or given its true value."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ldjcheck.oracle.structures.by_structure import Wanted, determinant

from .maps import (
    Map,
    autoregressive,
    chunk_coupling,
    convolution,
    dense_ldj,
    mask_coupling,
    normal,
    one_by_one,
    planar,
    shuffled,
)


def assert_true_value(f: Map, x: Tensor) -> None:
    """Assert that no structure gives another value than all entries do."""
    sign, exact = dense_ldj(f, x)
    found = determinant(f, x)
    assert found.allowed is not None
    assert found.is_known.all(), "nothing is known"
    off = (found.exact - exact).abs()
    assert (off <= found.allowed + 1e-11).all(), (
        f"{found.structure}: off by {off.max()}"
    )
    assert torch.equal(found.sign, sign)
    assert (found.allowed < 1e-6).all()


def with_one_more(f: Map, size: float, at: int, source: int) -> Map:
    """Return the map with one more entry in its Jacobian."""

    def leaking(x: Tensor) -> Tensor:
        y = f(x).flatten(1).clone()
        y[:, at] = y[:, at] + size * x.flatten(1)[:, source]
        return y.reshape(x.shape)

    return leaking


LEAKS = (1.0, 1e-3, 1e-6, 1e-9, 1e-12)


def scaled(f: Map, dims: int) -> Map:
    """Return the map with each of its outputs scaled: nothing passes through as it is."""
    factors = torch.linspace(0.5, 2.0, dims, dtype=torch.float64)

    def both(x: Tensor) -> Tensor:
        return f(x) * factors

    return both


@pytest.mark.parametrize("seed", range(2))
def test_a_coupling_that_scales_what_it_hands_on_takes_few_products(seed: int) -> None:
    f = scaled(chunk_coupling(64, seed, 1.0), 64)
    assert_true_value(f, normal(seed, 3, 64))
    assert determinant(f, normal(seed, 3, 64)).products <= 16


@pytest.mark.parametrize("size", LEAKS)
@pytest.mark.parametrize("at", [(3, 20), (20, 3), (25, 28)])
def test_one_more_entry_in_it_has_its_true_value(
    size: float, at: tuple[int, int]
) -> None:
    leaking = with_one_more(scaled(chunk_coupling(32, 1, 3.0), 32), size, *at)
    assert_true_value(leaking, normal(1, 3, 32))


@pytest.mark.parametrize("size", LEAKS)
@pytest.mark.parametrize("seed", range(3))
def test_a_coupling_that_leaks_one_entry_has_its_true_value(
    size: float, seed: int
) -> None:
    leaking = with_one_more(chunk_coupling(32, seed, 3.0), size, 3 + seed, 20 + seed)
    assert_true_value(leaking, normal(seed, 3, 32))


@pytest.mark.parametrize("size", LEAKS)
def test_a_mask_that_leaks_one_pixel_has_its_true_value(size: float) -> None:
    leaking = with_one_more(mask_coupling((2, 4, 6)), size, 1, 16)
    assert_true_value(leaking, normal(0, 3, 2, 4, 6))


def test_beside_steep_slopes_the_smallest_leak_counts() -> None:
    """J = [[I, e], [s, B]] with e tiny and s huge: det J = det(B - s e)."""
    steep = 1e12

    def f(x: Tensor) -> Tensor:
        p, q = x.chunk(2, dim=1)
        return torch.cat([p + 1e-13 * q, q + steep * torch.sin(p)], dim=1)

    x = normal(0, 3, 32)
    found = determinant(f, x)
    p = x[:, :16]
    exact = (1 - 1e-13 * steep * torch.cos(p)).abs().log().sum(1)
    torch.testing.assert_close(found.exact, exact, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("size", LEAKS)
@pytest.mark.parametrize("span", [1, 17])
def test_a_nearly_diagonal_map_has_its_true_value(size: float, span: int) -> None:
    assert_true_value(
        lambda x: torch.sinh(x) + size * x.roll(span, 1), normal(1, 3, 39)
    )


@pytest.mark.parametrize("size", LEAKS)
def test_a_nearly_diagonal_map_of_steep_and_flat_dims_has_its_true_value(
    size: float,
) -> None:
    scale = torch.logspace(-8, 8, 39, dtype=torch.float64)

    def f(x: Tensor) -> Tensor:
        return scale * (x + size * x.roll(1, 1))

    assert_true_value(f, normal(1, 3, 39))


def test_two_entries_that_only_together_matter_are_seen() -> None:
    """M = [[1, a], [b, 1]] with a tiny and b huge: det M = 1 - a b."""

    def f(x: Tensor) -> Tensor:
        y = x.clone()
        y[:, 0] = x[:, 0] + 1e-10 * x[:, 30]
        y[:, 30] = x[:, 30] + 5e9 * x[:, 0]
        return y

    found = determinant(f, normal(0, 3, 32))
    torch.testing.assert_close(found.exact, torch.tensor([0.5] * 3).double().log())


@pytest.mark.parametrize("size", LEAKS)
def test_a_permutation_with_one_entry_more_has_its_true_value(size: float) -> None:
    order = torch.randperm(36, generator=torch.Generator().manual_seed(0))
    assert_true_value(
        with_one_more(lambda x: x[:, order], size, 5, 9), normal(0, 3, 36)
    )
    assert_true_value(
        with_one_more(lambda x: -3 * x[:, order], size, 5, 9), normal(0, 3, 36)
    )


def test_a_permutation_that_takes_one_entry_twice_is_singular() -> None:
    order = torch.randperm(36, generator=torch.Generator().manual_seed(0))
    twice = order.clone()
    twice[7] = twice[8]
    for f in (lambda x: x[:, twice], lambda x: 2 * x[:, twice]):
        found = determinant(f, normal(0, 3, 36))
        assert (found.exact == -torch.inf).all()
        assert (found.sign == 0).all()


def test_the_order_of_one_sample_is_not_taken_for_that_of_all() -> None:
    def sorted_scaled(x: Tensor) -> Tensor:
        return 2 * x.sort(dim=1).values

    x = normal(0, 4, 30)
    found = determinant(sorted_scaled, x)
    sign, exact = dense_ldj(sorted_scaled, x)
    torch.testing.assert_close(found.exact, exact)
    assert torch.equal(found.sign, sign)
    assert found.structure == "permutation"
    torch.testing.assert_close(
        determinant(lambda v: v.sort(dim=1).values, x).sign, sign
    )


# Samples that influence each other


def own_blocks(f: Map, x: Tensor) -> Tensor:
    whole = torch.autograd.functional.jacobian(lambda v: f(v).flatten(1), x)
    return torch.stack([
        torch.linalg.slogdet(whole[b, :, b].flatten(1)).logabsdet for b in range(len(x))
    ])  # fmt: skip


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x - x.mean(0)) * 2,
        lambda x: torch.sinh(x) + 1e-9 * x.roll(1, 0),
        lambda x: x + 1e-9 * x[[1, 2, 3, 0]] * torch.tensor([1.0, 0, 0, 0])[:, None],
        lambda x: torch.cat([x[:, :15], x[:, 15:] * x[:, :15].mean(0).exp()], 1),
        lambda x: x @ normal(0, 30, 30) + 0.1 * x.mean(0).sin(),
    ],
    ids=["means", "next sample", "one sample", "through what passes", "dense"],
)
def test_samples_that_are_coupled_have_the_value_of_their_own_block(f: Map) -> None:
    x = normal(3, 4, 30)
    found = determinant(f, x, Wanted(anchor=False))
    torch.testing.assert_close(found.exact, own_blocks(f, x), atol=1e-10, rtol=1e-10)


def test_samples_that_are_coupled_are_told() -> None:
    only_one = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)[:, None]
    found = determinant(
        lambda x: torch.sinh(x) + only_one * x.roll(1, 0), normal(3, 4, 30)
    )
    assert found.coupled is not None
    assert found.coupled.tolist() == [False, False, False, True]  # it moves the first
    assert determinant(torch.sinh, normal(3, 4, 30)).coupled is None


# Blocks, ranks and orders that are not quite so


@pytest.mark.parametrize("size", LEAKS)
@pytest.mark.parametrize(("at", "source"), [(0, 71), (5, 6), (70, 3)])
def test_a_block_with_one_far_entry_has_its_true_value(
    size: float, at: int, source: int
) -> None:
    assert_true_value(
        with_one_more(one_by_one(3), size, at, source), normal(0, 3, 3, 4, 6)
    )


@pytest.mark.parametrize("size", LEAKS)
def test_rows_that_mix_a_little_with_their_neighbours_have_their_true_value(
    size: float,
) -> None:
    mixing = one_by_one(3)
    assert_true_value(lambda x: mixing(x) + size * x.roll(1, 2), normal(0, 3, 3, 4, 6))


@pytest.mark.parametrize("size", LEAKS)
def test_a_block_of_one_sample_that_leaks_has_its_true_value(size: float) -> None:
    mixing = one_by_one(3)

    def f(x: Tensor) -> Tensor:
        y = mixing(x).clone()
        y[1, 0, 0, 0] = y[1, 0, 0, 0] + size * x[1, 2, 3, 3]
        return y

    assert_true_value(f, normal(0, 3, 3, 4, 6))


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_one_more_rank_than_seen_has_its_true_value(size: float, rank: int) -> None:
    """The last direction is moved too little to be told from what rounding leaves."""
    basis = torch.linalg.qr(normal(0, 256, rank + 1)).Q
    slopes = torch.full((rank + 1,), 1.5, dtype=torch.float64)
    slopes[-1] = size
    assert_true_value(
        lambda x: x + torch.tanh(x @ basis) * slopes @ basis.T, normal(1, 3, 256)
    )


@pytest.mark.parametrize("size", LEAKS)
def test_low_rank_and_one_entry_more_has_its_true_value(size: float) -> None:
    assert_true_value(with_one_more(planar(256), size, 200, 17), normal(1, 3, 256))


@pytest.mark.parametrize("size", LEAKS)
def test_low_rank_beside_a_scale_of_one_dim_has_its_true_value(size: float) -> None:
    scale = torch.ones(256, dtype=torch.float64)
    scale[100] += size
    moved = planar(256)
    assert_true_value(lambda x: moved(x) * scale, normal(1, 3, 256))


@pytest.mark.parametrize("size", LEAKS)
@pytest.mark.parametrize("ordered", [True, False])
def test_a_triangle_with_one_entry_above_has_its_true_value(
    size: float, ordered: bool
) -> None:
    order = None if ordered else shuffled(40)
    f = autoregressive(40, order)
    first, last = (
        (0, 39) if order is None else (int(order.argmin()), int(order.argmax()))
    )
    assert_true_value(with_one_more(f, size, first, last), normal(0, 3, 40))


def test_an_entry_that_only_some_points_show_is_no_part_of_others() -> None:
    """Beyond the bound nothing leaks: each sample has a structure of its own."""

    def f(x: Tensor) -> Tensor:
        return torch.sinh(x) + torch.relu(x.roll(1, 1) - 2.5)

    x = normal(0, 4, 41).clamp(-2.4, 2.4)
    x[2, 7] = 3.0
    assert_true_value(f, x)
    assert determinant(f, x[:2]).structure == "diagonal"
    assert determinant(f, x).structure != "diagonal"
    ring = x.clone()
    ring[2] = x[2].abs() + 2.6
    assert_true_value(f, ring)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("size", LEAKS)
@pytest.mark.parametrize("ends", ["zeros", "circular"])
def test_a_convolution_with_one_far_entry_has_its_true_value(
    size: float, ends: str
) -> None:
    assert_true_value(
        with_one_more(convolution(ends), size, 3, 150), normal(0, 3, 2, 9, 12)
    )


def test_a_singular_block_is_singular() -> None:
    weight = normal(0, 3, 3)
    weight[2] = weight[0] + weight[1]
    found = determinant(
        lambda x: torch.einsum("ij,bjhw->bihw", weight, x), normal(0, 3, 3, 4, 6)
    )
    assert (found.exact < -300).all()


def test_steep_blocks_have_their_true_value() -> None:
    weight = normal(0, 4, 4) * torch.logspace(-9, 9, 4, dtype=torch.float64)[:, None]
    assert_true_value(
        lambda x: torch.einsum("ij,bjhw->bihw", weight, x), normal(0, 3, 4, 3, 5)
    )
    assert_true_value(
        lambda x: torch.einsum("ji,bjhw->bihw", weight, x), normal(0, 3, 4, 3, 5)
    )


# Autoregressive maps of many dims, whose diagonal few products tell

REACHES = (1, 7, 8, 16, 24, 95)
"""Eight coefficients are told of 96 dims: what is 8 apart looks like the diagonal."""


@pytest.mark.thinned(6)
@pytest.mark.parametrize("size", LEAKS)
@pytest.mark.parametrize("reach", REACHES)
def test_an_order_with_one_entry_against_it_has_its_true_value(
    size: float, reach: int
) -> None:
    leaking = with_one_more(autoregressive(96), size, 95 - reach, 95)
    x = normal(0, 3, 96)
    assert_true_value(leaking, x)
    assert ("triangular", 95) in determinant(autoregressive(96), x).parts


@pytest.mark.parametrize("size", LEAKS)
def test_an_order_that_all_dims_go_against_has_its_true_value(size: float) -> None:
    f = autoregressive(97)
    assert_true_value(lambda x: f(x) + size * x.roll(-1, 1), normal(0, 3, 97))
    assert_true_value(lambda x: f(x) + size * x.roll(-8, 1), normal(0, 3, 97))


def test_beside_a_steep_order_the_smallest_entry_against_it_counts() -> None:
    def f(x: Tensor) -> Tensor:
        y = torch.sinh(x)
        y[:, 1:] = y[:, 1:] + 1e10 * torch.sin(x[:, :-1])
        y[:, 0] = y[:, 0] + 1e-12 * x[:, 1]
        return y

    x = normal(0, 3, 96)
    found = determinant(f, x)
    first = x[:, 0].cosh() * x[:, 1].cosh() - 1e-2 * x[:, 0].cos()
    exact = first.abs().log() + x[:, 2:].cosh().log().sum(1)
    torch.testing.assert_close(found.exact, exact, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("steepness", [1.0, 1e3, 1e6, 1e9])
def test_a_steep_order_has_its_true_value(steepness: float) -> None:
    below = torch.ones(96, 96, dtype=torch.float64).tril(-1)
    weight = normal(0, 96, 96) * below

    def f(x: Tensor) -> Tensor:
        return torch.sinh(x) + steepness * torch.tanh(x @ weight.T)

    x = normal(0, 3, 96)
    found = determinant(f, x)
    torch.testing.assert_close(found.exact, x.cosh().log().sum(1), atol=1e-8, rtol=0)
