"""On another processor the last bits of all numbers differ, and no verdict does.

Status, code, name, line and fix of every layer of the zoo stay as they are, whatever
rounding did last to what it returns and to its Jacobian. A part runs always, the whole zoo

    pytest -n 0 -m slow tests/checking/test_last_bits.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from last_bits import ULPS, other, other_last_bits, other_sum

from ldjcheck.classroom.judging import examine
from ldjcheck.classroom.zoo import ANIMALS

if TYPE_CHECKING:
    from ldjcheck.classroom.zoo import Animal
    from ldjcheck.records import Finding
    from ldjcheck.report import Report

BY_NAME = {"ids": lambda animal: f"{animal.code or 'right'}-{animal.name}"}


def told(report: Report) -> tuple[Any, ...]:
    """Return what a verdict says, without its numbers."""
    return report.status, *map(_told, report.findings)


def _told(finding: Finding) -> tuple[Any, ...]:
    place, fix = finding.location, finding.fix
    return (
        finding.code, finding.name, finding.severity, finding.direction,
        place and (place.file, place.line, place.text),
        fix and (fix.applicability, fix.edits),
    )  # fmt: skip


@pytest.mark.thinned(150)
@pytest.mark.parametrize("animal", ANIMALS, **BY_NAME)
def test_no_verdict_hangs_on_last_bits(animal: Animal) -> None:
    plain = told(examine(animal))
    with other_last_bits(seed=1):
        assert told(examine(animal)) == plain


def test_the_last_bits_are_changed_and_no_others() -> None:
    draw = torch.Generator().manual_seed(0)
    value = torch.randn(1000, generator=draw, dtype=torch.float64)
    off = (other(value, draw) / value - 1.0).abs()
    eps = torch.finfo(torch.float64).eps
    assert bool((off > 0).double().mean() > 0.9)
    assert float(off.max()) <= (ULPS + 1) * eps


def test_numbers_that_no_rounding_has_made_are_left_alone() -> None:
    draw = torch.Generator().manual_seed(0)
    value = torch.tensor([0.0, 1.0, -0.5, 12.0, 1 / 4096])
    assert torch.equal(other(value, draw), value)


def test_what_cancelled_to_almost_nothing_may_be_nothing() -> None:
    draw = torch.Generator().manual_seed(0)
    rests = torch.full((1000,), 1e-16, dtype=torch.float64)
    changed = other_sum(rests, draw)
    assert bool((changed == 0.0).any())
    assert float(changed.abs().max()) < 1e-15
