"""Which edits of the source mend what the diagnosis found, the plainest first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes.rewriting import (
    calls,
    factors,
    gradients,
    missing,
    points,
    reductions,
    signs,
    terms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ldjcheck.mistakes.rewriting.sites import Change, Site
    from ldjcheck.records import Explanation

    Way = Callable[[Site], Iterator[Change]]

WAYS: tuple[tuple[str, tuple[Way, ...]], ...] = (
    ("one", (terms.zero_for_one,)),
    ("unneeded", (terms.taken_away,)),
    ("twice", (factors.doubled, terms.taken_away, factors.dropped)),
    ("overwritten", (terms.added_to_total,)),
    ("remove-abs", (calls.without_abs,)),
    ("add-abs", (calls.with_abs,)),
    ("remove-exp", (calls.without_exp,)),
    ("add-log", (calls.with_log,)),
    ("trace", (calls.with_log,)),
    ("exponential", (calls.with_log, calls.without_exp)),
    ("absolute", (calls.without_abs,)),
    ("natural-log", (factors.natural, factors.dropped)),
    ("sum-for-mean", (calls.summed,)),
    ("events-only", (reductions.over_events,)),
    ("batch-total", (reductions.over_events,)),
    ("leave-idle-out", (points.masked, factors.dropped)),
    ("number-in-log", (terms.shorter_sums,)),
    ("other-point", (points.other_names, points.other_order)),
    ("other-condition", (points.other_conditions, points.masked)),
    (
        "region",
        (
            calls.without_bound,
            points.masked,
            calls.with_abs,
            points.other_conditions,
        ),
    ),
    ("part-unaccounted", (points.masked, calls.with_log)),
    ("dims-left-out", (calls.without_slice,)),
    ("step-unaccounted", (calls.with_log,)),
)
"""By the kind of the explanation. `times` has ways by its multiplier."""

FORM: dict[str, tuple[Way, ...]] = {
    "not-reduced": (reductions.reduced,),
    "wrong-shape": (reductions.one_per_sample,),
    "incoming-ldj-ignored": (terms.added_to_total,),
    "gradient-cut": (gradients.uncut,),
}
"""By the name of a finding that is not about a value."""

ANYTHING: tuple[Way, ...] = (
    factors.literals,
    signs.turned,
    terms.shorter_sums,
    factors.dropped,
    calls.without_abs,
    calls.with_log,
    calls.with_abs,
    calls.summed,
    points.other_conditions,
    points.other_names,
    points.other_order,
    points.masked,
)
"""What is tried where the diagnosis cannot say more, or what it said did not help."""


def changes(site: Site, explanation: Explanation) -> Iterator[Change]:
    """Yield the edits of one statement that may do what an explanation asks for."""
    if explanation.kind == "times" and explanation.multiplier is not None:
        yield from _multiplied(site, explanation)
        return
    if explanation.kind == "nothing-reported":
        yield from missing.instead(site, explanation)
    elif explanation.kind in ("step-unaccounted", "part-unaccounted", "overwritten"):
        yield from missing.added(site, explanation)
    for way in dict(WAYS).get(explanation.kind, ()):
        yield from way(site)


def _multiplied(site: Site, explanation: Explanation) -> Iterator[Change]:
    multiplier = explanation.multiplier
    assert multiplier is not None
    if multiplier.family == "sign":
        yield from signs.turned(site)
    elif multiplier.family == "number":
        yield from factors.by_number(site, multiplier.label)
    elif multiplier.family == "log-base":
        yield from factors.by_log_base(site, multiplier.label)
    elif multiplier.label.startswith("-"):
        yield from _counted_and_turned(site, multiplier.label.removeprefix("-"))
    else:
        yield from calls.summed(site)
        yield from factors.by_count(site, multiplier.label)
        if not explanation.constant:
            yield from reductions.over_events(site)


def _counted_and_turned(site: Site, label: str) -> Iterator[Change]:
    """Yield edits of a count, each beside every edit that turns a sign."""
    turns = list(signs.operators(site))
    for count in factors.by_count(site, label):
        for turn in turns:
            both = count.replacements + turn.replacements
            yield replace(count, cost=count.cost + turn.cost, replacements=both)
