"""The splits of a flow, each by itself: whether exp(ldj) is a density of what it drops.

The flow is checked as a map to all dims, kept and dropped, and without the log-densities;
they are asked of the splits alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ldjcheck.errors import CannotCheckError
from ldjcheck.holdings import paths, reachable
from ldjcheck.judging.measurement import compared
from ldjcheck.records import Comparison, Context, Departure, Layer, Verdict
from ldjcheck.records.words import CheckStatus
from ldjcheck.settling.subject import Subject, settle_layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A sublayer at which dims leave a flow, and how it came out by itself."""

    departure: Departure
    comparison: Comparison


def with_splits(
    subject: Subject, comparison: Comparison
) -> tuple[Comparison, tuple[Split, ...]]:
    """Return the comparison, and the splits by themselves, where the flow has some.

    A direction is right only where every split is.
    """
    if subject.bench.calls.lacks_density:
        return _without_density(comparison), ()
    splits: list[Split] = []
    for departure in subject.bench.calls.departures:
        if departure.calls is None:
            continue  # torch's distributions are trusted
        alone = _alone(subject, departure, comparison)
        comparison = _at_best(comparison, alone)
        if alone is not None:
            undone = alone.measurement.not_done
            comparison = comparison.lacking(*(f"{departure.name}: {n}" for n in undone))
            splits.append(Split(departure=departure, comparison=alone))
    return comparison, tuple(splits)


def _without_density(comparison: Comparison) -> Comparison:
    """Return the comparison of a model that cuts dims off, and says nothing of them.

    Where its density is that of the kept part and the ldj of x to both, it is constant
    along what is cut off, and no density. Where it is not, nothing is known of it.
    """
    forward = comparison.forward
    is_proved = forward.check.status == "pass"
    check = replace(forward.check, status="fail" if is_proved else "unproven")
    if is_proved:
        return replace(comparison, forward=replace(forward, check=check))
    unknown = Verdict(direction="forward", check=check, unanchored=False)
    return replace(comparison, forward=unknown)


def _alone(
    subject: Subject, departure: Departure, comparison: Comparison
) -> Comparison | None:
    """Return how a split came out by itself; None where it cannot be checked."""
    places = {path: index for index, path in paths(subject.layer.obj).items()}
    place = places.get(departure.path)
    held = (item for item in reachable(subject.layer.obj) if id(item) == place)
    owner = next(held, None)
    if owner is None:
        return None
    name = f"{subject.layer.name}{departure.path}"
    options = replace(
        comparison.measurement.options,
        shape=((None, departure.shape),),
        domain=None,
        context=tuple(Context(*each) for each in departure.contexts),
        convention="auto",
        adapter=None,
        kind="split",
        ledger=False,
    )
    try:
        layer = Layer(target=name, name=name, obj=owner)
        return compared(settle_layer(layer, options))
    except CannotCheckError:
        return None


def _at_best(comparison: Comparison, split: Comparison | None) -> Comparison:
    """Return the comparison with no check better than the split's own."""
    forward, inverse = comparison.forward, comparison.inverse
    there: CheckStatus = "unproven" if split is None else split.forward.check.status
    back: CheckStatus = "unproven" if split is None else split.inverse.check.status
    if "fail" in (there, back):  # what left is taken off the inverse's ldj as there
        inverse = replace(inverse, mismatched=False)
        inverse = replace(inverse, check=replace(inverse.check, status=back))
    return replace(
        comparison, forward=_lowered(forward, there), inverse=_lowered(inverse, back)
    )


def _lowered(verdict: Verdict, status: CheckStatus) -> Verdict:
    if status not in ("fail", "unproven") or verdict.check.status != "pass":
        return verdict
    return replace(verdict, check=replace(verdict.check, status=status))
