"""What running the layer has shown, and how it compares with the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ldjcheck.records.behaved import Behaviour

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from ldjcheck.records.asked import Domain, Options
    from ldjcheck.records.called import Calls, Layer
    from ldjcheck.records.gradient import GradientMeasured
    from ldjcheck.records.result import Check, Location
    from ldjcheck.records.words import (
        Direction,
        Instead,
        Method,
        Region,
        Shape,
        Structure,
        Wrt,
    )


Turned = Literal["scales", "all"]
"""`scales`: the first entry of each vector of one sign; `all`: numbers and matrices too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One set of circumstances under which the layer is measured.

    `draw` numbers the draw of parameters (0: as built), `region` says which part of the
    domain the inputs come from.
    """

    shape: Shape
    batch: int
    domain: Domain
    region: Region = "usual"
    draw: int = 0
    scale: float = 0.3
    seed: int = 0
    nudged: bool = False  # the layer's own numbers are moved as well
    reflected: bool = False  # one row of every parameter is turned around as well
    turned: Turned | None = None  # what is turned around although it has one sign
    reach: float = 1.0  # how many times as far as the region inputs reach


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionMeasured:
    """What one direction said and what is true, at one configuration.

    Tensors are float64 on the CPU: `x` and `y` are `(batch, *event)`, `reported` and
    `exact` `(batch,)` in nats, `jacobian` `(batch, dims_out, dims_in)` with
    `jacobian[b, i, j] = dy[b, i] / dx[b, j]`, and `shares` `(batch, dims)` the dims' parts
    of `exact`. What could not be had is None.
    """

    direction: Direction
    wrt: Wrt
    dtype: str
    x: Tensor
    y: Tensor
    reported: Tensor | None
    exact: Tensor | None
    allowed: Tensor | None = None
    jacobian: Tensor | None = None
    shares: Tensor | None = None
    reported_shares: Tensor | None = None
    structure: Structure | None = None
    method: Method | None = None
    lost: Tensor | None = None  # samples whose Jacobian loses rank, `(batch,)`
    open: Tensor | None = (
        None  # nats by which float32's rounding moves `exact`, `(batch,)`
    )
    slack: float = 0.0  # nats by which constants made in float32 leave the numbers open
    form: str | None = None  # how the ldj's form breaks the convention's promise
    anchored: bool = False  # the Jacobian agrees with central differences
    rounding_seen: bool = False
    detach_seen: bool = False
    ldj_shape: Shape | None = None  # as the layer returned it
    bare: bool = False  # the call has no place for an ldj
    behaviour: Behaviour = field(default_factory=Behaviour)
    estimated: int = (
        0  # calls over which a random ldj was averaged; 0: it is not random
    )
    ldj_at: Location | None = None  # where the ldj was made, where dims are dropped
    instead: Instead | None = None  # what `exact` is where the Jacobian is not square
    noise: tuple[float, float] | None = (
        None  # of dequantization, where it leaves [0, 1)
    )
    density_counted: bool = False  # `exact` is less the log-density of the noise
    approximate: bool = False  # finer steps make the difference vanish
    round_trip: float | None = None  # largest |inverse(f(x)) - x|, inverse only
    underived: bool = False  # its own derivative is another map's: it solves for one
    meant: bool = False  # it is wrong, and `reported` right for one that is not
    residual: float = 0.0  # the same for either direction, which may be a solver's
    round_trip_allowed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """A direction that is absent, or raised what `why` says."""

    direction: Direction
    why: str
    raised: tuple[str, ...] = ()  # the user's traceback, when that is a fault


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMeasured:
    """Both directions at one configuration."""

    config: Config
    forward: DirectionMeasured | Unavailable
    inverse: DirectionMeasured | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Everything that running the layer has shown. Rules read it and run nothing."""

    layer: Layer
    calls: Calls
    options: Options
    measured: tuple[ConfigMeasured, ...]
    has_parameters: bool
    inferred: Mapping[str, str]
    float32_only: str | None = None  # why float64 could not be had
    one_sided: str | None = None  # why other weights, or orientations, remain unproven
    gradients: tuple[GradientMeasured, ...] = ()  # at the first configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one direction came out over all configurations.

    `usable` holds the configurations that count, with the samples whose exact value is
    finite; `off` those samples where reported and exact part by more than is allowed.
    """

    direction: Direction
    check: Check
    usable: tuple[tuple[Config, DirectionMeasured, Tensor], ...] = ()
    mismatched: bool = False
    form: str | None = None  # how the ldj's form breaks the convention's promise
    untracked: bool = False
    unanchored: bool = False
    vacuous: str | None = None
    singular: bool = False  # no exact value at the first configuration
    flat: bool = False  # the Jacobian is singular everywhere
    folds: bool = False  # its determinant has both signs
    ill_conditioned: bool = False
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

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        """Forward, then inverse."""
        return self.forward, self.inverse

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks in the order of the report."""
        ldj = self.forward.check, self.inverse.check
        return *ldj, self.round_trip, self.contract, *self.gradients
