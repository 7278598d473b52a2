"""Trying an edited source: its text, the functions in it, and running them for a while."""

from ldjcheck.revision.live import Live, StaleSourceError, first_line
from ldjcheck.revision.text import (
    Replacement,
    SourceText,
    call_name,
    is_disjoint,
    read_source,
)

__all__ = [
    "Live", "Replacement", "SourceText", "StaleSourceError", "call_name",
    "first_line", "is_disjoint", "read_source",
]  # fmt: skip
