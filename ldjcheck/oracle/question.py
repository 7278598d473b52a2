"""What oracles have in common: a question about one call, and what one knows of it.

An oracle is one way to know the exact ldj, or how far a right report may be from it.
Nothing else sets either.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from ldjcheck.numerics.tolerance import CHANCE, CLEARLY
from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.oracle.error_model import Value, allowed_at, slack_at
from ldjcheck.oracle.noise import (
    COUNTED,
    densities_of,
    density_of,
    estimate_of,
    sign_of,
)
from ldjcheck.records import Options, Probe, Side, Structure
from ldjcheck.running.bench import Bench
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome, Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that was made: on what, with which noise, and what came of it."""

    runner: Runner
    side: Side  # what was said
    frozen: Frozen
    base: Outcome
    options: Options

    @property
    def map(self) -> FrozenMap:
        """The map of what went in, nothing seen through."""
        return FrozenMap(
            runner=self.runner, direction=self.side.direction, x=self.side.x,
            frozen=self.frozen,
        )  # fmt: skip


def with_value(
    call: Call, side: Side, value: Value, structure: Structure | None
) -> Side:
    """Return a side with the exact ldj and what a right report may be off by.

    The log-density of noise counts where that is what is reported, be it log q of what the
    noise was made into; a report that is random is judged by its mean.
    """
    reported, dtype = side.said.ldj, side.said.dtype
    shares = value.parts
    of_noise = call.runner.calls.of_noise  # then it is counted already
    if value.map.noise is not None and reported is not None and not of_noise:
        counted = _density_counted(call, side, value, reported)
        if counted is not None:
            each, turned = counted
            density = each.sum(1)
            shares = None if shares is None else turned * (shares - each)
            value = replace(value, ldj=turned * (value.ldj - density))
            exact = replace(side.exact, density=density, turned=turned)
            side = replace(side, exact=exact)
    known = replace(
        side.exact,
        ldj=value.ldj,
        shares=shares,
        structure=structure,
        clearly=1.0 if call.options.states_tolerance else CLEARLY,
    )
    estimate = estimate_of(call.runner, side.direction, side.x, call.frozen, call.base)
    if estimate is not None:
        allowed = allowed_at(value, None, call.base, dtype, call.options)
        said = replace(side.said, ldj=estimate.mean, estimated=estimate.calls)
        return replace(
            side,
            said=replace(said, expected=estimate.is_exact),
            exact=replace(known, allowed=allowed + CHANCE * estimate.error),
        )
    return replace(
        side,
        exact=replace(
            known,
            allowed=allowed_at(value, reported, call.base, dtype, call.options),
            slack=slack_at(value, reported),
        ),
    )


def _density_counted(
    call: Call, side: Side, value: Value, reported: Tensor
) -> tuple[Tensor, int] | None:
    """Return the log-density of the noise, `(batch, dims)`, where that is reported, or None.

    It is where that makes it right; or where a report that is wrong is made of it. A report
    may be an ldj, -log q, or log q itself: then it is turned, -1. What is left of a density
    of x is an ldj.
    """
    noise = value.map.origin
    turns = (1, -1) if call.base.taken is None else (1,)
    gaps = {turned: turned * reported - value.ldj for turned in turns}
    for turned, gap in gaps.items():
        if (density := density_of(noise, gap)) is not None:
            return density, turned
    right = any(bool((gap.abs() <= COUNTED).all()) for gap in gaps.values())
    normal = next(iter(densities_of(noise)), None)
    if normal is None or right:
        return None
    sign = sign_of(noise, call.runner, side)
    if sign is None:
        return None
    missed = {turned: _miss(gap + normal.sum(1)) for turned, gap in gaps.items()}
    if -sign in missed:  # it is that, unless it is far from it and near to the other
        missed[-sign] /= _FAR
    return normal, min(missed, key=missed.__getitem__)


_FAR = 4.0  # times: then the sign of the density is what is wrong


def _miss(off: Tensor) -> float:
    """Return how far a report is from a reading, in nats: what lacks a constant is near."""
    spread = (off - off.mean()).abs()
    return float(off.abs().sum()) if bool((spread > COUNTED).any()) else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is true of one direction at one probe, asked with what is known so far.

    `other` is the other direction at the same probe: absent where there is none, or where
    it has not been asked yet. `runner` has a copy of the layer that is set up as `probe`
    says.
    """

    bench: Bench
    probe: Probe
    runner: Runner
    side: Side
    other: Side

    @property
    def is_back(self) -> bool:
        """Whether it is the way back that is asked about."""
        return self.side.direction == "inverse"


Oracle = Callable[[Question], Side | None]
"""One way to know what is true.

Returns the direction that was asked about, with what is known in the place of what was;
None where it is none of its questions. It never raises what the layer raises.
"""


def answered(oracles: tuple[Oracle, ...], question: Question) -> Side:
    """Return the direction by the first oracle that knows; as it is where none does."""
    side = question.side
    if not side.answered:
        return side
    for oracle in oracles:
        if (known := oracle(question)) is not None:
            return known
    return side
