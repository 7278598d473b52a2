"""A flow that integrates: what is wrong in the integrator is named there, and mended."""

from __future__ import annotations

import pytest
import torch

import ldjcheck
from models.continuous import Continuous, OfAnotherWeight, Turned, WithoutStepSize
from models.told import Row, Told, told

VECTORS = {"shape": (2,)}
TABLE = {
    "right": Row(Continuous, Told("pass"), VECTORS),
    "turned": Row(Turned, Told("fail", ("LDJ104",), "forward"), VECTORS),
    "weight": Row(OfAnotherWeight, Told("fail", ("LDJ114",), "added"), VECTORS),
    "no step size": Row(
        WithoutStepSize, Told("fail", ("LDJ114",), "integrated"), VECTORS
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_mistake_of_the_integrator_is_told_in_its_lines(name: str, seed: int) -> None:
    assert told(TABLE[name], seed) == TABLE[name].expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flow", "line"),
    [
        (Turned, "return z, total"),
        (OfAnotherWeight, "return h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)"),
    ],
)
def test_an_edit_with_which_its_numbers_come_together_is_verified(
    flow: type[Continuous], line: str
) -> None:
    torch.manual_seed(0)
    (finding,) = ldjcheck.check(flow(), shape=(2,), pictures=False).findings
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert [edit.after.strip() for edit in finding.fix.edits] == [line]
