"""What the diagnosis found out about a wrong ldj: which edit makes every number agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ldjcheck.records.result import Law, LedgerLine, Location, SublayerLine
    from ldjcheck.records.words import Direction

EditKind = Literal[
    "nothing-reported",  # r = 0
    "one",  # r = e + 1; `detail` where e is not 0
    "times",  # a term must be multiplied
    "unneeded",  # a term must go
    "twice",  # a value is counted twice
    "step-unaccounted",  # a step of the map, or several, has no term
    "overwritten",  # the terms of earlier executions are lost
    "part-unaccounted",  # a part of a step has no term
    "dims-left-out",  # the first or last dims have no term; `detail` says which
    "remove-abs",
    "add-abs",
    "remove-exp",
    "add-log",
    "trace",  # r = trace J
    "exponential",  # r = exp(e)
    "absolute",  # r = |e|
    "natural-log",  # another base must become e
    "sum-for-mean",
    "events-only",  # the reduction must leave the batch alone
    "batch-total",  # r is the sum or mean of e over the batch
    "leave-idle-out",  # dims that the map leaves alone must not count
    "number-in-log",  # a number inside a logarithm must go
    "other-point",  # the term must be taken at another point
    "other-condition",  # the term must follow the map's own condition
    "unexplained",  # of a sublayer that is wrong, for no known reason
    "region",  # right on one region of the inputs, wrong on another
    "as-built",  # r is what e was when the layer was built, wherever parameters are now
]
"""What must be done to the ldj's own arithmetic, or what is true of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """What a term must be multiplied by, solved at every configuration.

    `family` says what kind of count it is; `label` is its formula, such as `dims`, `H*W`,
    `-1` or `1/ln 2`.
    """

    family: Literal["sign", "number", "log-base", "dims", "spatial", "active", "shape"]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A source range of an operation that serves the ldj. `file` is as it was loaded."""

    file: str
    line: int
    end_line: int
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One edit of the ldj's own arithmetic that makes reported = exact everywhere.

    Costs order the explanations of one mistake: the cheapest is the simplest.
    """

    kind: EditKind
    cost: float
    multiplier: Multiplier | None = None
    constant: bool = False  # the term is the same for every sample
    mean_written: bool = False  # the term is averaged in so many words
    whole: bool = False  # the whole ldj, not a term of it
    location: Location | None = None
    operand: str | None = None  # the source text of the term, value or step
    detail: str | None = None  # the condition, point, region or multiple, in words
    negative: bool = False  # the term enters the ldj with a minus
    bare: bool = False  # the operand's own number is all that the ldj takes of it
    law: Law | None = None
    size: int = 1  # how many executions are edited
    sublayers: tuple[str, ...] = ()  # right ones, whose ldj the flow counts wrongly
    within: str | None = None  # the sublayer of a flow that is wrong by itself
    ambiguous: bool = False  # the sizes tried do not tell this count from another
    rank: int = 0  # breaks ties: the innermost operation, or the outermost
    spans: tuple[Span, ...] = ()  # where the edited value is made, innermost call first


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that the engine says about one direction.

    Each entry of `mistakes` holds the explanations of one mistake, the cheapest first; an
    empty entry is a mistake that nothing explains. `suspect` is then the one statement to
    which the difference could be narrowed down.
    """

    direction: Direction
    mistakes: tuple[tuple[Explanation, ...], ...]
    suspect: Location | None = None
    reduced: Location | None = None  # where the ldj is summed, or should be
    last: Location | None = None  # the last statement that touches the ldj
    ledger: tuple[LedgerLine, ...] = ()
    ledger_dropped: str | None = None  # why there is no ledger
    constant: bool = False  # the difference is the same for every sample
    bits_per_dim: float | None = None
    summed_lines: tuple[int, ...] = ()  # where terms already sum over the dims
    moved_constants: bool = (
        False  # the layer's own numbers were moved, and all still held
    )
    reported_shares: tuple[float, ...] | None = (
        None  # by dim, first sample, first probe
    )
    touched: tuple[Span, ...] = ()  # all places of the ldj's own arithmetic
    sublayers: tuple[SublayerLine, ...] = ()
