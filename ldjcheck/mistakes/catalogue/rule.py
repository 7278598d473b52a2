"""What a rule is: code and name of one mistake, how it is recognised, and what it claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ldjcheck.mistakes.catalogue.page import Page
from ldjcheck.mistakes.engine.kinds import Kind, Term, Use, ValueEdit, WholeLaw
from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.records import (
    Comparison,
    Diagnosis,
    Direction,
    Explanation,
    Finding,
    Law,
    Location,
    Severity,
)

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.case import Case


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


_TOPICS = ("not checked", "value", "contract", "inverse", "proof", "likelihood")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One mistake.

    `match(comparison)` yields findings about behaviour. Of a wrong value `claims` says
    which explanations are this mistake; they are found by `laws` of the whole ldj, by
    `edits(use)` of a value in its arithmetic, by `terms(term)` of one of its terms, by
    `explanations(case, found)`, which sees what was found before, or by the engine. `tell`
    is the message about one, or makes it of the explanation, and the evidence is what
    `why` and `seen` say of it. None of them runs the layer. A rule without any is raised
    where it happens (LDJ0xx).
    """

    code: str
    name: str
    summary: str  # what is wrong, in a few plain words
    page: Page
    severity: Severity = "error"
    match: Callable[[Comparison], Iterable[Finding]] | None = None
    laws: tuple[WholeLaw, ...] = ()
    edits: Callable[[Use], Iterable[ValueEdit]] | None = None
    terms: Callable[[Term], Iterable[Explanation]] | None = None
    explanations: (
        Callable[[Case, Sequence[Explanation]], Iterable[Explanation]] | None
    ) = None
    claims: tuple[Claim, ...] = ()
    tell: str | Callable[[Explanation], str] = ""  # one sentence
    why: Callable[[Explanation, Diagnosis], Iterable[str]] | None = None
    seen: Callable[[Explanation], Iterable[str]] | None = None
    asked_first: bool = False  # it claims a special case of what another rule claims
    harmless_below: float = 0.0  # nats: a smaller difference makes the finding a note
    points_at: Literal["explanation", "last statement", "reduction"] = "explanation"
    mend: tuple[Way, ...] = ()  # of a finding that no explanation is claimed for
    mended_alone: bool = False  # nothing else is tried: it would agree as well
    derived: bool = (
        False  # where no edit mends it, the map itself says what belongs there
    )
    beside_the_value: bool = False  # it may be wrong where all numbers agree
    leaves_open: str = ""  # what a pass beside it does not speak for, in a few words

    @property
    def topic(self) -> str:
        """What the hundred of its code is about."""
        return _TOPICS[int(self.code[3])]

    @property
    def is_mendable(self) -> bool:
        """Whether it is about the ldj's own code, so that an edit of it may help."""
        ways = self.mend or any(claim.mend for claim in self.claims)
        return bool(ways) or self.topic == "value"

    def is_claiming(self, explanation: Explanation, at: Circumstances) -> bool:
        """Return whether an explanation is of this mistake."""
        return any(claim.holds(explanation, at) for claim in self.claims)

    def told(self, explanation: Explanation) -> str:
        """Return the message about an explanation that is claimed."""
        return self.tell if isinstance(self.tell, str) else self.tell(explanation)

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
