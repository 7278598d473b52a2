"""The line ledger: what each source line did to log|det| and to the reported ldj."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ldjcheck.records import LedgerLine
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import cells, one_line, pad, shorten, shorten_middle
from ldjcheck.report.style import Style

_MARGIN = "    "
_FUNCTION_WIDTH = 14


def ledger(
    lines: Sequence[LedgerLine],
    marked: Container[tuple[str, int | None, int]],
    style: Style,
) -> list[str]:
    """Return the ledger of one direction; `marked` places get a `>`."""
    marks = [(line.file, line.cell, line.line) in marked for line in lines]
    last = lines[-1]
    total = figures.for_pairs([(last.exact_total, last.reported_total)])
    exact = ["exact", total(last.exact_total), *(figures.step(e.exact) for e in lines)]
    reported = [
        "reported",
        total(last.reported_total),
        *(figures.step(e.reported) for e in lines),
    ]
    widths = max(map(len, exact)), max(map(len, reported))

    def row(left: str, one: str, other: str) -> str:
        room = style.width - sum(widths) - 4
        left = pad(shorten(_MARGIN + left, room), min(left_width, room))
        return f"{left}  {one:>{widths[0]}}  {other:>{widths[1]}}".rstrip()

    sources = _sources(lines, marks, style.width - len(_MARGIN) - sum(widths) - 4)
    left_width = len(_MARGIN) + max(map(cells, sources))
    drawn = ["  Where it happens (sample 0, in the order the lines ran)"]
    file: tuple[str, int | None] | None = None
    for index, line in enumerate(lines):
        if _file(line) != file:
            file = _file(line)
            cell = "" if file[1] is None else f", cell {file[1]}"
            room = left_width - len(_MARGIN) - len(cell)
            name = shorten_middle(one_line(file[0]), room) + cell
            drawn.append(row(name, exact[0], reported[0]))
        text = row(sources[index], exact[index + 2], reported[index + 2])
        drawn.append(style.paint(text, "red", bold=True) if marks[index] else text)
    return [*drawn, row("total", exact[1], reported[1])]


def _file(line: LedgerLine) -> tuple[str, int | None]:
    return line.file, line.cell


def _sources(
    lines: Sequence[LedgerLine], marks: Sequence[bool], width: int
) -> list[str]:
    """Return function, mark, line number and source text, in columns."""
    functions = [shorten(one_line(e.function), _FUNCTION_WIDTH) for e in lines]
    wide = max(map(cells, functions))
    digits = max(len(str(each.line)) for each in lines)
    sources = []
    previous: tuple[str, int | None, str] | None = None
    for each, function, is_marked in zip(lines, functions, marks, strict=True):
        name = "" if (*_file(each), each.function) == previous else function
        previous = (*_file(each), each.function)
        mark = ">" if is_marked else " "
        left = f"{pad(name, wide)} {mark} {each.line:>{digits}}  "
        sources.append(shorten(left + one_line(each.text), width))
    return sources
