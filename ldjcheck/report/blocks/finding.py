"""What is said about one finding: where, why, how to mend it, and how to see it again."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence

from ldjcheck.records import Edit, Finding, Fix, Law, Location, Result
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import (
    around_marks,
    cells,
    in_file,
    indented,
    lines_of,
    one_line,
    outdented,
    pack,
    shorten,
    shorten_middle,
    wrap,
)
from ldjcheck.report.style import Style

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


# --- the finding ----------------------------------------------------------------------

Block = list[str]  # lines that belong together; a blank line stands between blocks

_MARGIN = "    "
_EVIDENCE_ROWS = 6


def message(finding: Finding, lead: str, style: Style) -> Block:
    """Return the finding's sentence, after a lead such as its code."""
    text = lead + one_line(finding.message)
    return wrap(text, style.width, "  ", "  ")


def place(location: Location, with_text: bool, style: Style) -> Block:
    """Return the place as `--> file:line, in function`, and the source text there."""
    lines = [arrow(location, style.width)]
    if with_text and location.text:
        text = _MARGIN + "  " + one_line(location.text)
        lines.append(style.paint(shorten(text, style.width), bold=True))
    return lines


def arrow(location: Location, width: int) -> str:
    """Return the place as `--> file:line, in function`, of at most so many columns."""
    cell = "" if location.cell is None else f", cell {location.cell}"
    is_typed = bool(cell) or location.file.startswith("In [")
    where = f"{cell}, line {location.line}" if is_typed else f":{location.line}"
    lead = "  --> "
    room = width - len(lead) - cells(where)
    left = room - cells(one_line(location.file))  # a path that is cut cannot be pasted
    within = f", in {one_line(location.function)}" if location.function else ""
    if cells(within) <= left:
        where += within
        room = width - len(lead) - cells(where)
    return lead + shorten_middle(one_line(location.file), room) + where


def reasons(finding: Finding, style: Style) -> Block:
    """Return the law, the evidence and what else fits, under a heading."""
    lines = [] if finding.law is None else law(finding.law, _MARGIN, style)
    lines += evidence(finding, _MARGIN, style)
    if finding.also_fits:
        fits = f"The same numbers also fit {', '.join(finding.also_fits)}."
        lines += wrap(fits, style.width, _MARGIN, _MARGIN)
    if not lines:
        return []
    return [style.paint("  Why", bold=True), *lines]


def evidence(finding: Finding, margin: str, style: Style) -> Block:
    """Return the evidence line by line, as it was written, fitted to the page.

    Of a long line of a traceback with marks under it, what they mark is shown.
    """
    rows = None if style.verbose else _EVIDENCE_ROWS
    drawn: Block = []
    told: list[str] = []
    for each in finding.evidence:
        if told and each.strip() and not each.strip(" ^~"):
            told[-1:] = around_marks(told[-1], each, style.width - len(margin))
        else:
            told.append(each)
    for each in told:
        drawn += indented(each, style.width, margin, rows)
    return drawn


def law(law: Law, margin: str, style: Style) -> Block:
    """Return the formula that the difference obeys, and the sizes that were tried."""
    seen = " at every size I tried:" if law.points else ""
    text = f"difference = {one_line(law.expression)}{seen}"
    points = [f"dims {dims}: {gap}" for dims, gap in figures.by_dims(law.points)]
    return [
        *wrap(text, style.width, margin, margin + "  "),
        *pack(points, style.width, margin, "   "),
    ]


def fix(fix: Fix, location: Location | None, style: Style) -> Block:
    """Return the edits as a diff, and whether they were run."""
    title = style.paint(f"  {fix_title(fix)}", bold=True)
    return [title, *edits(fix.edits, location, style)]


def edits(edits: Sequence[Edit], location: Location | None, style: Style) -> Block:
    """Return edits as a diff, with the names of files that are not the finding's own."""
    lines: Block = []
    place = None if location is None else (location.file, location.cell)
    for edit in edits:
        if (edit.file, edit.cell) != place:
            place = edit.file, edit.cell
            lines.append(_MARGIN + shorten_middle(in_file(*place), style.width - 4))
        lines += diff(edit, style)
    return lines


def fixed_above(style: Style) -> Block:
    """Return that the edits that were shown before mend this finding as well."""
    return [style.paint("  fix: the edits above mend this too", bold=True)]


def fix_title(fix: Fix) -> str:
    """Return what is known of an edit: whether it was run, and what came of it."""
    size = figures.size(fix.residual_after or 0.0)
    if fix.applicability == "suggested" and fix.residual_after is None:
        return "fix, a suggestion, not run"
    if fix.applicability == "suggested":
        return f"fix, a suggestion: agrees to {size}, as another edit does"
    if fix.residual_after is None:
        return "fix, run: all samples then agree"
    return f"fix, run: all samples then agree to {size}"


def diff(edit: Edit, style: Style) -> Block:
    """Return one edit; nothing for a side that is empty, or lines that stay."""
    before = lines_of(edit.before)
    texts = outdented([*before, *lines_of(edit.after)])
    before, after = texts[: len(before)], texts[len(before) :]
    rows: Block = []
    for sign, color, lines, others in (
        ("-", "red", before, after),
        ("+", "green", after, before),
    ):
        for number, line in enumerate(lines, edit.line):
            if not line or (line in others and before != after):
                continue
            written = line.lstrip()
            head = f"{_MARGIN}{number} {sign}  {line[: len(line) - len(written)]}"
            wrapped = wrap(written, style.width, head, " " * len(head) + "  ")
            rows += [style.paint(row, color) for row in wrapped]
    return rows


def cost(bits_per_dim: float, style: Style) -> Block:
    """Return what the mistake costs, in bits per dimension."""
    return [
        style.paint("  What it does to you", bold=True),
        f"{_MARGIN}Your bits per dimension are off by {abs(bits_per_dim):.3g}.",
    ]


def more(finding: Finding, style: Style) -> Block:
    """Return how to read on; nothing where the layer was not checked at all."""
    if finding.code.startswith("LDJ0"):
        return []
    return [shorten(f"  Learn more: ldjcheck explain {finding.code}", style.width)]


def ignored(result: Result, style: Style, rows: int | None = None) -> Block:
    """Return how many findings do not count, and why the user says so."""
    if not result.ignored:
        return []
    told = (f"{i.code} ({one_line(i.reason)})" for i in result.ignored)
    count = figures.plural(len(result.ignored), "finding")
    text = f"{count} ignored: {', '.join(dict.fromkeys(told))}"
    return wrap(text, style.width, "  ", "    ", rows)
