"""Results: plain data that can be pickled, what the JSON shows, and back from there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ldjcheck.records.portrait import Portrait
from ldjcheck.records.words import (
    CheckName,
    CheckStatus,
    Direction,
    Kind,
    Method,
    Severity,
    Shape,
    Status,
    Structure,
    Wrt,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One changed line of the user's source.

    `after` is what stands in its place: nothing when the line goes, several lines when
    some are added. In a notebook `line` counts from the start of its `cell`.
    """

    file: str
    line: int
    before: str
    after: str
    cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in the user's source. `cell` is the notebook cell, if it is one."""

    file: str
    line: int
    column: int | None = None
    function: str | None = None
    text: str | None = None
    cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedStep:
    """One statement of the map, and the term that it adds to the ldj.

    `text` is the statement as the source has it, `term` the code of its term, and `why` one
    sentence about it.
    """

    direction: Direction
    file: str
    line: int
    text: str
    term: str
    why: str
    cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """The step that has no known closed form, and what is to be had instead."""

    direction: Direction
    why: str
    instead: str
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The ldj of a map as code.

    `verified` only when the edited layer was run, at shapes, seeds and parameters that
    nothing was derived from, and then agreed. `total` is the whole ldj of the forward
    direction, or of the inverse where that alone was asked for.
    """

    applicability: Literal["verified", "suggested", "none"]
    residual_after: float | None = None
    total: str | None = None
    steps: tuple[DerivedStep, ...] = ()
    edits: tuple[Edit, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    doubts: tuple[str, ...] = ()  # what was seen when it was run, and is not verified
    is_right: bool = False  # the layer's own ldj agrees already


# --- results --------------------------------------------------------------------------

UNWRITTEN = {"json": False}
"""Marks a field that is no part of the JSON document."""

Basis = Literal["stated", "declared", "observed", "named"]
"""What an assumption rests on: an option, an adapter or a mark that was typed; a fact of the
code that Python or torch enforces; what runs show; what a name suggests."""

STRONGEST_FIRST: tuple[Basis, ...] = ("stated", "declared", "observed", "named")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample's two numbers, in nats. `difference` is reported minus exact."""

    index: int
    reported: float | None
    exact: float
    difference: float | None
    allowed: float

    def __str__(self) -> str:
        """Return the two numbers, with the digits that tell them apart."""
        said = "nothing" if self.reported is None else f"{self.reported:+.10g}"
        return f"exact {self.exact:+.10g}  reported {said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One dimension's share of the first sample's ldj, in nats."""

    index: int
    exact: float
    reported: float | None  # None: the layer's own numbers cannot be split


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was compared, and how it came out."""

    name: CheckName
    direction: Direction | None
    status: CheckStatus
    wrt: Wrt | None = None
    shape: Shape | None = None
    dims: int | None = None
    dtype: str | None = None
    tolerance: float | None = None
    worst: float | None = None
    method: Method | None = None
    samples: tuple[Sample, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    structure: Structure | None = None
    products: int | None = None  # of J and random vectors, that proved its structure
    smallest_failing: Shape | None = None  # of the shapes tried; None: none failed


@dataclass(frozen=True, slots=True, kw_only=True)
class SublayerLine:
    """One sublayer of a flow: its log|det| and its part of the ldj, of the first sample.

    `sublayer` is how to write it behind the flow; None for what the flow does itself.
    """

    direction: Direction
    sublayer: str | None
    type: str
    exact: float
    reported: float
    is_wrong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One executed source line: what it did to log|det| and to the reported ldj."""

    direction: Direction
    file: str
    line: int
    function: str
    text: str
    exact: float | None
    reported: float | None
    exact_total: float
    reported_total: float
    cell: int | None = None  # the notebook cell, if it is one


@dataclass(frozen=True, slots=True, kw_only=True)
class LawPoint:
    """One size at which the law was seen to hold; `count` is what the law counts there."""

    dims: int
    difference: float
    count: float | None = field(default=None, metadata=UNWRITTEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """The formula that the difference obeys, with the sizes at which it was tried.

    `over` is what it counts, such as `H*W`.
    """

    expression: str
    points: tuple[LawPoint, ...] = ()
    over: str = field(default="dims", metadata=UNWRITTEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """An edit. `verified` only when the edited layer was run and then agreed."""

    applicability: Literal["verified", "suggested"]
    residual_after: float | None
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that matched here. `message` is one sentence; `evidence` its lines."""

    code: str
    name: str
    severity: Severity
    message: str
    direction: Direction | None = None
    evidence: tuple[str, ...] = ()
    also_fits: tuple[str, ...] = ()
    law: Law | None = None
    bits_per_dim: float | None = None
    location: Location | None = None
    fix: Fix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """Something that a reading takes for granted, and on which basis."""

    what: str  # the entry of `inferred` that tells it
    value: str
    basis: Basis
    why: str  # as that entry tells it


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAs:
    """One reading of a layer, what it comes to, and what to type for it to be the one."""

    claim: str
    shape: Shape
    assumptions: tuple[Assumption, ...]
    status: Status
    type: str

    @property
    def basis(self) -> Basis:
        """The weakest basis that it rests on."""
        bases = [each.basis for each in self.assumptions]
        return max(bases, key=STRONGEST_FIRST.index, default="observed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A finding that does not count, because the user said so."""

    code: str
    name: str
    severity: Severity
    direction: Direction | None
    message: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that is known about one target."""

    target: str
    layer: str | None
    status: Status
    convention: str | None = None
    kind: Kind | None = None
    inferred: Mapping[str, str] = field(default_factory=dict)  # what: why
    seconds: float = 0.0
    checks: tuple[Check, ...] = ()
    sublayers: tuple[SublayerLine, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    not_done: tuple[str, ...] = ()  # what time did not allow
    readings: tuple[ReadAs, ...] = ()  # more than one where that is in doubt
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    derived: Derived | None = None  # of `derive` alone
    # Densities of the layer that were not checked: `inferred` says how to.
    unasked: tuple[str, ...] = field(default=(), metadata=UNWRITTEN)
    # The only events that it is known to be right for: None is an axis of any size.
    alone: tuple[int | None, ...] | None = field(default=None, metadata=UNWRITTEN)
    # Another density of it, or its call, is right: it is a flow, and this is told of one.
    beside_right: bool = field(default=False, metadata=UNWRITTEN)
    # The call of Python that repeats it, such as `check(layer, seed=1)`.
    again: str | None = field(default=None, metadata=UNWRITTEN)
    # For pictures alone: no part of the JSON document.
    portrait: Portrait | None = field(default=None, metadata=UNWRITTEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something of a source that is no target, and why."""

    target: str
    why: str


EXIT_CODES: dict[Status, int] = {"error": 2, "fail": 1, "unproven": 3, "pass": 0}
"""The exit status of a call by what came out; of several, the first of them counts."""


def exit_code(statuses: Collection[Status]) -> int:
    """Return the exit status of a call that led to these statuses; 0 of none."""
    return next((code for each, code in EXIT_CODES.items() if each in statuses), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A whole call of ldjcheck: what every output format draws."""

    seed: int
    exit_code: int
    seconds: float
    command: str
    results: tuple[Result, ...]
    skipped: tuple[Skipped, ...] = ()

    @classmethod
    def of(cls, result: Result, *, seed: int, command: str) -> Run:
        """Return a call that was about one layer."""
        return cls(
            seed=seed,
            exit_code=EXIT_CODES[result.status],
            seconds=result.seconds,
            command=command,
            results=(result,),
        )

    @property
    def is_typed(self) -> bool:
        """Whether the command was typed in a shell, where options can be added to it."""
        return self.command.startswith("ldjcheck ")


def from_plain(kind: Any, plain: Any) -> Any:
    """Return a value of a kind from what JSON has for it: lists are tuples, words numbers.

    Raises:
        KeyError, TypeError, ValueError: it is none of this kind.
    """
    kinds = (kind, *get_args(kind))  # what may be None has another beside it
    record: Any = next(filter(is_dataclass, kinds), None)
    if record is not None and isinstance(plain, dict):
        types = _types(record)
        return record(**{key: from_plain(types[key], plain[key]) for key in plain})
    if isinstance(plain, list | tuple):
        (of, *_) = next(get_args(each) for each in kinds if get_origin(each) is tuple)
        return tuple(from_plain(of, each) for each in plain)
    return float(plain) if float in kinds and isinstance(plain, str) else plain


_types = cache(get_type_hints)
