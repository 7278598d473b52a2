"""What running the layer has shown, how it compares with the truth, and what explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from ldjcheck.records.asked import Context, Options
from ldjcheck.records.called import Behaviour, Calls, Layer
from ldjcheck.records.observed import Evidence, GradientMeasured, OneSided
from ldjcheck.records.result import Check, Law, LedgerLine, Location, SublayerLine
from ldjcheck.records.side import Probe, Side, Sides
from ldjcheck.records.words import Direction, Instead, Shape

if TYPE_CHECKING:
    from types import CodeType

    from torch import Tensor


Family = Literal["sign", "number", "log-base", "dims", "spatial", "active", "shape"]
"""What kind of count a multiplier is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """What a term must be multiplied by, solved at every configuration: a monomial.

    It is `sign * number * ln(base) * above / below`, a logarithm in the place of a number;
    one that divides has a negative base. `above` and `below` are counts, such as `dims`,
    `H` or `dims-1`; `family` says of what kind they are.
    """

    family: Family
    sign: int = 1
    number: Fraction = Fraction(1)
    base: int = 0
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    @classmethod
    def by(cls, factor: Fraction) -> Multiplier:
        """Return a plain number, or a mere sign."""
        family: Family = "sign" if factor == -1 else "number"
        return cls(family=family, sign=-1 if factor < 0 else 1, number=abs(factor))

    @property
    def plain(self) -> Fraction | None:
        """The number that it is, where no count and no logarithm is in it."""
        mixed = self.base or self.above or self.below
        return None if mixed else self.sign * self.number

    @property
    def is_scaled(self) -> bool:
        """Whether a number, or a logarithm, is in it."""
        return self.number != 1 or self.base != 0

    @property
    def label(self) -> str:
        """Its formula, as one would write it: `dims`, `-1/2`, `2*W/H`, `1/(H*W)`."""
        factor = str(self.number) if self.number != 1 else ""
        if self.base:
            factor = f"{'1/' * (self.base < 0)}ln {abs(self.base)}"
        counts = _product(self.above, alone=not self.below)
        if self.below:
            below = _product(self.below, alone=False)
            counts = f"{counts or 1}/" + (f"({below})" if self.below[1:] else below)
        text = "*".join(part for part in (factor, counts) if part) or "1"
        return f"{'-' * (self.sign < 0)}{text}"


def _product(counts: tuple[str, ...], *, alone: bool) -> str:
    loose = "+-" if alone else "+- "
    return "*".join(f"({c})" if {*loose} & {*c} else c for c in counts)


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

    `kind` is the name of a kind that a mistake or the engine knows. Costs order the
    explanations of one mistake: the cheapest is the simplest.
    """

    kind: str
    cost: float
    multiplier: Multiplier | None = None
    constant: bool = False  # the term is the same for every sample
    mean_written: bool = False  # the term is averaged in so many words
    whole: bool = False  # the whole ldj, not a term of it
    location: Location | None = None
    operand: str | None = None  # the source text of the term, value or step
    detail: str | None = None  # the condition, point, region or multiple, in words
    instead: tuple[str, str] | None = None  # code as it is written, and should be
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
    base: Location | None = None  # where the log-density of the output is summed
    ledger: tuple[LedgerLine, ...] = ()
    ledger_dropped: str | None = None  # why there is no ledger
    constant: bool = False  # the difference is the same for every sample
    bits_per_dim: float | None = None
    summed_lines: tuple[int, ...] = ()  # where terms already sum over the dims
    # the layer's own numbers were moved, and all still held
    moved_constants: bool = False
    # by dim, first sample, first probe
    reported_shares: tuple[float, ...] | None = None
    touched: tuple[Span, ...] = ()  # all places of the ldj's own arithmetic
    sublayers: tuple[SublayerLine, ...] = ()
    known_right: tuple[CodeType, ...] = ()  # of sublayers that are right by themselves


# --- what was measured, and how it compares -------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeBound:
    """A layer that is right at the shape that the user gave, and wrong at another."""

    direction: Direction
    shape: Shape
    other: Shape
    difference: float | None  # of a sample there; None: it has no number of its own
    count: int | None = None  # of the entries, as the source writes it
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Everything that running the layer has shown. Rules read it and run nothing."""

    layer: Layer
    calls: Calls
    options: Options
    evidence: Evidence
    has_parameters: bool
    inferred: Mapping[str, str]
    frozen: tuple[str, ...] = ()  # parameters that are not learned, and so not moved
    float32_only: str | None = None  # why float64 could not be had
    one_sided: str | None = None  # why other weights remain unproven
    unasked: tuple[str, ...] = ()  # densities of the layer that are not checked
    fed: tuple[Context, ...] = ()  # what went in beside the input
    bound: SizeBound | None = None  # where other sizes are left out, which are wrong
    left_out: tuple[Shape, ...] = ()  # sizes that nobody gave, where it is wrong alone
    not_done: tuple[str, ...] = ()  # what time did not allow: without it nothing passes

    @property
    def measured(self) -> tuple[Sides, ...]:
        """Both directions at each probe, and at those that experiments have found."""
        return self.evidence.measured

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The sizes that were looked at, each once."""
        return tuple(dict.fromkeys(each.probe.shape for each in self.measured))

    @property
    def gradients(self) -> tuple[GradientMeasured, ...]:
        """What derivatives of the reported ldj were found to be, at the first probe."""
        return self.evidence.of(GradientMeasured)

    @property
    def may_turn(self) -> OneSided | None:
        """Where the ldj would be NaN, if training led there."""
        return next(iter(self.evidence.of(OneSided)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one direction came out over all configurations.

    `usable` holds the configurations that count, with the samples whose exact value is
    finite; `off` those samples where reported and exact part by more than is allowed.
    """

    direction: Direction
    check: Check
    usable: tuple[tuple[Probe, Side, Tensor], ...] = ()
    mismatched: bool = False
    form: str | None = None  # how the ldj's form breaks the convention's promise
    untracked: bool = False
    no_output: bool = False  # the output is NaN or infinite at the first configuration
    unanchored: bool = False
    vacuous: str | None = None
    singular: bool = False  # no exact value at the first configuration
    flat: bool = False  # the Jacobian is singular everywhere
    folds: bool = False  # its determinant has both signs
    ill_conditioned: bool = False
    # off by, and allowed, of a sample that is neither right nor wrong
    between: tuple[float, float] | None = None
    meant: bool = False  # the ldj is right for a way back that does undo the map
    resized: tuple[int, int] | None = None  # dims in and out, where they differ
    instead: Instead | None = None  # what was compared in place of a determinant
    ldj_at: Location | None = None  # where the ldj was made, where dims are dropped
    raised: tuple[str, ...] = ()
    why: str | None = None  # why the direction is not available
    behaviour: Behaviour = field(default_factory=Behaviour)
    faults: tuple[str, ...] = ()  # what no rule has a name for, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The verdicts of a layer, and the checks as the report lists them."""

    measurement: Measurement
    forward: Verdict
    inverse: Verdict
    round_trip: Check
    contract: Check
    gradients: tuple[Check, ...] = ()

    def lacking(self, *what: str) -> Comparison:
        """Return it without a part that its status hangs on: time did not allow that."""
        undone = (*self.measurement.not_done, *what)
        return replace(self, measurement=replace(self.measurement, not_done=undone))

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        """Forward, then inverse."""
        return self.forward, self.inverse

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks in the order of the report."""
        ldj = self.forward.check, self.inverse.check
        return *ldj, self.round_trip, self.contract, *self.gradients
