"""The matrix of a selftest: each planted mistake, whether it was caught, and as what."""

from __future__ import annotations

import os

from ldjcheck.classroom.selftest import Planted, Selftest
from ldjcheck.report.blocks.layout import (
    columns,
    one_line,
    shorten,
    shorten_middle,
    wrap,
)
from ldjcheck.tape.frames import shown_file

_WIDTH = 80
_TEXT = 22
_SAID = {"fail": "yes", "unproven": "unproven", "pass": "remark"}
_SILENT = 4  # so many are named


def draw(tests: list[Selftest]) -> str:
    """Return the matrices of all layers, and what they come to."""
    blocks = [_matrix(test) for test in tests]
    planted = sum(len(test.planted) for test in tests)
    caught = sum(test.caught for test in tests)
    if planted:
        what = "mistake" if planted == 1 else "mistakes"
        text = (
            f"{caught} of {planted} planted {what} would have been caught at these "
            "shapes."
        )
        blocks.append(text)
    return "\n\n".join(blocks)


def _matrix(test: Selftest) -> str:
    right = f"{test.caught} of {len(test.planted)} caught" if test.planted else "-"
    at = f", shape {test.shape}" if test.shape else ""
    room = _WIDTH - len(right) - 2
    left = shorten_middle(one_line(f"{test.layer}{at}"), room)
    title = left + right.rjust(_WIDTH - len(left))
    if test.why is not None:
        said = wrap(f"nothing planted: {test.why}", _WIDTH, "  ", "  ")
        return "\n".join([title, *said, *_silent(test)])
    lines = [*_rows(test), *_silent(test)]
    return "\n".join([title, *(shorten(line, _WIDTH) for line in lines)])


def _rows(test: Selftest) -> list[str]:
    """Return a row for each planted mistake, under its file where there are several."""
    rows: list[tuple[str, ...]] = [
        ("line", "planted", "as", "caught", "named", "points at")
    ]
    rows += [_row(each) for each in test.planted]
    head, *body = [f"  {line}" for line in columns(rows)]
    files = [each.slip.file for each in test.planted]
    if len(set(files)) < 2:
        return [head, *body]
    lines, above = [head], ""
    for file, line in zip(files, body, strict=True):
        if file != above:
            lines.append(f"  {shorten_middle(shown_file(file), _WIDTH - 2)}")
        lines.append(line)
        above = file
    return lines


def _row(each: Planted) -> tuple[str, ...]:
    slip = each.slip
    if each.place is None:
        place = "-"
    elif each.place == (slip.file, slip.line):
        place = "that line"
    elif each.place[0] == slip.file:
        place = f"line {each.place[1]}"
    else:
        place = f"{os.path.basename(each.place[0])}:{each.place[1]}"
    return (
        str(slip.line),
        slip.what,
        shorten(one_line(slip.text), _TEXT),
        _SAID[each.status] if each.caught else "NO",
        each.code or "-",
        place,
    )


def _silent(test: Selftest) -> list[str]:
    """Return what could not be seen: slips that leave every number as it was."""
    if not test.silent:
        return []
    count = len(test.silent)
    slips, change, they = "slip", "changes", "it is a mistake"
    if count > 1:
        slips, change, they = "slips", "change", "they are mistakes"
    names = [f"line {slip.line} {slip.what}" for slip in test.silent[:_SILENT]]
    rest = [f"{count - _SILENT} more"] * (count > _SILENT)
    said = (
        f"{count} {slips} more {change} no number at these shapes: if {they}, no check "
        f"could show it here: {', '.join([*names, *rest])}"
    )
    return wrap(said, _WIDTH, "  ", "  ")
