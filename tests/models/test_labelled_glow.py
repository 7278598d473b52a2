"""A Glow of class labels is decided without a flag: neither image nor label is said."""

from __future__ import annotations

import pytest
import torch

import ldjcheck
from models.labelled_glow import Averaged, HeightAlone, LabelledGlow, NoPrior
from models.told import Row, Told, told

TABLE = {
    "right": Row(LabelledGlow, Told("pass")),
    "no prior of what leaves": Row(NoPrior, Told("fail", ("LDJ501",), "log_prob")),
    "height alone": Row(
        lambda: LabelledGlow(norm=HeightAlone), Told("fail", ("LDJ103",), "ldj")
    ),
    "a mean of log-scales": Row(
        lambda: LabelledGlow(coupling=Averaged), Told("fail", ("LDJ105",), "ldj")
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", TABLE)
def test_each_is_told_by_what_is_wrong_and_where(name: str, seed: int) -> None:
    assert told(TABLE[name], seed) == TABLE[name].expected


@pytest.mark.slow
def test_an_edit_counts_pixels_though_one_row_is_left_of_them() -> None:
    """After two squeezes of (1, 4, 8) the height is 1, and the width counts pixels."""
    torch.manual_seed(0)
    report = ldjcheck.check(LabelledGlow(norm=HeightAlone), pictures=False)
    fixes = [str(finding.fix) for finding in report.findings if finding.fix]
    assert fixes, report
    assert all("x.shape[3]" in fix and "x.shape[2]" in fix for fix in fixes), report
