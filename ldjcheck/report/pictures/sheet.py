"""All pictures of one direction of a result on one sheet, each with its caption."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from ldjcheck.records import Direction, Result
from ldjcheck.report.blocks.layout import one_line, shorten_middle
from ldjcheck.report.blocks.title import that_decides
from ldjcheck.report.pictures import bars, contents, heatmap, volume
from ldjcheck.report.pictures.contents import Contents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    Painter = Callable[[SubFigure, Contents], None]

_WIDTH = 11.0  # inches
_CHARACTERS = 145  # of a caption's line
_HEADING = 0.34  # inches, as are the following
_LINE = 0.19
_HEIGHTS = {"jacobian": 3.7, "numbers": 3.1, "volume": 3.7}
_SAMPLES = 3


class NothingToDrawError(ValueError):
    """There are no numbers: nothing was compared, or nothing was kept for pictures."""


def sheet(result: Result, direction: Direction | None = None) -> Figure:
    """Return a figure with all pictures of one direction: that of the verdict, if None.

    Raises:
        NothingToDrawError: the result has nothing to draw.
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure, own_style = drawing_library()
    found = _contents(result, direction)
    kept = {
        "jacobian": found.matrices, "numbers": found.samples or found.law,
        "volume": found.grid,
    }  # fmt: skip
    rows = [(name, _render_caption(name, found)) for name, held in kept.items() if held]
    title = _title(result, found)
    heights = [0.3 + 0.24 * len(title.splitlines())]
    for name, (_, words) in rows:
        heights += [_HEADING + _LINE * len(words.splitlines()), _HEIGHTS[name]]
    with own_style():
        whole = figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
        parts = whole.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
        top, *others = parts[:, 0]
        top.text(0.01, 0.5, title, fontsize=13, fontweight="bold", va="center")
        for (name, told), head, body in zip(
            rows, others[::2], others[1::2], strict=True
        ):
            _write_caption(head, *told)
            _PAINTERS[name](body, found)
    return whole


def save_sheet(figure: Figure, path: Path) -> None:
    """Write a figure as the file's suffix says; the same figure is the same file.

    Raises:
        ValueError: a suffix that is no format of pictures.
        OSError: it cannot be written.
    """
    stamps = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    figure.savefig(path, facecolor="white", metadata=stamps.get(path.suffix, {}))


def drawing_library() -> tuple[
    type[Figure], Callable[..., AbstractContextManager[None]]
]:
    """Return the class of our figures, and the style that they are drawn in.

    Raises:
        ModuleNotFoundError: it is not installed; the message says what to type.
    """
    try:
        from ldjcheck.report.pictures.shown import ShownFigure, own_style
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ModuleNotFoundError(contents.NO_LIBRARY, name="matplotlib") from None
    return ShownFigure, own_style


def _contents(result: Result, direction: Direction | None) -> Contents:
    known = contents.directions_of(result)
    wanted = direction if direction is not None else next(iter(known), None)
    found = None if wanted is None else contents.contents_of(result, wanted)
    if found is None:
        of = f" of the {direction} direction" if direction else ""
        raise NothingToDrawError(
            f"There is nothing to draw{of}: no numbers were compared"
        )
    return found


def _title(result: Result, found: Contents) -> str:
    main = that_decides(result)
    code = "" if main is None else f"  {main.code} {main.name}"
    target = shorten_middle(one_line(result.target), 60)
    head = f"{target}: {result.status.upper()}{code} ({found.direction})"
    if main is None:
        return head
    return f"{head}\n{fill(one_line(main.message), 100, max_lines=2)}"


# --- the rows -------------------------------------------------------------------------


def _paint_jacobian(part: SubFigure, found: Contents) -> None:
    shown = found.matrices[:_SAMPLES]
    scale = heatmap.scale_of(shown)
    axes = part.subplots(1, len(shown), squeeze=False)[0]
    for each, matrix in zip(axes, shown, strict=True):
        heatmap.draw_heatmap(each, matrix, scale)
        each.set_title(contents.sample_title(found, matrix.sample))
    heatmap.draw_key(axes[-1], scale)


def _paint_numbers(part: SubFigure, found: Contents) -> None:
    painters: list[tuple[Callable[[Axes], None], float]] = []
    if found.samples:
        shown = found.samples[:_SAMPLES]
        painters.append((lambda axes: bars.draw_samples(axes, shown), 1.0))
    exact = found.exact_parts(0)
    if len(exact) > 1:
        said = found.reported_parts(0)
        painters.append((lambda axes: bars.draw_dims(axes, exact, said), 1.4))
    if found.sublayers:
        painters.append((lambda axes: bars.draw_sublayers(axes, found.sublayers), 1.4))
    if (law := found.law) is not None:
        painters.append((lambda axes: bars.draw_law(axes, law), 1.0))
    widths = [width for _, width in painters]
    axes = part.subplots(1, len(painters), squeeze=False, width_ratios=widths)[0]
    for each, (paint, _) in zip(axes, painters, strict=True):
        paint(each)


def _paint_volume(part: SubFigure, found: Contents) -> None:
    assert found.grid is not None
    cell = found.grid.cells[0]
    axes = part.subplots(1, 3, width_ratios=[1.0, 1.0, 1.0])
    volume.draw_planes(axes[0], axes[1], found.grid, cell)
    sample = next(s for s in found.check.samples if s.index == cell.sample)
    volume.draw_factors(axes[2], cell, sample)


_PAINTERS: dict[str, Painter] = {
    "jacobian": _paint_jacobian,
    "numbers": _paint_numbers,
    "volume": _paint_volume,
}


# --- what is said -----------------------------------------------------------------------


def _render_caption(name: str, found: Contents) -> tuple[str, str]:
    """Return the heading of a row and its caption, as lines."""
    if name == "jacobian":
        heading, words = "The Jacobian J = dy/dx", [contents.jacobian_caption(found)]
    elif name == "volume" and found.grid is not None:
        sample = found.grid.cells[0].sample
        heading, words = "The volume", [contents.volume_caption(found, sample)]
    else:
        heading = "Exact and reported"
        words = [contents.samples_caption(found)] if found.samples else []
        words += (
            [contents.dims_caption(found, 0)] if len(found.exact_parts(0)) > 1 else []
        )
        words += [contents.sublayers_caption(found)] if found.sublayers else []
        words += [contents.law_caption(found.law)] if found.law is not None else []
        note = contents.no_volume_note(found)
        words += [] if note is None else [note]
    return heading, fill(" ".join(words), _CHARACTERS)


def _write_caption(part: SubFigure, heading: str, words: str) -> None:
    lines = len(words.splitlines())
    top = 1.0 - 0.1 / (_HEADING + _LINE * lines)
    part.text(0.01, top, heading, fontsize=12, fontweight="bold", va="top")
    part.text(0.01, 0.0, words, fontsize=10, va="bottom", linespacing=1.25)
