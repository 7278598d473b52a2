"""Whether training a layer on its ldj follows the exact value: d r / d theta, d r / d x.

A derivative that autograd gives for r, the reported ldj, is compared with central
differences. Where r agrees with e, the exact value, differences of r are differences of e
and cost four calls; only where autograd disagrees with them is e itself asked, from the
Jacobian at displaced parameters. Nothing is differentiated twice: a custom function may
be silently wrong there.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import torch

from ldjcheck.experiments import Experiment
from ldjcheck.experiments.directional_derivatives import (
    Slope,
    Slopes,
    UndefinedSlopeError,
)
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.records import (
    Direction,
    Evidence,
    GradientMeasured,
    Location,
    Probe,
    Side,
)
from ldjcheck.records.observed import GradientPart, Observation
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.observers.side_effects import Cuts
from ldjcheck.tape import location_of

_At = tuple[Probe, Side]

_TRIES = 3  # a direction that crosses a kink proves nothing
_CONFIRMED = 2  # so many directions must show a cut
_OF_ONE_KINK = 0.05  # of a slope that thousands have a part in
_NEARER = 0.1  # of how far parameters are moved
_ASKED = 8  # tensors whose exact value is differentiated: each costs Jacobians
_STATEMENTS = 64  # cuts that are tried one by one


def _run(bench: Bench, so_far: Evidence) -> Iterator[Observation]:
    """Yield how the gradient of each direction's ldj compares, where its value is right."""
    probe = so_far.probes[0]
    found = [
        _measured(bench, probe, side, _elsewhere(so_far, side.direction))
        for side in so_far.sides[0].both
        if _is_worth_asking(side) and not _is_made_up(bench, side)
    ]
    known = [gradient for gradient in found if gradient is not None]
    if probe.draw and any(gradient.wrong for gradient in known):
        known = _looked_at_again(bench, probe, known)
    yield from known


def _looked_at_again(
    bench: Bench, probe: Probe, found: list[GradientMeasured]
) -> list[GradientMeasured]:
    """Return the gradients, right where they are so with parameters moved less.

    What cuts a gradient cuts it everywhere. A clip that hands on the gradient of what it
    has clipped, as a straight-through estimator does, changes nothing nearer by.
    """
    near = replace(probe, scale=probe.scale * _NEARER)
    shop = replace(bench, behaviour=False)
    measured = measure_sides(shop, near)
    judged = []
    for gradient in found:
        side = measured.of(gradient.direction)
        asked = gradient.wrong and _is_worth_asking(side)
        again = _measured(bench, near, side) if asked else None
        if again is None or again.why is not None or again.wrong or again.map_off:
            judged.append(gradient)
        else:
            judged.append(replace(again, nearer=True))
    return judged


def _is_worth_asking(side: Side) -> bool:
    return (
        side.said.ldj is not None
        and side.exact.ldj is not None
        and side.said.form is None
        and not side.behaviour.faults
        and side.behaviour.accumulation is None
        and side.exact.anchored
        and bool(torch.isfinite(side.exact.ldj).all())
        and not side.disagrees
        and not side.exact.approximate
        and side.exact.instead is None
    )


def _is_made_up(bench: Bench, side: Side) -> bool:
    """Return whether a way back makes up what left, or a sample is drawn for no training."""
    if side.direction == "inverse" and bench.calls.departures:
        return True  # it is no map of all dims
    return bench.calls.of_noise and side.exact.detach_seen


def _elsewhere(so_far: Evidence, direction: Direction) -> _At | None:
    """Return another configuration of the same map that is worth asking, if there is one."""
    return next(
        (
            (probe, side)
            for probe, sides in zip(so_far.probes[1:], so_far.sides[1:], strict=False)
            if probe.shape == so_far.probes[0].shape
            and _is_worth_asking(side := sides.of(direction))
        ),
        None,
    )


def _measured(
    bench: Bench, probe: Probe, side: Side, elsewhere: _At | None = None
) -> GradientMeasured | None:
    direction = side.direction
    if not bench.promote:
        return GradientMeasured(direction=direction, why="it needs float64")
    try:
        slopes = _slopes(bench, probe, side)
        return _judged(slopes, side, lambda: elsewhere and _slopes(bench, *elsewhere))
    except UndefinedSlopeError as error:
        return GradientMeasured(direction=direction, why=str(error))
    except FailedCallError as error:
        return GradientMeasured(direction=direction, why=str(error), raised=True)


def _slopes(bench: Bench, probe: Probe, side: Side) -> Slopes:
    runner, _, _ = bench.ready(probe)
    # Nothing is differentiated by whole numbers.
    is_whole = probe.domain.kind == "int" and side.direction == "forward"
    moves_x = not is_whole and side.exact.wrt == "input"
    return Slopes(runner, side, bench.options, moves_x=moves_x)


def _judged(
    slopes: Slopes, side: Side, elsewhere: Callable[[], Slopes | None]
) -> GradientMeasured | None:
    """Return how the gradient came out; None where there is nothing to pass it on to.

    What cuts a gradient cuts it `elsewhere` too; a kink that a sample is too near to, in a
    network of thousands, is not met twice.
    """
    result = GradientMeasured(direction=side.direction)
    if not slopes.names:
        return None
    if side.said.estimated:  # an estimate of the gradient need not be that of the ldj
        if (given := _best(slopes, slopes.names)).agrees:
            return replace(result, worst=given.off, allowed=given.allowed)
        return replace(result, why="the ldj is an estimate, and so is its gradient")
    if side.direction == "inverse" and not slopes.tracks_output():
        return replace(result, why="it does not track gradients: made for sampling")
    if side.exact.method == "differences" and not slopes.tracks_output():
        backward = slopes.custom_backward(of_output=True)
        if backward is not None:
            return replace(
                result, map_off=True, cut="backward", location=location_of(backward)
            )
    together = _best(slopes, slopes.names)
    hardly = together.off <= _OF_ONE_KINK * together.scale
    if hardly and not together.agrees and (others := elsewhere()) is not None:
        there = _best(others, others.names)
        slopes, together = (others, there) if there.agrees else (slopes, together)
    if together.agrees:
        result = replace(result, worst=together.off, allowed=together.allowed)
        part = slopes.incoming
        return result if part is None else _of_incoming(slopes, part, result)
    suspects = (name for name in slopes.names if not _best(slopes, (name,)).agrees)
    wrong = _wrong(slopes, tuple(islice(suspects, _ASKED)))
    if not wrong:
        return replace(result, why="differences of the ldj are too rough to tell")
    cut, location = _cut(slopes, tuple(part.name for part in wrong))
    return replace(
        result,
        worst=together.off,
        allowed=together.allowed,
        wrong=tuple(wrong),
        cut=cut,
        location=location,
    )


def _of_incoming(
    slopes: Slopes, part: GradientPart, result: GradientMeasured
) -> GradientMeasured:
    """Return the result for a layer that cuts the derivative of what came in.

    Its own is right, and those of all layers before it are lost.
    """
    seen = Cuts()
    slopes.along(slopes.names, 0, seen)
    places = [
        place
        for place in seen.passable
        if _heals(slopes, slopes.names, 0, Cuts(frozenset((place,))))
        and slopes.incoming is None
    ]
    places += list(seen.numbers)[-1:]
    return replace(
        result,
        worst=abs(part.exact - part.reported),
        wrong=(part,),
        cut=None if not places else {**seen.numbers, **seen.passable}[places[0]],
        location=None if not places else location_of(places[0]),
    )


def _best(slopes: Slopes, names: tuple[str, ...]) -> Slope:
    """Return a slope along a direction that decides, where one of a few does."""
    tried = []
    for attempt in range(_TRIES):
        slope = slopes.along(names, attempt)
        if slope.agrees:
            return slope
        tried.append(slope)
    return min(tried, key=lambda slope: slope.error)


def _wrong(slopes: Slopes, names: tuple[str, ...]) -> list[GradientPart]:
    """Return the two derivatives by each tensor for which they clearly part ways.

    Differences of r and of e must agree with each other, by all that moves together, and be
    no zero by any: a derivative that autograd makes up where the value does not move at all
    is a deliberate one, such as that of a straight-through estimator.
    """
    found = dict[str, list[GradientPart]]()
    for attempt in range(_TRIES):
        if all(len(found.get(name, ())) == _CONFIRMED for name in names):
            break
        together = slopes.along(names, attempt)
        exact, error = slopes.exact_along(names, attempt)
        unsure = 10.0 * (error + together.error) + together.allowed
        if abs(exact - together.by_differences) > unsure:
            continue
        for name in names:
            slope = slopes.along((name,), attempt)
            moves = abs(slope.by_differences) > 10.0 * slope.error + slope.allowed
            if slope.parts and moves:
                by, exact = slope.by_autograd, slope.by_differences
                part = GradientPart(name=name, reported=by, exact=exact)
                found.setdefault(name, []).append(part)
    return [parts[0] for parts in found.values() if len(parts) >= _CONFIRMED]


def _cut(slopes: Slopes, names: tuple[str, ...]) -> tuple[str | None, Location | None]:
    """Return the word that cuts the derivative, and where it stands."""
    attempt = next((a for a in range(_TRIES) if slopes.along(names, a).parts), 0)
    seen = Cuts()
    slopes.along(names, attempt, seen)
    through_all = Cuts(None)
    if _heals(slopes, names, attempt, through_all):
        needed = list(through_all.passable)[:_STATEMENTS]
        for place in tuple(needed):
            fewer = [p for p in needed if p != place]
            if _heals(slopes, names, attempt, Cuts(frozenset(fewer))):
                needed = fewer
        if needed:
            return through_all.passable[needed[0]], location_of(needed[0])
        return "no_grad", None  # around the call, where no statement of the user's is
    backward = slopes.custom_backward()
    # What is seen through may raise, as `detach().numpy()` does: then the last is shown.
    for words in (seen.numbers, {} if backward else seen.passable):
        if words:
            place = list(words)[-1]
            return words[place], location_of(place)
    return (None, None) if backward is None else ("backward", location_of(backward))


@on_failure(False, UndefinedSlopeError)
def _heals(slopes: Slopes, names: tuple[str, ...], attempt: int, cuts: Cuts) -> bool:
    """Return whether the gradient is right once these statements are seen through."""
    return slopes.along(names, attempt, cuts).agrees


EXPERIMENT = Experiment(
    name="gradient", run=_run, after=("convergence", "float32-parity")
)
