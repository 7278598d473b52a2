"""Two lines of Python that print exact and reported of a wrong sample, ready to paste."""

from __future__ import annotations

import io
import tokenize

from ldjcheck.records import Result
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.finding import Block
from ldjcheck.report.blocks.layout import cells

_INDENT = "    "


def python(result: Result) -> str | None:
    """Return the lines, about the direction of the gravest finding; None for no such sample."""
    if result.again is None or result.status != "fail":
        return None
    first = next((f.direction for f in result.findings if f.severity == "error"), None)
    checks = [c for c in result.checks if c.name == "ldj" and c.direction is not None]
    for check in sorted(checks, key=lambda each: each.direction != first):
        wrong = next(filter(figures.is_wrong, check.samples), None)
        if wrong is not None:
            which = f"{check.direction!r}, {check.samples.index(wrong)}"
            call = f"print({result.again}.sample({which}))"
            return f"from ldjcheck import check\n{call}"
    return None


def again(result: Result, width: int) -> Block:
    """Return the lines from the first column on, a long one in several rows.

    A row ends where Python lets it. What fits no row is left out: cut, it would not run.
    """
    lines = (python(result) or "").splitlines()
    rows = [row for line in lines for row in _rows(line, width)]
    return rows if all(cells(row) <= width for row in rows) else []


def _rows(line: str, width: int) -> Block:
    """Return a line, or a call that is too long for one: its arguments go on below."""
    if cells(line) <= width:
        return [line]
    pieces, end, depth = [""], 0, 0
    for token in tokenize.generate_tokens(io.StringIO(line).readline):
        is_first = (depth, pieces[-1][-1:]) in ((2, "("), (2, ","), (1, ")"))
        pieces += [""] if is_first else []
        pieces[-1] += line[end : token.end[1]]
        end = token.end[1]
        depth += (token.string == "(") - (token.string == ")")
    rows = [""]
    for piece in pieces:
        if cells(rows[-1] + piece) > width:
            rows.append(_INDENT)
            piece = piece.lstrip()
        rows[-1] += piece
    return rows
