"""The ledger by sublayer: what each part of a flow does, and is worth in its ldj."""

from __future__ import annotations

from collections.abc import Sequence

from ldjcheck.records import SublayerLine
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import cells, one_line, pad, shorten
from ldjcheck.report.style import Style

_MARGIN = "    "
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
    left = [_left(line) for line in shown]
    exact = ["exact", *(figures.step(line.exact) for line in shown)]
    reported = ["reported", *(figures.step(line.reported) for line in shown)]
    share = ["of the error", *_shares(shown)]
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
        drawn.append(f"{_MARGIN}... {count} in order (-v shows all)")
    return drawn


def _telling(lines: Sequence[SublayerLine], most: int) -> list[SublayerLine]:
    """Return so many of the lines, in their order: the wrong ones, and the next to them."""
    wrong = [index for index, line in enumerate(lines) if line.is_wrong]
    away = [min((abs(i - w) for w in wrong), default=i) for i in range(len(lines))]
    nearest = sorted(range(len(lines)), key=lambda i: (away[i], i))[:most]
    return [lines[index] for index in sorted(nearest)]


def _left(line: SublayerLine) -> str:
    mark = ">" if line.is_wrong else " "
    return f"{mark} {one_line(f'{line.sublayer or str()}  {line.type}'.strip())}"


def _shares(lines: Sequence[SublayerLine]) -> list[str]:
    """Return each wrong line's share of all that is off, in percent."""
    off = [abs(e.reported - e.exact) if e.is_wrong else 0.0 for e in lines]
    total = sum(off)
    if not 0.0 < total < float("inf"):
        return ["" for _ in lines]
    return [f"{100 * each / total:.0f} %" if each else "" for each in off]
