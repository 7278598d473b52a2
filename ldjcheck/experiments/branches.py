"""Bounds that no number has met so far: beyond one, a mistake may show.

A log-scale that is clipped at 5 is never 5 while parameters are near their start, a norm
that is at least 1 stays above it until weights are small, and a straight tail outside of 10
is no more than inputs that stay inside. A spline has bins that a few samples leave empty.
Parameters are moved further or made smaller, and inputs are more and reach further out,
until the bound is met, or the bin; there the ldj is compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from ldjcheck.experiments import Experiment
from ldjcheck.numerics.tolerance import hides_mistakes, tells_a_mistake
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.records import Approximated, Evidence, Further, Probe, Side, Sides
from ldjcheck.records.observed import Observation
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.tape import Place, location_of
from ldjcheck.tape.frames import innermost_place, is_torchs
from ldjcheck.torch_ops import ABSOLUTE, CLAMPS, COMPARES, EXTREMES, MAGNITUDES, PICKS
from ldjcheck.tracing import Args, Named, Operation, Operations

Bound = tuple[Place | None, str, str]

_FURTHER = (2.0, 4.0, 8.0, 16.0)  # times as far as parameters are moved otherwise
_OWN = 0.1  # of that: about as the layer was built
_SMALLER = (0.1, 0.01)  # times as large as they are: what no input reaches
_OUT = (2.03, 4.07)  # times as far as inputs reach otherwise: bounds are round numbers
_MANY, _ELSEWHERE = (13, 17, 19, 23, 29, 31, 61, 67, 71), 900
_ENTRIES = 120  # of a larger batch: each of ten bins is met, be it by one dim alone
_BINS, _WHOLE = 64, (torch.int64, torch.int32)
_GUARD, _LARGEST = 1e-3, 100.0  # other bounds guard against zero, or overflow
_STEEPEST = 20.0  # nats a dim: beyond, a layer is no longer what anybody uses
_RETURNS = 1e-6  # a way back that misses by more is at another point
_AS_IT_IS, _TURNED = "above zero", "below zero"  # many a number has one sign for good
_PICKED = "picked"  # and a map of few dims leaves bins empty
_ASKED = 3  # places where bounds are met, each costs Jacobians


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet(Observation):
    """Bounds that nothing was beyond, on either side, however far it was reached."""

    lines: tuple[Place, ...]

    @property
    def why(self) -> str:
        """What is to be said of them."""
        seen = filter(None, map(location_of, self.lines))
        shown = ", ".join(f"{location.file}:{location.line}" for location in seen)
        return (
            f"{shown}: nothing that was tried is beyond, and what holds there is open"
        )


def _run(bench: Bench, so_far: Evidence) -> Iterator[Observation]:
    """Yield a probe where a bound is met that was not, if the ldj is wrong there.

    What is never met is told, and no more: nothing is known beyond it.
    Only a layer that is right within its bounds is asked, and only what is wrong beyond
    and right this side of it counts: further out, much else may go wrong.
    """
    if so_far.of(Approximated) or so_far.further_by("orientation"):
        return
    measured, probes = so_far.sides, so_far.probes
    first = probes[0]
    apart = any(side.disagrees for each in measured for side in each.both)
    if bench.calls.forward is None or apart or not bench.promote:
        return
    seen = _bounds_met(bench, first)
    if not seen.samples:
        return
    there = set(seen.there)
    for probe in probes[1:]:
        more = _bounds_met(bench, probe)
        there |= more.there
        _merge(seen, more)
    new = {side for side, samples in seen.samples.items() if not samples.any()}
    unmet, asked = set(new), 0
    few = seen.parted and first.batch * prod(first.shape) < _ENTRIES
    for probe, nearer in _further(first):
        is_crowd = probe.batch != first.batch and probe.reach == 1.0
        anyhow = is_crowd and few
        if not (unmet or anyhow) or asked == _ASKED:
            break
        if probe.shrunk != 1.0 and not unmet & seen.of_all:
            continue
        here = _bounds_met(bench, probe, back=not unmet <= there)
        now = here.samples
        met = {side for side in unmet if side in now and bool(now[side].any())}
        if not (met or anyhow):
            continue
        unmet -= met
        asked += not is_crowd
        wrong = _wrong(bench, probe, here, new, farther=not is_crowd)
        if wrong is not None and (nearer is None or _agrees(bench, nearer)):
            yield Further(by=EXPERIMENT.name, sides=wrong)
            return
    places = [place for place, *_ in seen.samples if place is not None]
    quiet = _AS_IT_IS, _TURNED, _PICKED
    never = {place for place, _, word in unmet if not word.startswith(quiet)}
    own = (each for each in places if each in never and not is_torchs(each.file))
    if lines := tuple(dict.fromkeys(own)):
        yield Unmet(lines=lines)


def _further(first: Probe) -> Iterator[tuple[Probe, Probe | None]]:
    """Yield configurations further out, each with the one half as far, if that is new.

    First come larger batches, as usual and far out: of three samples none may have been on
    the other side, or in a bin. Then come the layer's own parameters, which may be below a
    bound that moved ones are above, and smaller ones.
    """
    fits = [batch for batch in _MANY if batch not in first.shape]
    enough = (batch for batch in fits if batch * prod(first.shape) >= _ENTRIES)
    many = next(enough, fits[-1])
    crowd = replace(first, batch=many, seed=first.seed + _ELSEWHERE)
    yield crowd, None
    if first.domain.kind == "real":
        yield replace(crowd, region="far"), None
    if first.draw:
        yield replace(first, scale=_OWN * first.scale), None
        for times in _SMALLER:
            yield replace(first, shrunk=times), None
    nearer: Probe | None = None
    for times in _OUT if first.domain.kind == "real" else ():
        probe = replace(crowd, region="far", reach=times)
        yield probe, nearer
        nearer = probe
    # Moved one way, all that a bound is compared with may lie on one side of it.
    ways = (first.draw, first.draw + _ELSEWHERE) if first.draw else ()
    before: dict[int, Probe] = {}
    for times, draw in itertools.product(_FURTHER, ways):
        probe = replace(first, scale=times * first.scale, draw=draw)
        yield probe, before.get(draw)
        before[draw] = probe


def _wrong(
    bench: Bench, probe: Probe, here: _Bounds, new: set[Bound], *, farther: bool
) -> Sides | None:
    """Return what is measured, if samples beyond a bound are wrong, and no other is.

    No `farther` out than others each sample counts, and so does the way back: a bin may be
    met by what is masked later on. Of samples that lie at a bound nothing is told: a kink
    has no slope.
    """
    measured = measure_sides(replace(bench, behaviour=False), probe)
    if not farther and measured.inverse.round_trip.misses:
        return measured
    measured = _plain(measured)
    for side in measured.both:
        measured = measured.changed(replace(side, exact=side.exact.without(here.at)))
    off = [_off(side) for side in measured.answered]
    # Beyond a bound that was met further in, a sample may be wrong as well.
    sides = [here.samples[side] for side in new if side in here.samples]
    this_side = ~torch.stack([*sides, torch.full_like(here.at, not farther)]).any(0)
    if any(bool((each & this_side).any()) for each in off):
        return None
    return measured if any(bool(each.any()) for each in off) else None


def _agrees(bench: Bench, probe: Probe) -> bool:
    told = _plain(measure_sides(replace(bench, behaviour=False), probe)).answered
    return bool(told) and not any(bool(_off(side).any()) for side in told)


def _plain(measured: Sides) -> Sides:
    """Return the directions, samples that say nothing left out."""
    inverse = measured.inverse
    trip = inverse.round_trip.off
    if inverse.answered and (trip is None or trip > _RETURNS):
        inverse = Side.absent("inverse", "it does not lead back from so far out")
    return replace(measured, forward=_clear(measured.forward), inverse=_clear(inverse))


def _clear(side: Side) -> Side:
    if not side.answered:
        return side
    if side.exact.ldj is None or side.exact.allowed is None or not side.exact.anchored:
        return Side.absent(side.direction, "nothing is known so far out")
    dims = side.dims
    steep = (side.exact.ldj / dims).abs()
    if side.exact.shares is not None:
        steep = side.exact.shares.abs().amax(dim=1)
    clear = (side.exact.allowed <= hides_mistakes(dims)) & (steep <= _STEEPEST)
    return replace(side, exact=side.exact.without(~clear))


def _off(side: Side) -> Tensor:
    """Return which samples are clearly wrong, `(batch,)`."""
    off = side.difference
    if off is None:
        return torch.zeros(len(side.x), dtype=torch.bool)
    return off.abs() > tells_a_mistake(side.dims)


def _bounds_met(bench: Bench, probe: Probe, *, back: bool = True) -> _Bounds:
    """Return which samples are beyond each bound that a call there and back compares with.

    The way back need not be asked. One that only solves has bounds of its own steps.
    """
    runner, x, _ = bench.ready(probe)
    noted = _Bounds(len(x))
    back = back and bench.calls.inverse is not None and not bench.solves
    with suppress(FailedCallError), noted:  # what was seen before counts
        y = runner.output("forward", x)
        noted.there = frozenset(noted.samples)
        if back and y.shape[:1] == x.shape[:1]:
            runner.output("inverse", y)
    return noted


def _merge(seen: _Bounds, more: _Bounds) -> None:
    seen.of_all |= more.of_all
    for side, samples in more.samples.items():
        met = bool(samples.any())
        if side not in seen.samples or met:
            seen.samples[side] = samples


class _Bounds(Operations):
    """Notes which samples were beyond the bounds that statements of the user's set.

    Bounds of the way `there` are told apart from those of the way back, and so are bounds
    `of_all` samples: what is compared with them is no sample's own, but of parameters.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        self._batch = batch
        self._sizes: list[tuple[Tensor, Tensor]] = []  # and what they are the sizes of
        self._made: list[Tensor] = []  # whole numbers
        # How often a statement has compared tensors.
        self._times: dict[Place | None, int] = {}
        self.samples: dict[Bound, Tensor] = {}
        self.there: frozenset[Bound] = frozenset()
        self.of_all: set[Bound] = set()
        self.parted = False  # there are bins, of which few samples leave some empty
        self.at = torch.zeros(batch, dtype=torch.bool)  # samples that lie on a bound

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        if name in CLAMPS and args and isinstance(args[0], Tensor):
            low, high = _ends(name, args[1:], named)
            value = args[0].detach()
            if _means_something(low):
                self._note(name, "below", value < low)
            if _means_something(high):
                self._note(name, "above", value > high)
        if name in EXTREMES and _is_bound(args):
            self._note(name, "the first", args[0].detach() > args[1].detach())
            self._note(name, "the second", args[0].detach() < args[1].detach())
        result = func(*args, **named)
        if name in ABSOLUTE and args and not args[0].is_complex():
            self._note(name, _AS_IT_IS, args[0].detach() > 0)
            self._note(name, _TURNED, args[0].detach() < 0)
        if name in MAGNITUDES and isinstance(result, Tensor) and args:
            self._sizes.append((result, args[0].detach()))
        if name in COMPARES and isinstance(result, Tensor) and _is_bound(args):
            self._note_comparison(name, args, result)
        if name in PICKS:
            self._note_picks(name, args, named)
        if isinstance(result, Tensor) and result.dtype in _WHOLE:
            of = [a.dtype for a in args if isinstance(a, Tensor)]
            if any(dtype not in _WHOLE for dtype in of) or self._are_made(args):
                self._made.append(result)
        return result

    def _are_made(self, values: Args) -> bool:
        """Return whether whole numbers are among some values that this call made of others."""
        return any(value is each for value in values for each in self._made)

    def _note_picks(self, name: str, args: Args, named: Named) -> None:
        """Note which of the entries along an axis are picked, by what samples come to."""
        for index, size in _picked(args, named):
            if size > _BINS or not self._are_made((index,)):
                continue
            self.parted = True
            for each in range(size):
                self._note(name, f"{_PICKED} {each}", index.remainder(size) == each)

    def _note_comparison(self, name: str, args: Any, result: Tensor) -> None:
        """Note a comparison; of a size apart where its number is above zero, and below.

        At the bound itself nothing is beyond it: most maps are continuous there.
        """
        sized = (z for size, z in self._sizes if any(size is each for each in args))
        z = next(sized, None)
        beyond = args[0] != args[1]
        on = ~torch.as_tensor(beyond).detach().cpu()
        if on.shape[:1] == (self._batch,):
            self.at |= on.reshape(self._batch, -1).any(dim=1)
        words = {"": beyond}
        if z is not None and z.shape == result.shape:
            words = {" above zero": beyond & (z > 0), " below zero": beyond & (z < 0)}
        time = 0
        if all(isinstance(arg, Tensor) for arg in args):  # a loop has one each time
            place = innermost_place()
            time = self._times[place] = self._times.get(place, -1) + 1
            self.parted |= time > 0
        for word, there in words.items():
            self._note(name, f"holds{word}{time or ''}", result & there)
            self._note(name, f"fails{word}{time or ''}", ~result & there)

    def _note(self, name: str, word: str, where: Tensor) -> None:
        side = innermost_place(), name, word
        where = where.detach().cpu()
        if where.shape[:1] == (self._batch,):
            samples = where.reshape(self._batch, -1).any(dim=1)
        else:
            samples = where.any().expand(self._batch)
            self.of_all.add(side)
        known = self.samples.get(side)
        self.samples[side] = samples if known is None else known | samples


def _picked(args: Args, named: Named) -> Iterator[tuple[Tensor, int]]:
    """Yield the whole numbers by which entries are picked, and how many there are."""
    values, *at = [*args, *named.values()]
    keys = at[0] if len(at) == 1 and isinstance(at[0], tuple) else at
    axes = [key for key in keys if type(key) is int] if len(at) > 1 else []
    for axis, key in enumerate(keys):
        if isinstance(key, Tensor) and key.dtype in _WHOLE:
            yield key, values.shape[axes[0] if axes else axis]
        if key is None or key is Ellipsis:
            return  # which axis the next one is of, is not counted


def _ends(name: str, args: Args, given: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the lower and the upper bound of a clamp, None where there is none."""
    if name == "clamp_max":
        return None, args[0] if args else given.get("max")
    default = (-1.0, 1.0) if name == "hardtanh" else (None, None)
    words = ("min_val", "max_val") if name == "hardtanh" else ("min", "max")
    low, high = (
        args[index] if len(args) > index else given.get(word, default[index])
        for index, word in enumerate(words)
    )
    return low, high


def _is_bound(compared: tuple[Any, ...]) -> bool:
    """Return whether one of two that are compared is a number, and no guard."""
    numbers = [a for a in compared if not isinstance(a, Tensor) or a.numel() == 1]
    return len(compared) == 2 and any(_means_something(number) for number in numbers)


def _means_something(bound: Any) -> bool:
    """Return whether a bound is more than a guard against zero or overflow."""
    if bound is None or (isinstance(bound, Tensor) and bound.numel() != 1):
        return bound is not None
    size = abs(float(bound))
    return size == 0.0 or _GUARD <= size <= _LARGEST


EXPERIMENT = Experiment(name="branches", run=_run, after=("convergence", "orientation"))
