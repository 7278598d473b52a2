"""Mending: the edit of the user's source that puts a mistake right, run before it is told."""

from ldjcheck.mistakes.mending.fixes import (
    changed_at,
    in_function,
    wants_derived,
    with_fixes,
)
from ldjcheck.mistakes.mending.verify import Plans, Whole

__all__ = ["Plans", "Whole", "changed_at", "in_function", "wants_derived", "with_fixes"]
