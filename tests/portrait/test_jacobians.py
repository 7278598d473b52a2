"""The Jacobians that are kept are those behind the numbers that are shown."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_layers import Affine, Coupling, Curve
from torch import Tensor, nn

import ldjcheck
from ldjcheck.portrait import pooled

if TYPE_CHECKING:
    from ldjcheck import Report
    from ldjcheck.records.portrait import JacobianMatrix


def matrices(report: Report) -> tuple[JacobianMatrix, ...]:
    assert report.result.portrait is not None
    return report.result.portrait.jacobians


@pytest.mark.parametrize("layer", [Affine(), Curve(), Coupling()], ids=repr)
def test_the_determinant_of_what_is_kept_is_the_exact_value(layer: nn.Module) -> None:
    report = ldjcheck.check(layer, shape=4)
    checks = {c.direction: c for c in report.checks if c.name == "ldj"}
    assert matrices(report)
    for each in matrices(report):
        sample = checks[each.direction].samples[each.sample]
        _, logabsdet = np.linalg.slogdet(np.array(each.rows))
        assert logabsdet == pytest.approx(sample.exact, abs=1e-9)
        assert sum(each.shares) == pytest.approx(sample.exact, abs=1e-9)


def test_the_first_three_samples_are_kept() -> None:
    report = ldjcheck.check(Affine(), shape=4, batch=7)
    forward = [m.sample for m in matrices(report) if m.direction == "forward"]
    assert forward == [0, 1, 2]


class Split(nn.Module):
    """Half of the dims leave."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * x[:, :2], torch.zeros(len(x))


def test_a_map_that_drops_dims_has_a_wide_matrix() -> None:
    first = matrices(ldjcheck.check(Split(), shape=4))[0]
    assert (first.dims_out, first.dims_in) == (2, 4)
    assert first.rows == ((2.0, 0.0, 0.0, 0.0), (0.0, 2.0, 0.0, 0.0))


def test_a_large_matrix_is_kept_small() -> None:
    report = ldjcheck.check(Curve(), shape=(2, 6, 8))
    first = matrices(report)[0]
    assert (first.dims_in, first.block, len(first.rows)) == (96, 2, 48)
    assert len(pickle.dumps(report.result.portrait)) < 200_000


@given(
    rows=st.integers(1, 9), columns=st.integers(1, 9), block=st.integers(1, 4),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_each_block_is_shown_by_its_largest_entry(
    rows: int, columns: int, block: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(rows, columns, generator=generator)
    small = pooled(matrix, block)
    assert small.shape == (-(-rows // block), -(-columns // block))
    for i, row in enumerate(small):
        for j, value in enumerate(row):
            there = matrix[i * block : (i + 1) * block, j * block : (j + 1) * block]
            assert value in there
            assert value.abs() == there.abs().max()


def test_the_document_does_not_change_with_what_is_kept() -> None:
    kept = ldjcheck.check(Coupling(), shape=4).to_dict()
    plain = ldjcheck.check(Coupling(), shape=4, pictures=False).to_dict()
    for document in (kept, plain):
        document["run"]["seconds"] = document["results"][0]["seconds"] = 0.0
    assert kept == plain
    assert "portrait" not in kept["results"][0]
