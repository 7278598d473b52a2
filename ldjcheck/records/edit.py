"""A place in the user's source, and a changed line of it."""

from __future__ import annotations

from dataclasses import dataclass


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
