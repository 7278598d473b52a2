"""What a mistake claims: the explanations that are it, and ways to mend them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldjcheck.records import Direction, Explanation

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.kinds import Kind
    from ldjcheck.mistakes.rewriting.sites import Change, Site

Way = Callable[["Site"], Iterator["Change"]]
"""Yields edits of one statement that may do what an explanation asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What else a mistake may ask before it claims an explanation."""

    direction: Direction
    forward_agrees: bool  # the forward direction reports an ldj, and it is right
    largest: float  # the largest |reported - exact| seen, in nats


@dataclass(frozen=True, slots=True)
class Claim:
    """All explanations of a kind, or those for which `when(explanation, at)` holds.

    `mend` are the edits of the source that may do what is asked for, the likeliest first.
    Of several claims of one kind the first that has some says them for all. `difference`
    is what reported - exact then is, `{term}` standing for the term, as reports show it.
    """

    kind: Kind
    when: Callable[[Explanation, Circumstances], bool] | None = None
    mend: tuple[Way, ...] = ()
    difference: str = ""

    def holds(self, explanation: Explanation, at: Circumstances) -> bool:
        """Return whether an explanation is claimed."""
        meant = self.kind.holds(explanation)
        return meant and (self.when is None or self.when(explanation, at))
