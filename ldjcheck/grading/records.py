"""What is known about a submission: facts that are kept, and points that follow from them.

Facts are stored, and read again when grading is resumed; what comes from the confined
processes is cut to size and to its types here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ldjcheck.records import Edit

Standing = Literal[
    "right",  # judged right from outside, and nothing found beside the code
    "wrong",
    "unproven",
    "absent",  # it defines no such name, or lacks a direction that is asked for
    "broken",  # it cannot be loaded, built or called
    "stopped",  # it ran into a limit, or its process died
    "held",  # the two checks do not agree, or only one could be made: for the teacher
]

_LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a submission something stands."""

    file: str
    line: int
    cell: int | None = None
    function: str | None = None  # with its class
    text: str | None = None
    from_handout: bool = False  # the line stands so in the handout

    @property
    def key(self) -> tuple[str, int | None, int]:
        """What tells it from other places of the same submission."""
        return self.file, self.cell, self.line

    def words(self) -> str:
        """Return the place as one says it."""
        at = f"cell {self.cell}, line {self.line}" if self.cell else f"line {self.line}"
        return f"{self.file}, {at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One mistake, as the check beside the code names it.

    `confirmed`: its edit, made from outside, was seen to make the layer right, alone or
    together with those of its other causes.
    """

    code: str
    name: str
    severity: str
    message: str
    direction: str | None = None
    place: Place | None = None
    edits: tuple[Edit, ...] = ()
    confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The two numbers of one input, and by how much they may differ, in nats."""

    direction: str
    reported: float | None
    exact: float
    allowed: float
    index: int = 0  # of the sample
    x: tuple[float, ...] = ()  # what was fed; empty where it is too long to be told

    @property
    def is_wrong(self) -> bool:
        """Whether they part by more than differences leave open."""
        return not self.off <= 1.0

    @property
    def off(self) -> float:
        """How many times the allowed difference they part by; of no number, infinitely."""
        gap = math.inf if self.reported is None else abs(self.reported - self.exact)
        return gap / self.allowed if math.isfinite(gap) else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one exercise of a submission stands, and why."""

    exercise: str
    standing: Standing
    why: str = ""
    evidence: tuple[str, ...] = ()  # of the submission's own errors
    file: str | None = None
    causes: tuple[Cause, ...] = ()
    sample: Sample | None = None
    again: str | None = None  # the call of Python that checks it beside the code
    same_map: bool | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A function of a submission, as written, and in a form without names of its own."""

    name: str
    file: str
    line: int
    text: str
    form: str
    cell: int | None = None
    last: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """All facts about one submission."""

    submission: str
    fingerprint: str  # of its files
    rubric: str  # fingerprint of the rubric
    outcomes: tuple[Outcome, ...] = ()
    problem: str | None = None
    odd: tuple[str, ...] = ()  # what its source does that a layer has no need of
    wrong: tuple[Written, ...] = ()  # functions that something wrong stands in


def short(value: Any, longest: int = _LONGEST) -> str:
    """Return foreign text in one piece that is not too long, without control characters."""
    text = value if isinstance(value, str) else repr(value)
    kept = (
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for c in text[:longest]
    )
    return "".join(kept)
