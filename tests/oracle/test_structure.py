"""Naming a Jacobian's structure, and splitting log|det J| over the dims."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_layers import Affine, Coupling
from torch import Tensor

import ldjcheck
from ldjcheck.oracle.structure import condition, describe_structure, shares

few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**31)


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def order(seed: int, dims: int) -> Tensor:
    return torch.randperm(dims, generator=torch.Generator().manual_seed(seed))


def triangular(seed: int, batch: int, dims: int) -> Tensor:
    full = normal(seed, batch, dims, dims)
    return full.tril(-1) + torch.diag_embed(0.1 + normal(seed + 1, batch, dims).abs())


def blocks(seed: int, batch: int, size: int, count: int) -> Tensor:
    parts = [normal(seed + k, batch, size, size) for k in range(count)]
    return torch.stack([torch.block_diag(*(p[b] for p in parts)) for b in range(batch)])


@few
@given(seeds, st.integers(1, 6))
def test_an_elementwise_map_is_diagonal(seed: int, dims: int) -> None:
    name, pivots = describe_structure(torch.diag_embed(normal(seed, 3, dims)))
    assert name == "diagonal"
    assert sorted(pivots or []) == [(i, i) for i in range(dims)]


@few
@given(seeds, st.integers(2, 7))
def test_a_triangular_map_is_recognised_in_any_order(seed: int, dims: int) -> None:
    rows, columns = order(seed, dims), order(seed + 1, dims)
    jacobian = triangular(seed, 2, dims)
    shuffled = jacobian[:, rows][:, :, columns]
    name, pivots = describe_structure(shuffled)
    assert name == "triangular"
    assert pivots is not None
    for i, j in pivots:
        assert rows[i] == columns[j], "a pivot is an entry of the old diagonal"


@few
@given(seeds, st.integers(2, 4), st.integers(2, 3))
def test_groups_that_do_not_meet_are_blocks(seed: int, size: int, count: int) -> None:
    rows, columns = order(seed, size * count), order(seed + 1, size * count)
    jacobian = blocks(seed, 2, size, count)[:, rows][:, :, columns]
    assert describe_structure(jacobian) == ("block", None)


@few
@given(seeds, st.integers(2, 6))
def test_one_group_is_dense(seed: int, dims: int) -> None:
    assert describe_structure(normal(seed, 2, dims, dims)) == ("dense", None)


def test_the_structure_is_the_one_that_all_samples_share() -> None:
    lower, upper = triangular(0, 1, 3), triangular(1, 1, 3).mT
    assert describe_structure(lower)[0] == describe_structure(upper)[0] == "triangular"
    assert describe_structure(torch.cat([lower, upper]))[0] == "dense"


def test_what_rounding_leaves_of_a_zero_is_a_zero() -> None:
    jacobian = torch.tensor([[[1e3, 1e-12], [1e-12, 1e3]]], dtype=torch.float64)
    assert describe_structure(jacobian)[0] == "diagonal"
    assert describe_structure(jacobian + 1e-3 * torch.ones(2, 2))[0] == "dense"


@few
@given(seeds, st.integers(1, 4), st.sampled_from(["diag", "tri", "block", "dense"]))
def test_shares_sum_to_the_ldj(seed: int, batch: int, kind: str) -> None:
    jacobian = {
        "diag": lambda: torch.diag_embed(0.1 + normal(seed, batch, 4).abs()),
        "tri": lambda: triangular(seed, batch, 4)[:, order(seed, 4)],
        "block": lambda: blocks(seed, batch, 2, 2),
        "dense": lambda: normal(seed, batch, 4, 4),
    }[kind]()
    parts = shares(jacobian, describe_structure(jacobian)[1])
    exact = torch.stack([torch.linalg.slogdet(m)[1] for m in jacobian])
    torch.testing.assert_close(parts.sum(1), exact, rtol=1e-9, atol=1e-9)


@few
@given(seeds)
def test_a_triangular_map_gives_each_input_its_own_pivot(seed: int) -> None:
    columns = order(seed, 5)
    jacobian = triangular(seed, 3, 5)
    logs = jacobian.diagonal(dim1=1, dim2=2).log()
    shuffled = jacobian[:, :, columns]
    parts = shares(shuffled, describe_structure(shuffled)[1])
    torch.testing.assert_close(parts, logs[:, columns])


@few
@given(seeds)
def test_stretching_rows_and_columns_does_not_worsen_the_condition(seed: int) -> None:
    # A diagonal factor costs log|det| no precision, however far its entries lie apart.
    rotation = torch.linalg.qr(normal(seed, 1, 4, 4)).Q
    stretched = rotation * torch.tensor([1e6, 1.0, 1e-6, 1.0])[:, None]
    assert condition(stretched, None) < 1e3 * condition(rotation, None)
    nearly_singular = rotation.clone()
    nearly_singular[:, 0] = nearly_singular[:, 1] + 1e-9 * nearly_singular[:, 0]
    assert condition(nearly_singular, None) > 1e6


def test_a_report_names_the_structure_and_the_dims_that_matter() -> None:
    diagonal = ldjcheck.check(Affine(), shape=(4,)).to_dict()["results"][0]
    forward = diagonal["checks"][0]
    assert forward["structure"] == "diagonal"
    total = sum(each["exact"] for each in forward["dimensions"])
    assert abs(total - forward["samples"][0]["exact"]) < 1e-12

    coupled = ldjcheck.check(Coupling(), shape=(4,)).to_dict()["results"][0]
    kept = [each["exact"] for each in coupled["checks"][0]["dimensions"][:2]]
    assert coupled["checks"][0]["structure"] == "triangular"
    assert kept == [0.0, 0.0], "the half that is only handed on has no share"
