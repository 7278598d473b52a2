"""The lines of the ledger around a mistake: the line to change, and the steps beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ldjcheck.records import Finding, LedgerLine, Location, Result
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks import finding as about
from ldjcheck.report.blocks.finding import Block
from ldjcheck.report.blocks.layout import cells, one_line, pad, shorten, split
from ldjcheck.report.style import Style


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The lines drawn, and whether steps and the totals of the first sample are there."""

    lines: Block
    has_steps: bool = False
    has_total: bool = False


def excerpt(result: Result, finding: Finding, around: int, style: Style) -> Excerpt:
    """Return where a finding is: its line among at most `around` steps of the map."""
    place = finding.location
    if place is None:
        return Excerpt([])
    ledger = [each for each in result.ledger if each.direction == finding.direction]
    at = place.file, place.cell, place.line
    marks = [n for n, e in enumerate(ledger) if (e.file, e.cell, e.line) == at]
    if not marks:
        return Excerpt(about.place(place, True, style))
    shown = _beside(ledger, marks, around)
    return Excerpt(_drawn(ledger, shown, marks, place, style), True, True)


def _beside(ledger: list[LedgerLine], marks: list[int], around: int) -> list[int]:
    """Return what to draw: the first marked line and steps of the same code near it.

    A step that moves log|det J| comes first: it is what the line should count.
    """
    first = marks[0]
    own = ledger[first]

    def distance(n: int) -> tuple[bool, bool, int]:
        moves = bool(ledger[n].exact)
        return not moves, n > first, abs(n - first)

    near = [
        n
        for n, each in enumerate(ledger)
        if n not in marks
        and (each.file, each.cell, each.function) == (own.file, own.cell, own.function)
        and (each.exact or each.reported)
    ]
    return sorted([first, *sorted(near, key=distance)[:around]])


def _drawn(
    ledger: list[LedgerLine],
    shown: list[int],
    marks: list[int],
    place: Location,
    style: Style,
) -> Block:
    last = ledger[-1]
    total = figures.for_pairs([(last.exact_total, last.reported_total)])
    exact = ["exact", *(figures.step(ledger[n].exact) for n in shown)]
    reported = ["reported", *(figures.step(ledger[n].reported) for n in shown)]
    exact.append(total(last.exact_total))
    reported.append(total(last.reported_total))
    wide = max(map(len, exact)), max(map(len, reported))
    room = style.width - sum(wide) - 4
    digits = max(len(str(ledger[n].line)) for n in shown)

    def row(left: str, one: str, other: str) -> str:
        left = pad(shorten(left, room), room)
        return f"{left}  {one:>{wide[0]}}  {other:>{wide[1]}}".rstrip()

    head = about.arrow(place, room)
    lines = [row(head, exact[0], reported[0])]
    if one_line(place.file) not in head:  # the path has a row of its own
        lines = [about.arrow(place, style.width), row("", exact[0], reported[0])]
    for position, n in enumerate(shown, 1):
        mark = ">" if n in marks else " "
        lead = f"    {ledger[n].line:>{digits}} {mark} "
        text = one_line(ledger[n].text)
        space = room - cells(lead)
        if n not in marks or cells(text) <= space:
            rows = [row(lead + text, exact[position], reported[position])]
        else:  # the line to change is never cut: it goes on below
            part, rest = split(text, space)
            rows = [row(lead + part, exact[position], reported[position])]
            rest_room = style.width - cells(lead) - 2
            rows.append(" " * (cells(lead) + 2) + shorten(rest, rest_room))
        if n in marks:
            rows = [style.paint(each, "red", bold=True) for each in rows]
        lines += rows
    lines.append(row("    all lines of sample 0", exact[-1], reported[-1]))
    return lines
