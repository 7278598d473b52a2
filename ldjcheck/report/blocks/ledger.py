"""The ledger: what each line, or sublayer, did to log|det| and to the reported ldj."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from ldjcheck.records import Finding, LedgerLine, Location, Result
from ldjcheck.records.result import SublayerLine
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks import finding as about
from ldjcheck.report.blocks.finding import Block
from ldjcheck.report.blocks.layout import (
    cells,
    one_line,
    pad,
    shorten,
    shorten_middle,
    split,
)
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


_SHOWN = 12  # sublayers; of more those that are wrong, and what is beside them
_HEADS = 2  # rows above the first sublayer


def by_sublayer(
    lines: Sequence[SublayerLine], style: Style, height: int | None = None
) -> list[str]:
    """Return the sublayers of one direction, wrong ones marked `>` with their share.

    Where there is room for so many rows, those that are wrong are shown before others.
    """
    most = _SHOWN if height is None else min(_SHOWN, height - _HEADS)
    shown = list(lines)
    if len(lines) > most and not style.verbose:
        shown = _telling(lines, max(1, most - 1))  # a row says how many are left out
    marks = (">" if line.is_wrong else " " for line in shown)
    named = (f"{line.sublayer or ''}  {line.type}".strip() for line in shown)
    left = [f"{m} {one_line(name)}" for m, name in zip(marks, named, strict=True)]
    exact = ["exact", *(figures.step(line.exact) for line in shown)]
    reported = ["reported", *(figures.step(line.reported) for line in shown)]
    shares = dict(zip(map(id, lines), _shares(lines), strict=True))
    share = ["of the error", *(shares[id(line)] for line in shown)]
    sides = [max(map(len, column)) for column in (exact, reported, share)]
    room = style.width - len(_MARGIN) - sum(sides) - 2 * len(sides)
    wide = min(room, max(map(cells, left), default=0))
    rows = zip(["", *left], exact, reported, share, strict=True)
    drawn = [style.paint("  By sublayer (sample 0)", bold=True)]
    for text, *numbers in rows:
        cut = pad(shorten(text, wide), wide)
        tail = "  ".join(f"{n:>{w}}" for n, w in zip(numbers, sides, strict=True))
        drawn.append(f"{_MARGIN}{cut}  {tail}".rstrip())
    if len(shown) < len(lines):
        count = figures.plural(len(lines) - len(shown), "more sublayer")
        wrong = sum(e.is_wrong for e in lines) - sum(e.is_wrong for e in shown)
        state = f", {wrong} of them wrong" if wrong else " in order"
        drawn.append(f"{_MARGIN}... {count}{state} ({style.more} shows all)")
    return drawn


def _telling(lines: Sequence[SublayerLine], most: int) -> list[SublayerLine]:
    """Return so many of the lines, in their order: the wrong ones, and the next to them."""
    wrong = [index for index, line in enumerate(lines) if line.is_wrong]
    away = [min((abs(i - w) for w in wrong), default=i) for i in range(len(lines))]
    nearest = sorted(range(len(lines)), key=lambda i: (away[i], i))[:most]
    return [lines[index] for index in sorted(nearest)]


def _shares(lines: Sequence[SublayerLine]) -> list[str]:
    """Return each wrong line's share of all that is off, in percent."""
    off = [abs(e.reported - e.exact) if e.is_wrong else 0.0 for e in lines]
    total = sum(off)
    if not 0.0 < total < float("inf"):
        return ["" for _ in lines]
    return [f"{100 * each / total:.0f} %" if each else "" for each in off]


# --- around a mistake -----------------------------------------------------------------


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
