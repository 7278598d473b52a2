"""`jacobian=`: another way to work out the Jacobian, put in the place of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from small_layers import Affine, Coupling, Curve

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn


def by_columns(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return J (batch, dims_out, dims_in), one forward derivative a column."""
    columns = []
    for unit in torch.eye(x.shape[1], dtype=x.dtype):
        columns.append(torch.func.jvp(f, (x,), (unit.expand_as(x),))[1])
    return torch.stack(columns, dim=2)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Affine, Coupling, Curve])
def test_another_oracle_comes_to_the_same(layer: type[nn.Module]) -> None:
    theirs = ldjcheck.check(layer(), shape=(4,), jacobian=by_columns)
    ours = ldjcheck.check(layer(), shape=(4,))
    assert theirs.status == ours.status == "pass"
    assert theirs.checks[0].method == "given"
    for given, own in zip(
        theirs.checks[0].samples, ours.checks[0].samples, strict=True
    ):
        assert given.exact == pytest.approx(own.exact, abs=1e-12)


@pytest.mark.slow
def test_an_oracle_that_is_wrong_is_found_out_by_differences() -> None:
    report = ldjcheck.check(
        Affine(), shape=(4,), jacobian=lambda f, x: 2 * by_columns(f, x)
    )
    assert report.checks[0].method == "differences", "the wrong one was not used"
    assert report.status == "pass"


def test_an_oracle_of_another_shape_is_told_which_one_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 4\), not \(batch, dims_out"):
        ldjcheck.check(Affine(), shape=(4,), jacobian=lambda f, x: f(x))


def broken(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    raise ZeroDivisionError("no step is left")


@pytest.mark.parametrize(
    ("oracle", "told"),
    [
        (broken, "own function raised ZeroDivisionError: no step is left"),
        (lambda: None, "own function raised TypeError"),
        (lambda f, x: None, "is a NoneType, not a tensor"),
        (lambda f, x: by_columns(f, x).detach().numpy(), "is a ndarray, not a tensor"),
    ],
)
def test_an_oracle_that_is_broken_is_no_mistake_of_the_layer(
    oracle: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        ldjcheck.check(Affine(), shape=(4,), jacobian=oracle)
