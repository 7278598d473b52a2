"""Layers of eight libraries, built as their users build them: what is right passes.

All of it with `pytest -m slow -n 2 tests/field/test_field.py`; a cross-section always. What
is truly wrong, or cannot be proved, stands in the tables, and nowhere else; `docs/field.md`
has its numbers.
"""

from __future__ import annotations

import pytest
import torch

import ldjcheck
from field.tables import CROSS_SECTION, LAYERS

EVERYTHING = sorted(LAYERS)


def checked(name: str) -> ldjcheck.Report:
    torch.manual_seed(0)
    entry = LAYERS[name]
    return ldjcheck.check(entry.build(), **entry.flags)


def agrees(name: str) -> None:
    report, known = checked(name), LAYERS[name].known
    codes = [f.code for f in report.findings if f.severity in ("error", "unproven")]
    if known is None:
        assert (report.status, codes) == ("pass", []), report
    elif known == "unproven":
        assert report.status == "unproven", report
    else:
        assert report.status in ("fail", "error", "unproven"), report
        assert known in codes, report


@pytest.mark.thinned(9)
@pytest.mark.parametrize("name", CROSS_SECTION)
def test_a_cross_section_comes_out_as_the_tables_say(name: str) -> None:
    agrees(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERYTHING)
def test_every_layer_comes_out_as_the_tables_say(name: str) -> None:
    agrees(name)


def test_the_field_is_as_wide_as_it_claims_to_be() -> None:
    without_flags = [name for name, entry in LAYERS.items() if not entry.flags]
    right = [name for name, entry in LAYERS.items() if entry.known is None]
    assert len(LAYERS) >= 330
    assert len(without_flags) >= 0.8 * len(LAYERS)
    assert len(right) >= 0.85 * len(LAYERS)
