"""What a check says of mistakes that people have reported, and of false suspicions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

import ldjcheck
from bug_reports.pages import page
from bug_reports.reports import REPORTS

if TYPE_CHECKING:
    from bug_reports.reports import Report

PAGE = Path(__file__).parents[2] / "docs" / "bug-reports.md"


@pytest.mark.slow
@pytest.mark.parametrize("report", REPORTS, ids=lambda each: each.thread)
def test_a_report_is_found_named_and_mended_as_the_page_says(report: Report) -> None:
    torch.manual_seed(0)
    said = ldjcheck.check(report.layer(), **report.flags)
    grave = {f.code: f for f in said.findings if f.severity in ("error", "unproven")}
    if report.says == "pass":
        assert (said.status, [*grave]) == ("pass", []), said
        return
    assert said.status == "fail", said
    assert report.says in grave, said
    finding = grave[report.says]
    if report.line:
        assert finding.location is not None, said
        assert report.line in finding.location.text, said
    undone = said.to_dict()["results"][0]["not_done"]
    if any("edit" in what for what in undone):
        return  # a slow machine had no time to mend it
    mended = finding.fix is not None and finding.fix.applicability == "verified"
    assert mended == report.mended, said


def test_the_page_says_what_the_register_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_there_are_as_many_reports_as_the_page_promises() -> None:
    assert len({report.thread for report in REPORTS}) == len(REPORTS) >= 30
