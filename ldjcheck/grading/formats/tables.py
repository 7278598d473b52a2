"""Tables that a spreadsheet opens: a name that a student chose is never a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as comma-separated values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        flat = " ".join(value.split())
        return f"'{flat}" if flat.startswith(_FORMULA) else flat
    return f"{value:.6g}" if isinstance(value, float) else value
