"""From findings, as a confined process sends them, to causes.

Nothing in them is believed to have a type, a length or a sense: what has not is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ldjcheck.grading.records import Cause, Place, Written, short
from ldjcheck.mistakes import rule_for
from ldjcheck.records import Edit

_WAYS = ("forward", "inverse")
_MOST_EDITS = 4
_LONGEST_EDIT = 300  # characters: a slip is mended by little


def causes_in(
    findings: Any, functions: Sequence[Written], handout: frozenset[str]
) -> tuple[Cause, ...]:
    """Return the mistakes among findings, the same one in both directions once.

    `functions` are those of the submission, `handout` the lines of the handout.
    """
    found: dict[tuple[object, ...], Cause] = {}
    for finding in findings if isinstance(findings, list) else ():
        rule = rule_for(str(finding.get("code"))) if isinstance(finding, dict) else None
        if rule is None or rule.code.startswith("LDJ0"):
            continue
        severity = finding.get("severity")
        known = severity in ("error", "unproven", "warning", "note")
        cause = Cause(
            code=rule.code,
            name=rule.name,
            severity=str(severity) if known else rule.severity,
            message=short(finding.get("message"), 400),
            direction=next((d for d in _WAYS if d == finding.get("direction")), None),
            place=_place(finding.get("location"), functions, handout),
            edits=tuple(_edits(finding.get("fix"))),
        )
        # The same slip on the way there and back is one misunderstanding.
        key = (cause.code, cause.severity)
        first = found.setdefault(key, cause)
        if first is not cause and cause.edits != first.edits:
            more = tuple(edit for edit in cause.edits if edit not in first.edits)
            edits = (*first.edits, *more) if first.edits and cause.edits else ()
            found[key] = replace(first, direction=None, edits=edits)
    return tuple(found.values())


def _place(
    table: Any, functions: Sequence[Written], handout: frozenset[str]
) -> Place | None:
    if not isinstance(table, dict):
        return None
    file, line, cell = table.get("file"), table.get("line"), table.get("cell")
    if not isinstance(file, str) or type(line) is not int:
        return None
    cell = cell if type(cell) is int else None
    there = (f for f in functions if (f.file, f.cell) == (file, cell))
    around = next((f for f in there if f.line <= line <= f.last), None)
    # the line as it was handed in, and not as somebody says
    text = None
    if around is not None:
        rows = around.text.splitlines()
        at = line - around.line
        text = rows[at].strip() if at < len(rows) else None
    return Place(
        file=short(file, 200),
        line=line,
        cell=cell,
        function=None if around is None else around.name,
        text=text,
        from_handout=text is not None and as_line(text) in handout,
    )


def _edits(fix: Any) -> Iterator[Edit]:
    if not isinstance(fix, dict) or fix.get("applicability") != "verified":
        return
    edits = fix.get("edits")
    rows = list(edits) if isinstance(edits, (list, tuple)) else []
    if len(rows) > _MOST_EDITS or not all(_is_edit(row) for row in rows):
        return
    for row in rows:
        yield Edit(**{name: row[name] for name in Edit.__slots__})


def _is_edit(row: Any) -> bool:
    if not isinstance(row, dict) or not set(Edit.__slots__) <= row.keys():
        return False
    texts = row["file"], row["before"], row["after"]
    fits = all(isinstance(t, str) and len(t) <= _LONGEST_EDIT for t in texts)
    cell = row["cell"] is None or type(row["cell"]) is int
    return fits and cell and type(row["line"]) is int and row["line"] > 0


def as_line(text: str) -> str:
    """Return a line of code as it is compared: remarks and spacing do not count."""
    return "".join(text.partition("#")[0].split())


def lines_of(written: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the lines of functions, as they are compared."""
    rows = (row for each in written for row in str(each["text"]).splitlines())
    return frozenset(filter(None, map(as_line, rows)))
