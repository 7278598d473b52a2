"""The volume picture: a grid before and after the map, and how much a small cell grows.

What an ldj claims is an area: exp(ldj) is the factor by which a small cell grows. The cell
is measured by its corners, without any derivative, and the two claims stand beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldjcheck.records import Sample
from ldjcheck.records.portrait import Cell, GridImage, Path
from ldjcheck.report.pictures.palette import (
    EXACT,
    FAINT,
    HATCH,
    INK,
    MEASURED,
    REPORTED,
    TIMES,
    drawable,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_HUGE = 300.0  # nats: factors beyond are written as powers of ten
_APART = 200.0  # factors that differ by more need a scale of powers of ten
_ALIKE = 3.0  # extents up to which both planes have one scale


def draw_planes(before: Axes, after: Axes, grid: GridImage, cell: Cell) -> None:
    """Draw the grid and the square around one sample, and where the map takes them.

    Both have one scale, so that areas can be compared by eye, unless one of them would
    then be too small to be seen.
    """
    views = [_view(grid.lines), _view(grid.lines_after)]
    halves = [half for _, _, half in views]
    largest, smallest = max(halves), min(halves)
    is_one_scale = largest <= _ALIKE * smallest
    what = ("noise, before" if grid.of_noise else "before"), "after"
    drawn = (
        (grid.lines, cell.outline, cell.before),
        (grid.lines_after, cell.outline_after, cell.after),
    )
    for axes, name, lines, (x, y, half) in zip(
        (before, after), what, drawn, views, strict=True
    ):
        _plane(axes, *lines)
        axes.set_aspect("equal")
        half = largest if is_one_scale else half
        axes.set_xlim(x - half, x + half)
        axes.set_ylim(y - half, y + half)
        axes.set_title(name)
    if not is_one_scale:
        times = halves[0] / halves[1]
        word = "larger" if times > 1 else "smaller"
        after.set_title(f"after, drawn {max(times, 1 / times):.3g} times {word}")


def draw_factors(axes: Axes, cell: Cell, sample: Sample) -> None:
    """Draw the factor that was measured beside the two that the numbers claim."""
    grown = cell.factor
    log_grown = math.log(grown) if 0 < grown < math.inf else math.nan
    bars = [
        ("measured", log_grown, MEASURED, ""),
        ("exp(exact)", sample.exact, EXACT, ""),
    ]
    if sample.reported is not None:
        bars.append(("exp(reported)", sample.reported, REPORTED, HATCH))
    logs = [drawable(log) for _, log, *_ in bars if math.isfinite(log)] or [0.0]
    by_powers = max(logs) - min(logs) > math.log(_APART) or max(map(abs, logs)) > _HUGE
    for at, (_, log, colour, hatch) in enumerate(bars):
        size = drawable(log) / math.log(10) if by_powers else _exp(log)
        if not math.isfinite(log):
            pass
        elif by_powers:
            axes.plot([size], [at], "o", color=colour, markersize=11)
        else:
            face = "none" if hatch else colour
            axes.barh(
                at, size, 0.62, facecolor=face, edgecolor=colour, hatch=hatch,
                linewidth=1.4,
            )  # fmt: skip
        axes.text(
            0.99, at, _factor(log), transform=axes.get_yaxis_transform(), va="center",
            ha="right", fontsize=11, fontweight="bold",
        )  # fmt: skip
    axes.set_yticks(range(len(bars)), [name for name, *_ in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    if by_powers:
        low, high = min(logs) / math.log(10), max(logs) / math.log(10)
        room = max(high - low, 1.0)
        axes.set_xlim(low - 0.15 * room, high + 0.75 * room)
        axes.xaxis.set_major_formatter(lambda value, _: _power(value))
        axes.locator_params(axis="x", nbins=4)
    else:
        axes.axvline(1.0, color=FAINT, linewidth=1.0, linestyle=(0, (2, 3)), zorder=0)
        axes.set_xlim(0, 1.6 * max([*map(_exp, logs), 1.0]))
    axes.set_xlabel("area after / area before")
    axes.set_title(f"growth of a small cell, sample {cell.sample}")


def _plane(axes: Axes, lines: Sequence[Path], outline: Path, small: Path) -> None:
    from matplotlib.collections import LineCollection

    axes.add_collection(
        LineCollection([list(line) for line in lines], colors=FAINT, linewidths=0.9)
    )
    closed = [tuple(map(drawable, point)) for point in (*outline, outline[0])]
    x, y = zip(*closed, strict=True)
    axes.fill(x, y, color=MEASURED, alpha=0.35, linewidth=0, zorder=2)
    axes.plot(x, y, color=MEASURED, linewidth=1.8, zorder=3)
    centre = [
        sum(map(drawable, axis)) / len(small) for axis in zip(*small, strict=True)
    ]
    axes.plot(*centre, "+", color=INK, markersize=8, markeredgewidth=1.4, zorder=4)
    axes.tick_params(labelsize=9)


def _view(lines: Sequence[Path]) -> tuple[float, float, float]:
    """Return the middle and half the width of a square that shows the bulk of the points.

    A few may be flung far away.
    """
    middles, halves = [], []
    for index in (0, 1):
        values = sorted(
            drawable(p[index])
            for line in lines
            for p in line
            if math.isfinite(p[index])
        ) or [0.0]
        cut = len(values) // 50
        low, high = values[cut], values[-1 - cut]
        if values[-1] - values[0] <= 1.6 * (high - low):
            low, high = values[0], values[-1]
        middles.append((low + high) / 2)
        halves.append((high - low) / 2)
    return middles[0], middles[1], 1.08 * (max(halves) or 1.0)


def _exp(log: float) -> float:
    return math.exp(min(log, _HUGE)) if not math.isnan(log) else 0.0


def _factor(log: float) -> str:
    """Return the factor as a reader says it, a power of ten where it is beyond numbers."""
    if not math.isfinite(log):
        return "not finite"
    if abs(log) > _HUGE:
        return f"{TIMES} {_power(drawable(log) / math.log(10))}"
    return f"{TIMES} {math.exp(log):.4g}"


def _power(exponent: float) -> str:
    if abs(exponent) < 1e5 and exponent != round(exponent):
        return f"1e{exponent:+.1f}"
    return f"1e{exponent:+.6g}"
