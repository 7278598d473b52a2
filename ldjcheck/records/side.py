"""One direction at one probe: what was said, what is true, and whether they agree."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ldjcheck.numerics.tolerance import CLEARLY
from ldjcheck.records.asked import Domain
from ldjcheck.records.called import Behaviour, CallFacts
from ldjcheck.records.result import Location
from ldjcheck.records.words import (
    Direction,
    Instead,
    Method,
    Region,
    Shape,
    Structure,
    Wrt,
)

if TYPE_CHECKING:
    from torch import Tensor


Turned = Literal["scales", "all"]
"""`scales`: the first entry of each vector of one sign; `all`: numbers and matrices too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
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
    shrunk: float = 1.0  # how many times as large the moved parameters are
    seed: int = 0
    nudged: bool = False  # the layer's own numbers are moved as well
    reflected: bool = False  # one row of every parameter is turned around as well
    turned: Turned | None = None  # what is turned around although it has one sign
    same_context: bool = False  # of all samples, which each have their own otherwise
    reach: float = 1.0  # how many times as far as the region inputs reach


# of the largest slope: from there on a map squeezes alike in all directions
_EVEN = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult(CallFacts):
    """What a call took and handed back, or why it handed back nothing.

    Tensors are on the CPU: `x` and `y` are `(batch, *event)`, `ldj` `(batch,)` and `shares`
    `(batch, dims)` in nats and float64. What is absent is None.
    """

    x: Tensor | None = None
    y: Tensor | None = None
    dtype: str = "float64"
    ldj: Tensor | None = None
    shares: Tensor | None = None  # the ldj by dims, where it is reported so
    ldj_shape: Shape | None = None  # as the layer returned it
    form: str | None = None  # how the ldj's form breaks the convention's promise
    given: tuple[Tensor, ...] = ()  # in place of what it would have drawn
    # calls over which a random ldj was averaged; 0: it is not random
    estimated: int = 0
    expected: bool = False  # these calls tell its mean exactly, and not by chance
    made_at: Location | None = None  # where the ldj was made, where dims are dropped
    why_absent: str | None = None  # the direction is not there, or raised this
    raised: tuple[str, ...] = ()  # the user's traceback, when that is a fault
    unfinished: bool = False  # the time was up before the direction was known


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """What is known to be true of one call; nothing is, by default.

    `ldj` and `allowed`, by how much a right report may differ from it, are `(batch,)` in
    nats, `jacobian` is `(batch, dims_out, dims_in)` with `jacobian[b, i, j] = dy[b, i] /
    dx[b, j]`, and `shares` `(batch, dims)` are the dims' parts of `ldj`. All are float64 on
    the CPU. A Jacobian that is not square, or not finite, has no `ldj`.
    """

    ldj: Tensor | None = None
    allowed: Tensor | None = None
    clearly: float = CLEARLY  # times `allowed`: 1 where the user said what to allow
    method: Method | None = None
    jacobian: Tensor | None = None
    structure: Structure | None = None
    products: int | None = None  # of J and vectors, by which its structure was proved
    shares: Tensor | None = None
    lost: Tensor | None = None  # samples whose Jacobian loses rank, `(batch,)`
    open: Tensor | None = None  # nats by which float32's rounding moves it, `(batch,)`
    anchored: bool = False  # the Jacobian agrees with central differences
    wrt: Wrt = "input"  # what the Jacobian is taken against
    rounding_seen: bool = False  # rounding was seen through
    detach_seen: bool = False  # and so were `detach` and `no_grad`
    slack: float = 0.0  # nats by which constants made in float32 leave the numbers open
    instead: Instead | None = None  # what `ldj` is where the Jacobian is not square
    density: Tensor | None = None  # of the noise, its log, `(batch,)`: `ldj` is less it
    turned: int = 1  # -1 where all of that is log q, and no ldj
    approximate: bool = False  # finer steps make the difference vanish
    # What a right report comes to where each step counts the trace of its Jacobian alone.
    by_traces: Tensor | None = None
    underived: bool = False  # its own derivative is another map's: it solves for one

    @property
    def wanted(self) -> Tensor | None:
        """What a right report comes to, `(batch,)`: the ldj, but for steps that are coarse."""
        return self.ldj if self.by_traces is None else self.by_traces

    @property
    def is_square(self) -> bool:
        """Whether there is a Jacobian that has a determinant."""
        return self.jacobian is not None and (
            self.jacobian.shape[1] == self.jacobian.shape[2]
        )

    @property
    def is_resizing(self) -> bool:
        """Whether there is a Jacobian that has none, since the number of dims changes."""
        return self.jacobian is not None and not self.is_square

    @property
    def is_finite(self) -> bool:
        """Whether the ldj of every sample is known, and finite."""
        return self.ldj is not None and bool(self.ldj.isfinite().all())

    @property
    def refuting(self) -> Tensor | None:
        """By how much a report must be off to be wrong, `(batch,)` in nats."""
        return None if self.allowed is None else self.clearly * self.allowed

    @property
    def bounds(self) -> tuple[Tensor, Tensor]:
        """What is allowed and what refutes, `(batch,)` in nats, where that is known."""
        assert self.allowed is not None
        return self.allowed, self.clearly * self.allowed

    def without(self, samples: Tensor) -> Exact:
        """Return it with the ldj of some samples unknown; `samples` is `(batch,)`, bool."""
        if self.ldj is None:
            return self
        return replace(self, ldj=self.ldj.masked_fill(samples, float("nan")))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """How far a way back is from where the way there started; of the way back alone."""

    off: float | None = None  # largest |inverse(f(x)) - x|
    allowed: float | None = None
    residual: float = 0.0  # the same for either direction, which may be a solver's
    # of dequantization, where it leaves [0, 1)
    noise: tuple[float, float] | None = None
    one_image: bool = False  # x, and where it leads, are one number to the map
    nears: bool = False  # finer steps lead nearer
    scatters: bool = False  # a step aside, it is off by another amount altogether
    meant: bool = False  # it is wrong, and its ldj right for one that is not

    @property
    def misses(self) -> bool:
        """Whether it is known to lead elsewhere, by more than is allowed."""
        return (
            self.off is not None
            and self.allowed is not None
            and self.off > self.allowed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One direction at one probe: what was said, what is true, and what the call does."""

    direction: Direction
    said: CallResult
    exact: Exact = field(default_factory=Exact)
    round_trip: RoundTrip = field(default_factory=RoundTrip)
    behaviour: Behaviour = field(default_factory=Behaviour)

    @classmethod
    def absent(
        cls, direction: Direction, why: str, raised: tuple[str, ...] = ()
    ) -> Side:
        """Return a direction that is not there, or raised what `why` says."""
        return cls(direction=direction, said=CallResult(why_absent=why, raised=raised))

    @classmethod
    def unfinished(cls, direction: Direction) -> Side:
        """Return a direction of which nothing is known, since the time was up."""
        said = CallResult(why_absent="the time was up", unfinished=True)
        return cls(direction=direction, said=said)

    @property
    def answered(self) -> bool:
        """Whether an output came back."""
        return self.said.y is not None

    @property
    def x(self) -> Tensor:
        """What went in, `(batch, *event)`, of a direction that answered."""
        assert self.said.x is not None, self.said.why_absent
        return self.said.x

    @property
    def y(self) -> Tensor:
        """What came out, of a direction that answered."""
        assert self.said.y is not None, self.said.why_absent
        return self.said.y

    @property
    def dims(self) -> int:
        """How many entries one sample of the map has; of noise they are those of the output."""
        return math.prod(self.event)

    @property
    def drops(self) -> bool:
        """Whether fewer entries come out than there are."""
        return self.answered and self.y.numel() < self.dims * len(self.x)

    @property
    def shape(self) -> Shape:
        """The shape of one sample of the input."""
        return tuple(self.x.shape[1:])

    @property
    def event(self) -> Shape:
        """The shape of one sample of what is mapped: the input, or noise of an output's."""
        of = self.y if self.exact.wrt == "noise" else self.x
        return tuple(of.shape[1:])

    @property
    def open(self) -> Tensor | None:
        """By how many nats rounding in float32 moves the ldj, `(batch,)`, if it is known."""
        known, seen = self.exact.open, self.behaviour.moves
        if known is None or not seen:
            if not seen or self.said.ldj is None:
                return known
            return self.said.ldj.new_tensor(seen)
        return known.maximum(known.new_tensor(seen))

    @property
    def finite_jacobians(self) -> Tensor | None:
        """The Jacobians of the samples whose output is finite, if any are known.

        Elsewhere the map is not defined, and its derivative may be finite all the same, as
        that of the log of a negative number is.
        """
        jacobian, y = self.exact.jacobian, self.said.y
        if jacobian is None or y is None or y.shape[:1] != jacobian.shape[:1]:
            return jacobian
        return jacobian[y.reshape(len(y), -1).isfinite().all(1)]

    @property
    def numbers(self) -> tuple[Tensor, Tensor]:
        """Reported and exact ldj, `(batch,)` in nats, of a side that has both."""
        assert self.said.ldj is not None
        assert self.exact.ldj is not None
        return self.said.ldj, self.exact.ldj

    @property
    def difference(self) -> Tensor | None:
        """Reported less exact ldj, `(batch,)` in nats; None where one of them is absent."""
        if self.said.ldj is None or self.exact.ldj is None:
            return None
        return self.said.ldj - self.exact.ldj

    @property
    def known(self) -> Tensor:
        """The samples whose exact ldj is known, `(batch,)`.

        It is not where the map has saturated, and is no number; nor where it may be off by
        more than it is, and the report is infinite: there the map is about to saturate,
        unless all of its slopes are of one size.
        """
        exact, allowed = self.exact.ldj, self.exact.allowed
        assert exact is not None
        known: Tensor = exact.isfinite()
        if allowed is None or self.said.ldj is None:
            return known
        open_ = known & (allowed > 1.0 + exact.abs()) & ~self.said.ldj.isfinite()
        if not bool(open_.any()) or self.exact.jacobian is None:
            return known & ~open_
        import torch

        # others may have no number
        told = self.exact.jacobian.nan_to_num(0.0, 0.0, 0.0)
        slopes = torch.linalg.svdvals(told)
        even: Tensor = slopes[:, -1] > _EVEN * slopes[:, 0]
        sure: Tensor = known & (~open_ | even)
        return sure

    @property
    def disagrees(self) -> bool:
        """Whether a sample's two numbers part by clearly more than is allowed.

        A sample of which no exact value is known says nothing. Nor does a report that is
        no number.
        """
        difference, bound = self.difference, self.exact.refuting
        if difference is None or bound is None:
            return False
        off = difference.abs() > bound
        return bool((off & self.known).any())

    @property
    def agrees(self) -> bool:
        """Whether a report is right on every sample of which an exact value is known.

        A report that is no number is not.
        """
        difference = self.difference
        if difference is None or self.exact.ldj is None or self.exact.allowed is None:
            return False
        near = difference.abs() <= self.exact.allowed
        return bool((near | ~self.known).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both directions at one probe."""

    probe: Probe
    forward: Side
    inverse: Side

    @property
    def both(self) -> tuple[Side, Side]:
        """Forward, then inverse."""
        return self.forward, self.inverse

    @property
    def answered(self) -> tuple[Side, ...]:
        """The directions that answered, forward first."""
        return tuple(side for side in self.both if side.answered)

    def of(self, direction: Direction) -> Side:
        """Return one of the two."""
        return self.forward if direction == "forward" else self.inverse

    def changed(self, side: Side) -> Sides:
        """Return both with one direction in the place of what it was."""
        if side.direction == "forward":
            return replace(self, forward=side)
        return replace(self, inverse=side)
