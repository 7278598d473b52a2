"""Whether a map folds: many samples at each draw of the parameters, where few show both signs.

A few samples may all lie on one side of a fold, and parameters that were moved may fold
what is meant to be kept straight: only many samples tell one from the other. They all have
one context, for each context has a map of its own. A map that learns nothing is one map: a
crowd is looked at wherever no way back has led back.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.experiments import Experiment
from ldjcheck.numerics.numerical_rank import has_both_signs
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.records import Approximated, Evidence, Further, Side, Sides
from ldjcheck.records.observed import Observation
from ldjcheck.running.bench import Bench
from ldjcheck.running.snapshot.isolation import learnable

_MANY = 32  # samples, to tell a map that folds from one that a few parameters fold
_CROWD = 128  # samples of one map, to meet a fold of a hundredth of them at two dims


def _run(bench: Bench, so_far: Evidence) -> Iterator[Observation]:
    """Yield more samples at each draw of the parameters, where one draw folds the map."""
    if so_far.of(Approximated) or so_far.further_by("orientation"):
        return
    shop = replace(bench, behaviour=False)
    draws = {(probe.draw, probe.shape): probe for probe in so_far.probes}
    folded = any(_has_both_signs(each.forward) for each in so_far.sides)
    if not folded:
        if learnable(bench.layer.obj) or not _may_fold(so_far.sides[0]):
            return
        draws = {(0, ()): so_far.probes[0]}
    for probe in draws.values():
        crowd = replace(
            probe,
            batch=_MANY if folded else _CROWD,
            region="usual",
            same_context=bool(bench.options.context),
        )
        sides = measure_sides(shop, crowd)
        # Where nothing folds, less is known of a crowd than of the samples before.
        if folded or _has_both_signs(sides.forward):
            yield Further(by=EXPERIMENT.name, sides=sides)


def _may_fold(sides: Sides) -> bool:
    """Return whether nothing leads back, where det J is known."""
    side, back = sides.forward, sides.inverse
    if side.finite_jacobians is None or not side.exact.is_square:
        return False
    return not back.answered or back.round_trip.misses


def _has_both_signs(side: Side) -> bool:
    """Return whether det J has both signs, where the output is finite."""
    known = side.finite_jacobians
    return known is not None and side.exact.is_square and has_both_signs(known)


EXPERIMENT = Experiment(name="folds", run=_run, after=("convergence", "orientation"))
