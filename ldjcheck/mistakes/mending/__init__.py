"""Mending: the edit of the user's source that puts a mistake right, run before it is told."""

from __future__ import annotations

from ldjcheck.mistakes.mending.fixes import wants_derived, with_fixes
from ldjcheck.mistakes.mending.verify import Plans, Whole

__all__ = ["Plans", "Whole", "wants_derived", "with_fixes"]
