"""The layer, how it is called, and what a call does besides returning an output and an ldj."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import CodeType
from typing import TYPE_CHECKING, Any, Literal

from ldjcheck.records.asked import Domain
from ldjcheck.records.result import Location
from ldjcheck.records.words import Direction, Shape

if TYPE_CHECKING:
    from torch import Tensor


StaleFrom = Literal[
    "earlier call", "earlier parameters", "first call", "first call in training",
    "way back", "call at another input",
]  # fmt: skip
"""When an answer was computed that is given again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """The call changed a tensor that its caller still holds."""

    change: float  # largest |after - before|
    location: Location | None = None  # the in-place statement
    refused: bool = False  # autograd raised, so it was run without gradients


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The source asks for less precision than was given: it names a dtype."""

    dtype: str
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulation:
    """What the total that comes back does when more goes in.

    `share` is d(out) / d(in): 1 as promised, 0 when what comes in is thrown away, None when
    the samples' totals are mixed, so that there is no one number.
    """

    into: float  # what was added to the first sample's incoming ldj
    out: float  # by how much its total then moved
    share: float | None
    location: Location | None = None  # the last statement that touches the total


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling:
    """A sample's output or ldj moves when only its companions change."""

    output: float  # largest |dy_i/dx_j| or change of y_i, i and j different samples
    ldj: float  # how far a sample's ldj moves
    by_mode: bool = False  # in eval mode it does not
    location: Location | None = None  # where samples first meet


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrepeatable:
    """The same call gives another answer, though nothing that the layer holds changed."""

    what: Literal["output", "ldj"]
    change: float
    reseeded: bool  # it takes another random state to see it
    by_mode: bool = False  # in eval mode it repeats
    location: Location | None = None  # where the draw is made


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """Calls change what the layer holds, and what it answers depends on it."""

    names: tuple[str, ...]  # of the parameters, buffers and attributes
    every_call: bool  # False: the first one only, which makes the layer what it is
    settles: bool = False  # after a few calls it stays
    learned: bool = False  # parameters are among them
    by_mode: bool = False  # in eval mode calls leave it alone
    change: float = 0.0  # of the output or the ldj, by the same call
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """The ldj, or the output too, was computed for an earlier call."""

    of: StaleFrom
    output: bool  # the output is stale as well
    got: float  # the first sample's answer
    fresh: float  # the same after another history
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """All that was noticed about how one direction behaves; None: nothing."""

    input_changed: Mutation | None = None
    incoming_changed: Mutation | None = None
    cast: Cast | None = None
    accumulation: Accumulation | None = None
    coupling: Coupling | None = None
    unrepeatable: Unrepeatable | None = None
    state: StateChange | None = None
    stale: Stale | None = None
    moves: tuple[float, ...] = ()  # nats by which float32 moves the ldj, by sample
    # nats that float32 was seen to move the ldj by, and rounding explains
    scatters: float = 0.0
    overflows: str | None = None  # how the ldj is lost as written, in float32
    faults: tuple[str, ...] = ()  # what no rule has a name for, in words


# --- the layer, and how it is called --------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The user's object, ready to be called, and where it came from."""

    target: str  # what was typed; for `check()`, the name of the object's class
    name: str  # how a report calls it, such as `Dequantization()`
    obj: Any
    rebuild: Callable[[], Any] | None = None  # evaluates the target's expression again
    inferred: tuple[tuple[str, str], ...] = ()  # how it was come by: what, and why
    sizes: tuple[Shape, ...] = ()  # events of these shapes are known to reach it
    known_right: tuple[CodeType, ...] = ()  # code that it runs and that was checked
    written: str = "layer"  # as an argument of `check`: a name, or a target in quotes
    # sizes that it was typed with, and how it is built with others in their place
    typed: tuple[tuple[Shape, Callable[[Shape], Any]], ...] = ()

    def becomes(self, obj: Any, by: Callable[[Any], Any]) -> Layer:
        """Return what `by` has made of it, and makes of it again where it is rebuilt."""
        rebuild = self.rebuild
        again = None if rebuild is None else lambda: by(rebuild())
        return replace(self, obj=obj, rebuild=again)


@dataclass(frozen=True, slots=True, eq=False)
class BaseMass:
    """A base of the model's own whose answer is no log-density, or may be none."""

    name: str  # as `Mixture.log_prob`
    at: Location | None  # where it returns
    dims: int
    log: Tensor | None  # of its integral, (batch,), which is not 1; None: not known
    error: float = 0.0  # nats, by which that may be off
    unread: int = 0  # entries that it is asked about, and that do not enter it


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What is known of one call besides its output and its ldj."""

    bare: bool = False  # it returned the output alone: it has no place for an ldj
    left: int = 0  # entries of each sample, at the end of y, that left on the way
    left_at: Location | None = None  # where, of what has no density
    taken: Tensor | None = None  # log-density that was taken off the ldj, (batch,)
    bases: tuple[BaseMass, ...] = ()  # that the model asks, and that are no density
    made_up: bool = False  # what was taken off was first made to integrate to 1

    def facts(self) -> dict[str, Any]:
        """Return these by name, for whatever else is said of the call."""
        return {each.name: getattr(self, each.name) for each in fields(CallFacts)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(CallFacts):
    """What one call handed back: the output and its ldj exactly as the layer gave it."""

    y: Any  # a tensor, or several in a list, tuple or dict
    ldj: Any
    beside: tuple[Any, ...] = ()  # what else may be the ldj, as no name tells
    event_dim: int | None = None  # as in `Way`, where only the call can tell
    # Contexts that came back, by argument: the way back wants these, not those given.
    handed_on: Mapping[str, Tensor] = field(default_factory=dict)


Kwargs = Mapping[str, Any]
"""The keyword arguments of a call, contexts among them."""

CallFunction = Callable[[Any, "Tensor", "Tensor | None", Kwargs], Returned]
"""`(layer, x, start, kwargs) -> Returned`; `start` is the incoming ldj or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a layer is called in one direction, and what is promised of that."""

    call: CallFunction
    # one ldj entry covers so many trailing axes; None: all
    event_dim: int | None = None
    # Numbers with axes of size one stand for all entries that they fit; see `read_so`.
    spread: bool = False
    tracked: bool = True  # the convention has an ldj for it
    derived: bool = False  # a library makes its ldj from that of the other way
    domain: Domain | None = None  # of what goes in, declared by the layer itself
    # That is the domain of the layer's first part, and the layer's own may be less.
    domain_derived: bool = False
    names: tuple[str, ...] = ()  # parameters of its own, where it is a method
    # How else it may be called, and how that is written.
    others: tuple[tuple[str, CallFunction], ...] = ()
    # The same where its map is called at another input before its ldj is asked for, of a
    # method that takes the input: it must answer for the one that it is given.
    late: CallFunction | None = None
    # The one call that is made; where it is equal to that of another way of calling, only
    # what is read off its return differs. None: it may be any, or several.
    asks: Hashable = None
    # Makes the call anew, where it remembers what earlier ones have shown.
    afresh: Callable[[], CallFunction] | None = None

    @classmethod
    def of(cls, call: CallFunction | None) -> Way | None:
        """Return the way by a call, if there is one."""
        return None if call is None else cls(call=call)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sublayer:
    """A layer that a flow calls: where it stands, what it is, and what it is given."""

    path: str  # as `.layers[5]`, from the flow; empty where it does not hold it
    kind: str
    shape: Shape = ()  # of one sample, as it comes in
    contexts: tuple[tuple[str, Shape], ...] = ()  # further tensors that it is given

    @property
    def name(self) -> str:
        """The sublayer as a sentence names it: `layers[5]` (Split)."""
        path = self.path.removeprefix(".")
        return f"`{path}` ({self.kind})" if path else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorOut(Sublayer):
    """A sublayer at which dims leave a flow, and how it is called by itself.

    Where the flow itself drops them, it is the distribution that it asks about them.
    """

    calls: Calls | None  # None: a distribution
    less: int | None = None  # of its outputs: it hands back what it drops as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How one layer is called, both ways. The layer is an argument: copies are made."""

    convention: str  # the registered name
    signature: str  # as a report shows it: "f(z, ldj, reverse=False) -> z, ldj"
    forward: Way | None
    inverse: Way | None
    accumulates: bool = False  # an incoming ldj is passed, and its total comes back
    is_total_optional: bool = False  # and may be left out, which is None then
    column: bool = False  # the convention promises an ldj of shape (batch, 1)
    sign: Literal[1, -1] = 1  # -1: the total is logp, reduced by the ldj
    custom: str | None = None  # why its source means another form than `(batch,)`
    one_number: bool = False  # one ldj for all samples is as promised
    lacks_density: bool = False  # a part of the output has none in what is reported
    # Flags that would ask for an ldj are off: it is meant where each sample gets a number.
    plain: bool = False
    of_noise: bool = False  # the map is that of what is drawn to y, whatever x is
    keeps_volume: bool = False  # no ldj comes back because it would be 0
    # Names and event shapes of several inputs, which x then holds flat.
    parts: tuple[tuple[str | None, Shape], ...] = ()
    inputs: tuple[str, ...] = ()  # parameters that take them, where they are known
    context_names: tuple[str, ...] = ()  # parameters that take a context tensor
    extra_names: tuple[str, ...] = ()  # parameters that are None unless they are given
    # What the layer declares of its contexts, where it does.
    context_shapes: tuple[tuple[str, Shape], ...] = ()
    # Where dims leave on the way; forward then returns them too, and takes them back.
    departures: tuple[FactorOut, ...] = ()
    inferred: tuple[tuple[str, str], ...] = ()  # what was concluded, and why

    def elementwise(self) -> Calls:
        """Return the same calls where one ldj entry per element is promised."""
        there, back = self.forward, self.inverse
        return replace(
            self,
            forward=None if there is None else replace(there, event_dim=0),
            inverse=None if back is None else replace(back, event_dim=0),
        )

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """The parameters that take a tensor beside the input, whether they need it or not."""
        return (*self.context_names, *self.extra_names)

    def way(self, direction: Direction) -> Way | None:
        """Return how it is called in one direction; None where there is none."""
        return self.forward if direction == "forward" else self.inverse
