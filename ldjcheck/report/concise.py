"""One line a finding, for editors, grep and CI logs; then a summary.

The lines are never wrapped: programs read them.
"""

from ldjcheck.records import Finding, Result, Run, Severity
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import one_line
from ldjcheck.report.blocks.title import summary
from ldjcheck.report.style import Style

_COLORS: dict[Severity, str] = {
    "error": "red",
    "unproven": "yellow",
    "warning": "yellow",
    "note": "cyan",
}


def render(run: Run, style: Style) -> str:
    """Return lines such as `deq.py:41:9: LDJ101 the message (+83.1777)`."""
    lines = []
    for result in run.results:
        lines += [_finding_line(finding, result, style) for finding in result.findings]
        if not result.findings and result.status != "pass":
            lines.append(f"{one_line(result.target)}: {result.status}")
    if not run.results:
        lines += [one_line(f"{s.target}: skipped: {s.why}") for s in run.skipped]
    if not style.quiet:
        lines.append(summary(run))
    return "".join(f"{line}\n" for line in lines)


def _finding_line(finding: Finding, result: Result, style: Style) -> str:
    place = style.paint(one_line(_place(finding, result)), bold=True)
    code = style.paint(finding.code, _COLORS[finding.severity], bold=True)
    lead = "" if finding.severity == "error" else f"{finding.severity}: "
    if finding.severity == "error" and finding.direction == "inverse":
        lead = "inverse: "  # the same mistake may stand in both directions
    message = one_line(finding.message).removesuffix(".")
    return f"{place}: {code} {lead}{message}{_difference(finding, result)}"


def _place(finding: Finding, result: Result) -> str:
    where = finding.location
    if where is None:
        return result.target
    cell = "" if where.cell is None else f":cell {where.cell}"
    column = "" if where.column is None else f":{where.column}"
    return f"{where.file}{cell}:{where.line}{column}"


def _difference(finding: Finding, result: Result) -> str:
    """Return the largest difference of the check that the finding is about."""
    if finding.severity != "error":
        return ""
    of = "ldj", finding.direction, "fail"
    off = (c for c in result.checks if (c.name, c.direction, c.status) == of)
    seen = (sample.difference for check in off for sample in check.samples)
    values = [difference for difference in seen if difference is not None]
    if not values:
        return ""
    # NaN is above every number here: it is the worst that a layer can report.
    worst = max(values, key=lambda value: (value != value, abs(value)))
    return f" ({figures.difference(worst)})"
