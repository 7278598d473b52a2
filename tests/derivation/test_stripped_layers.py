"""Right layers, their ldj taken out: what is derived of them is theirs, or is refused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from derivation.stripped_layers import outcome_of, subjects, told

if TYPE_CHECKING:
    from pathlib import Path

FEW = ("ActNorm", "InvertibleConvolution", "Planar", "ChunkCoupling")


@pytest.mark.slow
def test_a_few_layers_get_back_what_was_taken_out(tmp_path: Path) -> None:
    found = [outcome_of(s, tmp_path) for s in subjects() if s.name in FEW]
    assert len(found) >= len(FEW)
    assert all(each.outcome == "verified" for each in found), told(found)


@pytest.mark.slow
def test_nearly_all_get_it_back_and_none_gets_a_wrong_one(tmp_path: Path) -> None:
    found = [outcome_of(subject, tmp_path) for subject in subjects()]
    counts = Counter(each.outcome for each in found)
    assert counts["wrong"] == 0, told(found)
    asked = len(found) - counts["zero"] - counts["no map"]
    assert asked >= 100
    assert counts["verified"] >= 0.85 * asked, told(found)
