"""Where in the user's source something stands."""

from __future__ import annotations

import linecache
import os
from typing import TYPE_CHECKING

from ldjcheck.cells import split_cell
from ldjcheck.records import Location

if TYPE_CHECKING:
    from ldjcheck.tape.node import Place


def location_of(place: Place | None) -> Location | None:
    """Return a place as the report shows it, with the source line's text."""
    if place is None:
        return None
    file, cell = split_cell(place.file)
    return Location(
        file=shown_file(file),
        cell=cell,
        line=place.line,
        column=place.column + 1,
        function=place.function,
        text=linecache.getline(place.file, place.line).strip() or None,
    )


def shown_file(path: str) -> str:
    """Return a file as a reader in the current folder would type it."""
    here = os.getcwd() + os.sep
    return path.removeprefix(here)
