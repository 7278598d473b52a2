"""What a rule is: the code and name of one mistake, and how to recognise it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ldjcheck.records import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ldjcheck.mistakes.catalogue.page import Page
    from ldjcheck.records import (
        Comparison,
        Direction,
        Explanation,
        Law,
        Location,
        Severity,
    )


_TOPICS = ("not checked", "value", "contract", "inverse", "proof", "likelihood")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What else a rule about values may ask before it claims an explanation."""

    direction: Direction
    forward_agrees: bool  # the forward direction reports an ldj, and it is right
    largest: float  # the largest |reported - exact| seen, in nats


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One mistake.

    `match(comparison)` yields findings about behaviour; `explains(explanation, ...)` claims
    an edit that the diagnosis found, and `tell` says it. Both read records and never run
    the layer. A rule with neither is raised where it happens (LDJ0xx).
    """

    code: str
    name: str
    severity: Severity
    summary: str  # what is wrong, in a few plain words
    page: Page
    match: Callable[[Comparison], Iterable[Finding]] | None = None
    explains: Callable[[Explanation, Circumstances], bool] | None = None
    tell: Callable[[Explanation], str] | None = None  # the message, one sentence
    asked_first: bool = False  # it claims a special case of what another rule claims
    harmless_below: float = 0.0  # nats: a smaller difference makes the finding a note
    points_at: Literal["explanation", "last statement", "reduction"] = "explanation"

    @property
    def topic(self) -> str:
        """What the hundred of its code is about."""
        return _TOPICS[int(self.code[3])]

    def finding(
        self,
        message: str,
        *,
        direction: Direction | None = None,
        evidence: tuple[str, ...] = (),
        law: Law | None = None,
        bits_per_dim: float | None = None,
        location: Location | None = None,
        also_fits: tuple[str, ...] = (),
    ) -> Finding:
        """Return a finding of this rule."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity,
            message=message,
            direction=direction,
            evidence=evidence,
            law=law,
            bits_per_dim=bits_per_dim,
            location=location,
            also_fits=also_fits,
        )
