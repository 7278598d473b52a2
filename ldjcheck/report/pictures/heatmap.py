"""The Jacobian of one sample, entry by entry: colour for the sign, strength for the size.

An exact zero has no colour at all, so that the structure is what one sees first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldjcheck.records import Structure
from ldjcheck.records.portrait import JacobianMatrix
from ldjcheck.report.pictures.palette import INK, MINUS, NEGATIVE, POSITIVE, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Relative to the largest entry of the row: what rounding leaves of a zero.
_ZERO = 1e-13
_FAINTEST = 0.2  # how strong the smallest entry is drawn that is not zero
_DECADES = 4  # that are told apart where entries differ by much
_LINEAR = 30.0  # entries that differ by less are drawn by their size, not its logarithm
_NUMBERS = 6  # dims up to which every entry can be written down
_SIGNS = 24  # and dims up to which there is room for a minus

STRUCTURES: dict[Structure, str] = {
    "diagonal": "Diagonal: each output moves with its own input only, so log|det J| is "
    "the sum of the logarithms of the diagonal, one for each dim.",
    "triangular": "Triangular, once rows and columns are put in order: log|det J| is the "
    "sum of the logarithms of one entry for each dim, and the others do not count.",
    "block": "It falls apart into blocks: log|det J| is the sum of those of the blocks.",
    "dense": "Dense: every output moves with every input, and only the determinant of "
    "the whole tells how the volume changes.",
}
"""What a structure means for the determinant, in a sentence."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How strong an entry of some size is drawn: by its size, or by its logarithm."""

    largest: float
    smallest: float

    @property
    def is_linear(self) -> bool:
        """Whether strength is proportional to the size."""
        return self.largest <= _LINEAR * self.smallest

    def strength(self, size: float) -> float:
        """Return from `_FAINTEST` to 1; 0 for nothing."""
        if not size:
            return 0.0
        if self.is_linear:
            part = size / self.largest
        else:
            least = max(self.smallest, self.largest * 10.0**-_DECADES)
            decades = math.log(self.largest / least)
            part = math.log(max(size, least) / least) / decades
        return _FAINTEST + (1.0 - _FAINTEST) * min(max(part, 0.0), 1.0)


def cleaned(matrix: JacobianMatrix) -> list[list[float]]:
    """Return the entries, with what is left of a zero by rounding as zero."""
    return [
        [value if abs(value) > _ZERO * max(map(abs, row)) else 0.0 for value in row]
        for row in matrix.rows
    ]


def scale_of(matrices: Sequence[JacobianMatrix]) -> Scale:
    """Return one scale for all matrices that stand side by side."""
    sizes = [abs(v) for each in matrices for row in cleaned(each) for v in row if v]
    return Scale(max(sizes, default=1.0), min(sizes, default=1.0))


def draw_heatmap(axes: Axes, matrix: JacobianMatrix, scale: Scale) -> None:
    """Draw the entries of a matrix; small matrices carry their numbers."""
    rows = cleaned(matrix)
    colours = [[_colour(value, scale) for value in row] for row in rows]
    height, width = len(rows), len(rows[0])
    axes.imshow(colours, interpolation="none", aspect="equal")
    if max(height, width) <= _NUMBERS:
        _write_numbers(axes, rows, scale)
    elif max(height, width) <= _SIGNS:
        _write_signs(axes, rows)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.8)
    _name_dims(axes, matrix)


def draw_key(beside: Axes, scale: Scale) -> None:
    """Draw which colour stands for which size and sign, at the right of a matrix."""
    axes = beside.inset_axes((1.05, 0.0, 0.06, 1.0))
    plain(axes)
    least = scale.smallest
    if not scale.is_linear:
        least = max(least, scale.largest * 10.0**-_DECADES)
    steps = 20
    sizes = [
        scale.largest * k / steps
        if scale.is_linear
        else least * (scale.largest / least) ** (k / steps)
        for k in range(1, steps + 1)
    ]
    values = [*reversed(sizes), 0.0, *(-size for size in sizes)]
    column = [[_colour(value, scale)] for value in values]
    axes.imshow(column, aspect="auto", interpolation="none")
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.8)
    middle = f"{least:.2g}" if not scale.is_linear else None
    ticks = {
        0: f"+{scale.largest:.2g}",
        steps: "0",
        2 * steps: f"{MINUS}{scale.largest:.2g}",
    }
    if middle is not None:
        ticks |= {steps - 1: f"+{middle}", steps + 1: f"{MINUS}{middle}"}
        ticks.pop(steps)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.yaxis.tick_right()


def _colour(value: float, scale: Scale) -> tuple[float, float, float, float]:
    strength = scale.strength(abs(value))
    return (*(POSITIVE if value > 0 else NEGATIVE), strength)


def _write_numbers(axes: Axes, rows: Sequence[Sequence[float]], scale: Scale) -> None:
    small = max(map(len, rows)) > 4
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            strong = scale.strength(abs(value)) > 0.62
            text = f"{value:.2g}" if value else "0"
            axes.text(
                j, i, text.replace("-", MINUS), ha="center", va="center",
                color="white" if strong else INK, fontsize=8.5 if small else 10,
            )  # fmt: skip


def _write_signs(axes: Axes, rows: Sequence[Sequence[float]]) -> None:
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if value < 0:
                axes.text(j, i, MINUS, ha="center", va="center", fontsize=8)


def _name_dims(axes: Axes, matrix: JacobianMatrix) -> None:
    shown = len(matrix.rows[0]), len(matrix.rows)
    for count, axis in zip(shown, (axes.xaxis, axes.yaxis), strict=True):
        step = max(1, -(-count // 8))
        at = list(range(0, count, step))
        axis.set_ticks(at, [str(k * matrix.block) for k in at])
        axis.set_tick_params(length=0)
    axes.set_xlabel("input dim")
    axes.set_ylabel("output dim")
