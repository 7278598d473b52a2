"""A report as a piece of HTML for notebooks: no scripts, nothing loaded, any theme.

Text keeps the colour that the page gives it, so that it is readable on white and on
black; only a bar on the left shows how the check came out.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ldjcheck.report import figures, text
from ldjcheck.report.failure import gravest
from ldjcheck.report.layout import one_line
from ldjcheck.report.style import Style
from ldjcheck.report.tables import heading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Check, Result, Run, Status

_BARS: dict[Status, str] = {
    "pass": "#3a9a4f",
    "fail": "#d13f3f",
    "unproven": "#b8860b",
    "error": "#d13f3f",
}
_COLUMNS = ("sample", "reported", "exact", "difference", "allowed")
_SAMPLES_SHOWN = 10


def fragment(run: Run) -> str:
    """Return the run as one `<div>`: titles, what is wrong, numbers, the full report."""
    parts = [part for result in run.results for part in _result(result)]
    report = escape(text.render(run, Style(color=False, verbosity=0)).rstrip("\n"))
    full = f"<details><summary>Full report</summary><pre>{report}</pre></details>"
    return "\n".join([*parts, full, "</div>"])


def _result(result: Result) -> Iterator[str]:
    bar = _BARS[result.status]
    yield f'<div style="border-left: 4px solid {bar}; padding-left: 12px">'
    main = gravest(result) if result.status != "pass" else None
    code = "" if main is None else f" {escape(main.code)} {escape(main.name)}"
    title = escape(one_line(result.target))
    yield f"<p><strong>{title}</strong>: {result.status.upper()}{code}</p>"
    if main is not None:
        yield f"<p>{escape(one_line(main.message))}</p>"
        if main.location is not None:
            where = f"{main.location.file}:{main.location.line}"
            source = one_line(main.location.text or "")
            yield f"<p>{escape(one_line(where))} <code>{escape(source)}</code></p>"
    for check in result.checks:
        if check.samples and (check.status == "fail" or result.status == "pass"):
            yield _table(check)


def _table(check: Check) -> str:
    number = figures.for_samples(check.samples)
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = [
        (
            str(sample.index),
            number(sample.reported),
            number(sample.exact),
            figures.difference(sample.difference),
            figures.size(sample.allowed),
        )
        for sample in check.samples[:_SAMPLES_SHOWN]
    ]
    body = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows
    )
    caption = escape(", ".join(heading(check)))
    return (
        f'<table><caption style="text-align: left">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
