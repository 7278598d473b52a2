"""What the diagnosis found out about a wrong ldj: which edit makes every number agree."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ldjcheck.records.edit import Location
from ldjcheck.records.result import Law, LedgerLine, SublayerLine
from ldjcheck.records.words import Direction

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
