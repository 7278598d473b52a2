"""The page of reports, written from the register."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tabulate import tabulate

from bug_reports.reports import REPORTS
from ldjcheck.mistakes import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bug_reports.reports import Report

HEAD = """# Bug reports about log-determinants

{count} threads of public trackers, each made again in a few lines of our own, in
`tests/bug_reports`. A test runs them and holds what is said of each against this page;
`PYTHONPATH=tests python -m bug_reports` writes it. Most of the threads were closed long
ago: they show which mistakes people make, not which a project has today.

Of {wrong} that tell of a mistake, {found} are found, {named} of these with a name and
{mended} with an edit that was run and makes the layer right.

{mistakes}

## Reports of code that is right

A log-determinant is easy to suspect. These {right} threads end with the answer that the
code was right, and its layer passes.

{sound}
"""


def page() -> str:
    """Return the page, as it should be."""
    wrong = [report for report in REPORTS if not report.is_right]
    found = [report for report in wrong if report.says != "pass"]
    right = [report for report in REPORTS if report.is_right]
    return HEAD.format(
        count=len(REPORTS),
        wrong=len(wrong),
        found=len(found),
        named=sum(report.says != "LDJ199" for report in found),
        mended=sum(report.mended for report in found),
        right=len(right),
        mistakes=_table(["thread", "what was seen", "ldjcheck", "line", "fix"], wrong),
        sound=_table(["thread", "what was suspected", "ldjcheck"], right),
    )


def _table(head: list[str], reports: Iterable[Report]) -> str:
    rows = [_row(report)[: len(head)] for report in reports]
    text = tabulate(rows, head, tablefmt="github", disable_numparse=True)
    return re.sub(r" +\|", " |", re.sub(r"-{4,}", "---", text))


def _row(report: Report) -> list[str]:
    names = {rule.code: rule.name for rule in RULES}
    says = f"{report.says} {names[report.says]}" if report.says in names else "passes"
    if report.note:
        says += f"; {report.note}"
    return [
        f"[{report.thread}]({report.address})",
        report.saw,
        says,
        f"`{report.line}`" if report.line else "",
        "run" if report.mended else "",
    ]
