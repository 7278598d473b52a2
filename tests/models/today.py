"""What is told today of rows that should be told otherwise: a better answer fails here.

What should be told stands in the tables: a right model passes; a twin fails with one of its
codes, at its line, and its edit makes it right.
"""

from __future__ import annotations

from typing import NamedTuple

from .checking import Seen


class Said(NamedTuple):
    """A status, the first grave code, the line that is blamed, and the edit if any."""

    status: str
    code: str = ""
    line: str = ""
    edit: str = ""


def said(found: Seen) -> Said:
    """Return what was told of a row, less its numbers."""
    edit = found["offered"] and (
        f"{found['offered']}, {'right' if found['mended'] else 'wrong'}"
    )
    code = next(iter(found["codes"]), "")
    return Said(found["status"], code, found["source"], edit)


TODAY: dict[str, Said] = {}
