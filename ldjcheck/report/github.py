"""Annotations of GitHub Actions: each finding at its line of the changed files."""

from ldjcheck.records import Result, Run, Severity
from ldjcheck.report.blocks.layout import one_line
from ldjcheck.report.blocks.title import Mistake, in_order, summary
from ldjcheck.report.style import Style

_COMMANDS: dict[Severity, str] = {
    "error": "error",
    "unproven": "error",  # it fails the job as well
    "warning": "warning",
    "note": "notice",
}


def render(run: Run, style: Style) -> str:
    """Return one workflow command a finding, then the summary."""
    lines = [
        _annotation(mistake, result)
        for result in run.results
        for mistake in in_order(result.findings)
    ]
    for result in run.results:
        if not result.findings and result.status != "pass":
            said = one_line(f"{result.target}: {result.status}")
            lines.append(f"::error::{_data(said)}")
    if not style.quiet:
        lines.append(one_line(summary(run)))
    return "".join(f"{line}\n" for line in lines)


def _annotation(mistake: Mistake, result: Result) -> str:
    finding, where = mistake.finding, mistake.finding.location
    properties = {}
    text = [finding.message]
    if where is not None:
        properties["file"] = where.file
        if where.cell is None:
            properties["line"] = str(where.line)
            if where.column is not None:
                properties["col"] = str(where.column)
        else:
            text.append(f"cell {where.cell}, line {where.line}")
    properties["title"] = f"{finding.code} {finding.name} in {result.target}"
    for edit in mistake.edits:
        text += [f"{edit.line} - {line.strip()}" for line in edit.before.splitlines()]
        text += [f"{edit.line} + {line.strip()}" for line in edit.after.splitlines()]
    marks = str.maketrans({":": "%3A", ",": "%2C"})
    told = {name: _data(one_line(v)).translate(marks) for name, v in properties.items()}
    said = ",".join(f"{name}={value}" for name, value in told.items())
    lines = "\n".join(map(one_line, text))
    return f"::{_COMMANDS[finding.severity]} {said}::{_data(lines)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
