"""Exact beside reported: of each sample, and of each dim of one sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldjcheck.records import Law, Sample
from ldjcheck.records.result import SublayerLine
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import shorten_middle
from ldjcheck.report.pictures.contents import MOST_PARTS, name_of
from ldjcheck.report.pictures.palette import (
    EXACT,
    HATCH,
    INFINITY,
    MINUS,
    REPORTED,
    drawable,
    zero_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_LONGEST = 20  # characters of a name below a bar
_WIDTH = 0.38  # of a bar; two stand side by side
_BEYOND = 1.3  # times the largest number: there ends what is infinite


def draw_samples(axes: Axes, samples: Sequence[Sample]) -> None:
    """Draw both numbers of each sample, with the difference above where it is wrong."""
    known = [s for s in samples if math.isfinite(s.exact)]
    heights = _pair(axes, [(s.exact, s.reported) for s in known])
    axes.set_xticks(range(len(known)), [f"sample {s.index}" for s in known])
    axes.set_ylabel("ldj, nats")
    tops = [max(0.0, *pair) for pair in heights]
    reach = max([*tops, 0.0]) - min([*map(min, heights), 0.0])
    for at, (sample, top) in enumerate(zip(known, tops, strict=True)):
        off = figures.is_wrong(sample)
        told = f"off by\n{_signed(sample.difference)}" if off else "agrees"
        is_named = sample.reported is not None and math.isinf(sample.reported)
        above = 0.12 if is_named else 0.03
        axes.text(at, top + above * reach, told, ha="center", va="bottom", fontsize=10)
    axes.margins(y=0.3)
    zero_line(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)


def draw_dims(
    axes: Axes, exact: Sequence[float], reported: Sequence[float] | None
) -> None:
    """Draw each dim's part of both numbers of one sample, and the gap between them."""
    said = [None] * len(exact) if reported is None else list(reported)
    if len(exact) <= MOST_PARTS:
        _pair(axes, list(zip(exact, said, strict=True)))
        axes.set_xticks(range(len(exact)))
    else:
        _steps(axes, exact, reported)
    axes.set_xlabel("dim")
    axes.set_ylabel("part of the ldj, nats")
    axes.margins(y=0.15)
    zero_line(axes)
    if reported is not None:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)


def draw_sublayers(axes: Axes, parts: Sequence[SublayerLine]) -> None:
    """Draw both numbers of each sublayer of a flow, by its name."""
    _pair(axes, [(part.exact, part.reported) for part in parts])
    names = [shorten_middle(name_of(part), _LONGEST) for part in parts]
    axes.set_xticks(range(len(parts)), names, rotation=40)
    for label in axes.get_xticklabels():  # each ends at the tick that it belongs to
        label.set(horizontalalignment="right", rotation_mode="anchor")
    axes.set_ylabel("part of the ldj, nats")
    axes.margins(y=0.15)
    zero_line(axes)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)


def draw_law(axes: Axes, law: Law) -> None:
    """Draw how the difference grows with what the law counts."""
    points = sorted(
        (p.dims if p.count is None else p.count, p.difference) for p in law.points
    )
    counts = [float(each) for each, _ in points]
    differences = [drawable(each) for _, each in points]
    axes.plot(counts, differences, "o", color=REPORTED, markersize=7, zorder=3)
    if all(map(float.is_integer, counts)):  # there is no half of a dim
        axes.locator_params(axis="x", integer=True)
    for x, y in zip(counts[-1:], differences[-1:], strict=True):
        axes.annotate(
            _signed(y), (x, y), textcoords="offset points", xytext=(-6, 6),
            ha="right", fontsize=10,
        )  # fmt: skip
    axes.set_xlabel(f"{law.over} of one sample")
    axes.set_ylabel(f"reported {MINUS} exact, nats")
    axes.margins(y=0.15)
    zero_line(axes)


def _pair(
    axes: Axes, pairs: Sequence[tuple[float, float | None]]
) -> list[tuple[float, float]]:
    """Draw bars side by side, and return how high they are; what is infinite says so."""
    seen = [v for pair in pairs for v in pair if v is not None and math.isfinite(v)]
    beyond = _BEYOND * max(map(abs, map(drawable, seen)), default=0.0) or 1.0
    heights = [
        (_held(exact, beyond), _held(reported, beyond)) for exact, reported in pairs
    ]
    at = range(len(pairs))
    alone = all(reported is None for _, reported in pairs)
    sides = (0.0, 0.0) if alone else (-_WIDTH / 2, _WIDTH / 2)
    for x, pair, ends in zip(at, pairs, heights, strict=True):
        for side, value, end in zip(sides, pair, ends, strict=True):
            if value is not None and math.isinf(value):
                axes.text(
                    x + side, end, f"+{INFINITY}" if end > 0 else f"{MINUS}{INFINITY}",
                    ha="center", va="bottom" if end > 0 else "top", fontsize=10,
                )  # fmt: skip
    exact = [e for e, _ in heights]
    axes.bar([x + sides[0] for x in at], exact, _WIDTH, color=EXACT, label="exact")
    if alone:
        return heights
    axes.bar(
        [x + sides[1] for x in at], [r for _, r in heights], _WIDTH, facecolor="none",
        edgecolor=REPORTED, hatch=HATCH, linewidth=1.4, label="reported",
    )  # fmt: skip
    return heights


def _held(value: float | None, beyond: float) -> float:
    """Return a number as it is drawn: what is infinite ends beyond all that is not."""
    return min(max(drawable(value), -beyond), beyond)


def _steps(
    axes: Axes, exact: Sequence[float], reported: Sequence[float] | None
) -> None:
    at = range(len(exact))
    axes.plot(
        at, exact, drawstyle="steps-mid", color=EXACT, linewidth=2.2, label="exact"
    )
    if reported is not None:
        axes.plot(
            at, reported, drawstyle="steps-mid", color=REPORTED, linewidth=1.4,
            linestyle=(0, (4, 2)), label="reported",
        )  # fmt: skip


def _signed(value: float | None) -> str:
    return figures.difference(value).replace("-", MINUS)
