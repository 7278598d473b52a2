"""Places in the user's source, changed lines of it, and the lines of a derived ldj."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ldjcheck.records.words import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One changed line of the user's source.

    `after` is what stands in its place: nothing when the line goes, several lines when
    some are added. In a notebook `line` counts from the start of its `cell`.
    """

    file: str
    line: int
    before: str
    after: str
    cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in the user's source. `cell` is the notebook cell, if it is one."""

    file: str
    line: int
    column: int | None = None
    function: str | None = None
    text: str | None = None
    cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedStep:
    """One statement of the map, and the term that it adds to the ldj.

    `text` is the statement as the source has it, `term` the code of its term, and `why` one
    sentence about it.
    """

    direction: Direction
    file: str
    line: int
    text: str
    term: str
    why: str
    cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """The step that has no known closed form, and what is to be had instead."""

    direction: Direction
    why: str
    instead: str
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The ldj of a map as code.

    `verified` only when the edited layer was run, at shapes, seeds and parameters that
    nothing was derived from, and then agreed. `total` is the whole ldj of the forward
    direction, or of the inverse where that alone was asked for.
    """

    applicability: Literal["verified", "suggested", "none"]
    residual_after: float | None = None
    total: str | None = None
    steps: tuple[DerivedStep, ...] = ()
    edits: tuple[Edit, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    doubts: tuple[str, ...] = ()  # what was seen when it was run, and is not verified
    is_right: bool = False  # the layer's own ldj agrees already
