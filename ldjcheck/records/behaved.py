"""What a call does besides returning an output and an ldj: facts, named by no one yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ldjcheck.records.edit import Location

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
