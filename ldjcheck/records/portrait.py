"""What is kept of a measurement so that it can be drawn: plain numbers and source text.

Pictures measure nothing: all that they show was measured by the check, and is here.
"""

from dataclasses import dataclass

from ldjcheck.records.words import Direction

Point = tuple[float, float]
Path = tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JacobianMatrix:
    """J of one sample, `rows[i][j] = dy[i] / dx[j]`.

    A large one is kept in blocks of `block` by `block` entries, each by the entry that is
    largest in size, sign included; `block` is 1 where every entry is there.
    """

    direction: Direction
    sample: int
    dims_out: int
    dims_in: int
    rows: tuple[tuple[float, ...], ...]
    block: int = 1
    shares: tuple[float, ...] = ()  # each dim's part of log|det J|, in nats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A small cell around one sample and its image, corner by corner in the same order.

    `outline` is a larger square around the same sample, with points along its edges: the
    small cell is what is measured, the larger one can be seen.
    """

    sample: int
    before: Path
    after: Path
    outline: Path
    outline_after: Path

    @property
    def factor(self) -> float:
        """By how much the map changes the cell's area: the area after over before."""
        return shoelace(self.after) / shoelace(self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridImage:
    """Lines of a grid in the plane, where a map of two dims takes them, and small cells.

    `lines[k]` is mapped to `lines_after[k]`, point by point. `of_noise` says that the
    plane is that of the noise, not of the input.
    """

    direction: Direction
    lines: tuple[Path, ...]
    lines_after: tuple[Path, ...]
    cells: tuple[Cell, ...]
    of_noise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Lines of the user's source, the first of them line number `start`."""

    file: str
    cell: int | None
    start: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """All that pictures, and reports beside the source, are drawn from."""

    jacobians: tuple[JacobianMatrix, ...] = ()
    grids: tuple[GridImage, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()


def shoelace(corners: Path) -> float:
    """Return the area that a polygon encloses: half of |sum x[k] y[k+1] - x[k+1] y[k]|.

    Counted from the first corner, so that no digits are lost far from the origin.
    """
    x0, y0 = corners[0]
    moved = [(x - x0, y - y0) for x, y in corners]
    pairs = zip(moved, (*moved[1:], moved[0]), strict=True)
    return abs(sum(x * v - u * y for (x, y), (u, v) in pairs)) / 2
