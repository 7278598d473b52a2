"""A density beside one that is right: with the base of that, where its own is not found.

Of `bits_per_dim(x)` that is made of `nll(x)` and lacks log 2 no terms have mass 1, so that
no base is found in it; z and log p(z) are those of the density that is right all the same.
That one says so by law alone: a number that is another one for some other reason may hold
more than a density, and stays open.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ldjcheck.conventions import densities
from ldjcheck.conventions.distributions.model import told_beside
from ldjcheck.mistakes.attribution.precedence import follows_a_law
from ldjcheck.readings.densities.own_density import adopted, own_densities, with_right
from ldjcheck.readings.reading import Outcome, Reading, look_at


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield each density that was not checked, beside a call that is a right density."""
    subject, told = outcome.subject, outcome.result.inferred
    calls = subject.bench.calls
    if calls.convention not in ("model", "density") or calls.forward is None:
        return
    units = {name: unit for name, unit, _ in densities(subject.whole.obj)}
    for name, density in own_densities(subject, outcome.result):
        if outcome.result.status != "pass" or name not in units:
            return
        layer = replace(subject.layer, known_right=density.known_right)
        bench = replace(
            subject.bench, layer=layer, calls=told_beside(calls, name, units[name])
        )
        inferred = {n: told.get(n, said) for n, said in subject.inferred.items()}
        there = Reading(
            subject=replace(subject, bench=bench, inferred=inferred),
            adopt=partial(adopted, name, density),
            told_if=follows_a_law,
        )
        if look_at(there).is_right:
            yield outcome.known(with_right(name, outcome.result))
        else:
            yield there
