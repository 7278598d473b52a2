"""The pictures of the documentation, each a function that returns an SVG.

Those of checks are drawn by what `--format html` draws with, from a check that is run for
them; the others show what the theory says, in the same colours.
"""

from __future__ import annotations

import math
import sys
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import ldjcheck
from ldjcheck.report.pictures import vector
from ldjcheck.report.pictures.contents import contents_of
from ldjcheck.report.pictures.palette import (
    EXACT,
    FAINT,
    HATCH,
    INK,
    MEASURED,
    REPORTED,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ldjcheck.report.pictures.contents import Contents

    Drawing = Callable[[str], str]
    Margins = tuple[float, float, float, float]

EXAMPLES = Path(__file__).parents[2] / "examples"
_QUANTS = 256
_EVEN = (0.6, 0.2, 0.6, 0.35)  # margins in inches: left, right, bottom, top


# --- pictures of checks ---------------------------------------------------------------


@cache
def example(module: str, name: str, shape: tuple[int, ...] | None = None) -> Contents:
    """Return what there is to draw of the forward direction of one of the examples."""
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    torch.manual_seed(0)
    layer = getattr(__import__(module), name)()
    found = contents_of(ldjcheck.check(layer, shape=shape).result, "forward")
    assert found is not None
    return found


def first_layer(name: str) -> str:
    """Draw what the tutorial's layer does to a small cell, and what it says."""
    return _there(vector.volume_svg(example("first_layer", "Coupling"), 0, name))


def first_layer_jacobian(name: str) -> str:
    """Draw the Jacobian of the tutorial's layer."""
    return _there(vector.jacobian_svg(example("first_layer", "Coupling"), 0, name))


def dims_law(name: str) -> str:
    """Draw how the missing factor of the dequantization layer shows over the dims."""
    found = example("dequantization_mistakes", "NoDimsFactor", (1, 4, 4))
    assert found.law is not None
    return vector.law_svg(found.law, name)


def dequantization_jacobian(name: str) -> str:
    """Draw the Jacobian of a layer that maps every pixel by itself."""
    found = example("dequantization_mistakes", "NoDimsFactor", (1, 4, 4))
    return _there(vector.jacobian_svg(found, 0, name))


def coupling_jacobian(name: str) -> str:
    """Draw the Jacobian of a coupling layer on small images."""
    return _there(
        vector.jacobian_svg(example("coupling", "make_masked_coupling"), 0, name)
    )


def _there(svg: str | None) -> str:
    assert svg is not None
    return svg


def _beside(
    name: str,
    size: tuple[float, float],
    margins: Margins,
    *paints: Callable[[Axes], None],
) -> str:
    """Return pictures of one size, beside one another where there is room."""

    def drawn(number: int, paint: Callable[[Axes], None]) -> str:
        return vector.drawn_svg(
            lambda figure: paint(figure.subplots()), size, margins, f"{name}{number}"
        )

    return "".join(drawn(*each) for each in enumerate(paints))


# --- pictures of the theory -------------------------------------------------------------


def change_of_variables(name: str) -> str:
    """Draw a density, the map, and the density of the image: areas stay."""
    x = np.linspace(-3.2, 3.2, 400)
    y, slope = _bend(x), _bend_slope(x)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    marks = (-0.25, 0.25), (1.4, 1.9)

    def paint(axes: Axes, at: Any, height: Any, title: str, label: str) -> None:
        axes.plot(at, height, color=INK, linewidth=1.6)
        for (low, high), colour in zip(marks, (EXACT, REPORTED), strict=True):
            inside = (x >= low) & (x <= high)
            axes.fill_between(at[inside], height[inside], color=colour, alpha=0.55)
        axes.set_title(title)
        axes.set_xlabel(label)
        axes.set_ylim(0, 1.15 * height.max())
        axes.set_yticks([])

    return _beside(
        name,
        (4.7, 3.0),
        (0.2, 0.15, 0.6, 0.4),
        lambda axes: paint(axes, x, density, "p(x)", "x"),
        lambda axes: paint(
            axes, y, density / slope, "p(y) = p(x) / |dy/dx|", "y = x + 0.8 sin x"
        ),
    )


def _bend(x: Any) -> Any:
    return x + 0.8 * np.sin(x)


def _bend_slope(x: Any) -> Any:
    return 1 + 0.8 * np.cos(x)


def where_dims_come_from(name: str) -> str:
    """Draw a segment, a square and a cube, each side three times as long."""

    def paint(axes: Axes, dims: int) -> None:
        plain(axes)
        _box(axes, dims, 1.0, EXACT, 0.5)
        _box(axes, dims, 3.0, MEASURED, 0.18)
        axes.set_aspect("equal")
        axes.set_xlim(-0.4, 4.9)
        axes.set_ylim(-0.5, 4.9)
        unit = "dim" if dims == 1 else "dims"
        axes.set_title(f"{dims} {unit}: {3**dims} times as much")
        axes.set_xlabel(f"ldj = {dims} · log 3 = {dims * math.log(3):.3g}")

    return _beside(
        name,
        (3.1, 3.2),
        (0.1, 0.1, 0.5, 0.4),
        *(partial(paint, dims=dims) for dims in (1, 2, 3)),
    )


def _box(axes: Axes, dims: int, side: float, colour: str, alpha: float) -> None:
    """Draw a segment, a square, or a cube as one sees it from above."""
    shift = 0.42 * side if dims == 3 else 0.0
    if dims == 1:
        axes.plot([0, side], [0, 0], color=colour, linewidth=7, alpha=alpha + 0.3)
        axes.plot([0, side], [0, 0], "|", color=INK, markersize=16)
        return
    square = [(0, 0), (side, 0), (side, side), (0, side), (0, 0)]
    x, y = zip(*square, strict=True)
    axes.fill(x, y, color=colour, alpha=alpha, linewidth=0)
    axes.plot(x, y, color=INK, linewidth=1.2)
    if dims == 3:
        behind = [(a + shift, b + shift) for a, b in square]
        u, v = zip(*behind[1:4], strict=True)
        axes.plot(u, v, color=INK, linewidth=1.2)
        for (a, b), (c, d) in zip(square[1:4], behind[1:4], strict=True):
            axes.plot([a, c], [b, d], color=INK, linewidth=1.2)


def why_noise(name: str) -> str:
    """Draw whole numbers as spikes, and what noise makes of them."""
    counts = np.array([2, 5, 9, 6, 3])
    shares = counts / counts.sum()

    def paint_spikes(axes: Axes) -> None:
        axes.vlines(range(5), 0, shares, color=REPORTED, linewidth=3)
        axes.plot(range(5), shares, "^", color=REPORTED, markersize=9)
        axes.set_title("whole numbers: all the mass on five points")
        axes.set_ylabel("probability")
        finish(axes)

    def paint_boxes(axes: Axes) -> None:
        axes.bar(
            [k + 0.5 for k in range(5)], shares, 1.0, color=EXACT, alpha=0.6,
            edgecolor=INK, linewidth=0.8,
        )  # fmt: skip
        axes.set_title("with noise from 0 to 1: a density")
        axes.set_ylabel("probability density")
        finish(axes)

    def finish(axes: Axes) -> None:
        axes.set_xlim(-0.7, 5.5)
        axes.set_ylim(0, 0.45)
        axes.set_xlabel("pixel")

    margins = (0.75, 0.15, 0.6, 0.4)
    return _beside(name, (4.8, 3.1), margins, paint_spikes, paint_boxes)


def round_trip_is_blind(name: str) -> str:
    """Draw both directions of the student's layer: each is off, and the sum is zero."""
    exact, off = -54.0, 15 * math.log(_QUANTS)
    rows = [
        ("forward", exact, exact + off),
        ("inverse", -exact, -exact - off),
        ("sum", 0.0, 0.0),
    ]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for at, (_, true, said) in enumerate(rows):
            axes.bar(at - 0.2, true, 0.38, color=EXACT, label=None if at else "exact")
            axes.bar(
                at + 0.2, said, 0.38, facecolor="none", edgecolor=REPORTED, hatch=HATCH,
                linewidth=1.4, label=None if at else "reported",
            )  # fmt: skip
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xticks(range(3), ["forward", "inverse", "forward + inverse"])
        axes.set_ylabel("ldj, nats")
        axes.annotate("both are 0", (2, 0), (2, 14), ha="center")
        axes.legend(loc="lower right")

    return vector.drawn_svg(paint, (6.4, 3.3), (0.8, 0.1, 0.45, 0.15), name)


@cache
def _scatter() -> tuple[list[int], list[float], list[float], list[float]]:
    """Return dims, and of a right layer the worst difference, what is allowed, a slip."""
    from torch import nn

    class Mix(nn.Module):
        """x @ W, and log|det W|: what rounding does to it grows with the dims."""

        def __init__(self, dims: int) -> None:
            super().__init__()
            generator = torch.Generator().manual_seed(dims)
            self.weight = nn.Parameter(torch.randn(dims, dims, generator=generator))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x @ self.weight, torch.slogdet(self.weight)[1].expand(len(x))

    sizes = [2, 4, 8, 16, 32, 64]
    worst, allowed, slip = [], [], []
    for dims in sizes:
        check = ldjcheck.check(Mix(dims), shape=dims, pictures=False).checks[0]
        gaps = [abs(s.difference or 0.0) for s in check.samples]
        worst.append(max(*gaps, 1e-17))
        allowed.append(max(s.allowed for s in check.samples))
        slip.append(dims * 1e-5)
    return sizes, worst, allowed, slip


def error_model(name: str) -> str:
    """Draw what rounding does, what is allowed for it, and what a small slip costs."""
    sizes, worst, allowed, slip = _scatter()

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.loglog(sizes, slip, "^--", color=REPORTED, label="log(1 - alpha) left out")
        axes.loglog(sizes, allowed, "-", color=INK, linewidth=2, label="allowed")
        axes.loglog(sizes, worst, "o", color=EXACT, label="a right layer")
        axes.set_xticks(sizes, [str(each) for each in sizes])
        axes.minorticks_off()
        axes.set_ylim(1e-18, 1e-2)
        exponents = range(-18, 0, 4)
        axes.set_yticks([10.0**k for k in exponents], [f"1e{k}" for k in exponents])
        axes.set_xlabel("dims")
        axes.set_ylabel("|reported \N{MINUS SIGN} exact|, nats")
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))

    return vector.drawn_svg(paint, (7.4, 3.4), (0.85, 2.3, 0.6, 0.15), name)


def alike_at_some_shapes(name: str) -> str:
    """Draw counts that a layer may mean, at shapes where they are and are not alike."""
    shapes = [(1, 4, 4), (2, 2, 2), (2, 3, 5)]
    kinds: list[tuple[str, Callable[[int, int, int], int], str, str]] = [
        ("D = C·H·W", lambda c, h, w: c * h * w, EXACT, ""),
        ("H·W", lambda c, h, w: h * w, MEASURED, "xx"),
        ("C", lambda c, h, w: c, REPORTED, HATCH),
        ("H", lambda c, h, w: h, FAINT, "||||"),
    ]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for index, (label, count, colour, hatch) in enumerate(kinds):
            heights = [count(*shape) for shape in shapes]
            at = [k + 0.2 * (index - 1.5) for k in range(len(shapes))]
            axes.bar(
                at, heights, 0.18, facecolor="none" if hatch else colour,
                edgecolor=colour, hatch=hatch, label=label, linewidth=1.2,
            )  # fmt: skip
            for x, height in zip(at, heights, strict=True):
                axes.text(x, height + 0.4, str(height), ha="center")
        names = ["x".join(map(str, shape)) for shape in shapes]
        axes.set_xticks(range(3), [f"image {each}" for each in names])
        axes.set_ylabel("what a term is multiplied by")
        axes.set_ylim(0, 34)
        axes.legend(loc="upper left", ncols=2)

    return vector.drawn_svg(paint, (7.2, 3.4), (0.7, 0.1, 0.45, 0.15), name)


DRAWINGS: dict[str, Drawing] = {
    "first-layer": first_layer,
    "first-layer-jacobian": first_layer_jacobian,
    "dims-law": dims_law,
    "dequantization-jacobian": dequantization_jacobian,
    "coupling-jacobian": coupling_jacobian,
    "change-of-variables": change_of_variables,
    "where-dims-come-from": where_dims_come_from,
    "why-noise": why_noise,
    "round-trip-is-blind": round_trip_is_blind,
    "error-model": error_model,
    "alike-at-some-shapes": alike_at_some_shapes,
}
"""Every picture, by the name that the directive takes."""
