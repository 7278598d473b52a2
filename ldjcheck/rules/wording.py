"""How rules name the term that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldjcheck.records import Explanation

_LONGEST = 48


def named(explanation: Explanation, *, start: bool = False) -> str:
    """Return the term in the source's own words, or in plain ones."""
    if explanation.whole:
        return "The whole log-determinant" if start else "the whole log-determinant"
    text = explanation.operand
    if text is None or len(text) > _LONGEST:
        return "A term of the log-determinant" if start else "a term"
    return f"`{text}`"
