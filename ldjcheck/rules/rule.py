"""What a rule is: the code and name of one mistake, and how to recognise it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldjcheck.records import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ldjcheck.records import Comparison, Direction, Law, Location, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One mistake.

    `match(comparison)` yields its findings; it reads records and never runs the layer.
    Rules without it are found elsewhere: what stops a check (LDJ0xx) is raised where it
    happens, and the rules about values share one diagnosis.
    """

    code: str
    name: str
    severity: Severity
    summary: str  # what is wrong, in one line of plain words
    match: Callable[[Comparison], Iterable[Finding]] | None = None

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
