"""What running the layer has shown, and how it compares with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ldjcheck.records.asked import Context, Options
from ldjcheck.records.behaved import Behaviour
from ldjcheck.records.called import Calls, Layer
from ldjcheck.records.edit import Location
from ldjcheck.records.observed import Evidence, GradientMeasured, OneSided
from ldjcheck.records.probe import Probe
from ldjcheck.records.result import Check
from ldjcheck.records.side import Side, Sides
from ldjcheck.records.words import Direction, Instead, Shape

if TYPE_CHECKING:
    from torch import Tensor


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
