"""Every right layer that the planted-mistake field test starts from is found right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

import ldjcheck

cases = pytest.importorskip("planted.cases", reason="the libraries are not installed")

if TYPE_CHECKING:
    from planted.case import Case


@pytest.mark.slow
@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.id)
def test_a_right_layer_is_no_failure(case: Case) -> None:
    torch.manual_seed(0)
    shape = case.shapes[0]
    report = ldjcheck.check(
        case.build(shape),
        shape=shape,
        domain=case.domain,
        params="random" if case.scale else "as-is",
        direction="forward" if case.forward_only else "both",
    )
    assert report.status in ("pass", "unproven"), report
    assert not [f for f in report.findings if f.severity == "error"]
