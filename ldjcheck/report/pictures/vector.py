"""Single pictures as SVG to stand in a page: they take its colour of ink, and its width.

A report holds many of them, so every name inside of one is its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from ldjcheck.records import Law
from ldjcheck.report.pictures import bars, heatmap, volume
from ldjcheck.report.pictures.contents import Contents
from ldjcheck.report.pictures.palette import INK
from ldjcheck.report.pictures.sheet import drawing_library

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Painter = Callable[[Figure], None]
    Margins = tuple[float, float, float, float]  # left, right, bottom, top, in inches


def jacobian_svg(found: Contents, sample: int, name: str) -> str | None:
    """Return the Jacobian of one sample; None where it was not kept."""
    matrix = found.matrix(sample)
    if matrix is None:
        return None
    scale = heatmap.scale_of(found.matrices)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        heatmap.draw_heatmap(axes, matrix, scale)
        heatmap.draw_key(axes, scale)

    return drawn_svg(paint, (4.9, 3.9), (0.7, 1.1, 0.6, 0.15), name)


def samples_svg(found: Contents, name: str) -> str | None:
    """Return both numbers of all samples."""
    shown = found.samples[:_SAMPLES]
    if not shown:
        return None
    size = (max(4.6, 1.3 * len(shown)), 3.4)
    return drawn_svg(
        lambda figure: bars.draw_samples(figure.subplots(), shown),
        size, (0.9, 0.1, 0.7, 0.2), name,
    )  # fmt: skip


def dims_svg(found: Contents, sample: int, name: str) -> str | None:
    """Return the parts of one sample's numbers, dim by dim."""
    exact, reported = found.exact_parts(sample), found.reported_parts(sample)
    if len(exact) < 2:
        return None
    return drawn_svg(
        lambda figure: bars.draw_dims(figure.subplots(), exact, reported),
        (5.4, 3.4), (0.9, 0.1, 0.9, 0.2), name,
    )  # fmt: skip


def sublayers_svg(found: Contents, name: str) -> str | None:
    """Return what each sublayer adds to both numbers of the first sample."""
    if not found.sublayers:
        return None
    return drawn_svg(
        lambda figure: bars.draw_sublayers(figure.subplots(), found.sublayers),
        (5.4, 3.8), (0.9, 0.1, 1.1, 0.5), name,
    )  # fmt: skip


def law_svg(law: Law, name: str) -> str:
    """Return how the difference grows with what the law counts."""
    return drawn_svg(
        lambda figure: bars.draw_law(figure.subplots(), law),
        (4.6, 3.4), (0.9, 0.15, 0.7, 0.2), name,
    )  # fmt: skip


def volume_svg(found: Contents, sample: int, name: str) -> str | None:
    """Return the volume picture around one sample, in two parts; None without one."""
    grid = found.grid
    cells = () if grid is None else grid.cells
    cell = next((each for each in cells if each.sample == sample), None)
    said = next((each for each in found.samples if each.index == sample), None)
    if grid is None or cell is None or said is None:
        return None

    def paint_planes(figure: Figure) -> None:
        before, after = figure.subplots(1, 2)
        volume.draw_planes(before, after, grid, cell)
        figure.subplots_adjust(wspace=0.3)

    def paint_factors(figure: Figure) -> None:
        volume.draw_factors(figure.subplots(), cell, said)

    # one under the other where a page is narrow
    planes = drawn_svg(paint_planes, (7.0, 3.6), (0.45, 0.1, 0.6, 0.35), name)
    factors = drawn_svg(paint_factors, (3.9, 3.6), (1.25, 0.15, 0.6, 0.35), f"{name}f")
    return planes + factors


_SAMPLES = 8


def drawn_svg(
    paint: Painter, size: tuple[float, float], margins: Margins, name: str
) -> str:
    """Return a picture of some inches, its parts named after `name`.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure, own_style = drawing_library()
    left, right, bottom, top = margins
    width, height = size
    written = StringIO()
    with own_style({"svg.fonttype": "none", "svg.hashsalt": name}):
        drawn = figure(figsize=size)
        drawn.subplots_adjust(
            left=left / width,
            right=1 - right / width,
            bottom=bottom / height,
            top=1 - top / height,
        )
        paint(drawn)
        drawn.canvas.print_figure(
            written, format="svg", facecolor="none", edgecolor="none",
            metadata=_NO_STAMPS,
        )  # fmt: skip
    return _of_the_page(written.getvalue(), width)


_NO_STAMPS: dict[str, None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_OUTSIDE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_TOP = re.compile(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>')
_UNUSED: Sequence[re.Pattern[str]] = (
    re.compile(r"<metadata>.*?</metadata>", re.DOTALL),
    re.compile(r'(?<=<g) id="[^"]*"'),
    re.compile(r"<!--.*?-->", re.DOTALL),
)


_LARGEST, _SMALLEST = 80, 55  # pixels of an inch


def _of_the_page(svg: str, inches: float) -> str:
    """Return the picture without what only a file needs, in the page's own ink."""
    svg = _OUTSIDE.sub("", svg)
    for pattern in _UNUSED:
        svg = pattern.sub("", svg)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" aria-hidden="true" '
        rf'\1 style="max-width: {inches * _LARGEST:.0f}px; '
        # beside others as long as there is room, in their proportions
        rf'flex: {inches:g} 1 {inches * _SMALLEST:.0f}px">'
    )
    return _TOP.sub(head, svg, count=1).replace(INK, "currentColor").strip()
