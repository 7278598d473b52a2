"""A density beside a sampler that is right: of a draw it must say what the sampler says.

What `forward(obs)` returns is a draw, and how probable that is; `log_prob(obs, action)` is
asked later about an action that was taken. What is given to both goes by one name, or is
told by what runs. Where draws are no wider than usual it must be right: a clamp far out is
there so that no number is lost. What is wrong of the draw, and right of what that was made
of, as before a last tanh, may be of that: nothing is told of it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import product

from ldjcheck.calling.signature import call_signature
from ldjcheck.conventions import densities
from ldjcheck.conventions.distributions.sampler import told_afterwards
from ldjcheck.mistakes.attribution.precedence import is_of_a_law
from ldjcheck.readings.densities.own_density import (
    adopted,
    open_parameters,
    own_densities,
    with_right,
)
from ldjcheck.readings.reading import Measured, Outcome, Reading, is_mended, look_at
from ldjcheck.records import Calls, Layer, Result
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.settling.subject import Subject

_STEPS = 6  # operations before a draw was what it is, whose values may be meant


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield each density that takes a draw, with what the sampler was given, or without."""
    subject = outcome.subject
    if subject.bench.calls.convention != "sampler":
        return
    units = {name: unit for name, unit, _ in densities(subject.layer.obj)}
    for name, density in own_densities(subject, outcome.result):
        if name not in units or outcome.result.status != "pass":
            continue
        layer = replace(subject.layer, known_right=density.known_right)
        beside = replace(subject, bench=replace(subject.bench, layer=layer))
        told = [
            partial(told_afterwards, subject.bench.calls, name, units[name], given)
            for given in _given(subject, density)
        ]
        ways = [(tell, look) for tell in told if (look := _look(beside, tell()))]
        if any(look.is_right for _, look in ways):
            yield outcome.known(with_right(name, outcome.result))
        elif len(ways) == 1 and not _is_of_earlier(beside, ways[0][0]):
            subject = ways[0][1].subject
            # At whatever size it is read anew, it is this density that is asked about.
            asked = replace(subject.asked, adapter=subject.bench.calls)
            adopt = partial(_adopted, name, density)
            yield Reading(subject=replace(subject, asked=asked), adopt=adopt)


def _adopted(name: str, density: Layer, before: Result, again: Result | None) -> Result:
    """Return a density that is wrong, where a law or an edit says how: no chance is told."""
    known = again is not None and any(
        is_of_a_law(finding) or is_mended(finding) for finding in again.findings
    )
    return adopted(name, density, before, again if known else None)


def _given(subject: Subject, density: Layer) -> Iterator[Mapping[str, str]]:
    """Yield what the parameters of a density may be: a draw, or the sampler's input."""
    own = call_signature(subject.layer.obj)
    left = open_parameters(subject, density)
    by_name = {n: "input" if own and n == own.input else "draw" for n in left}
    if [*by_name.values()].count("draw") == 1:
        yield by_name
    elif len(left) == 2:
        yield {left[0]: "input", left[1]: "draw"}
        yield {left[0]: "draw", left[1]: "input"}


def _look(subject: Subject, calls: Calls) -> Measured | None:
    with suppress(FailedCallError):
        bench = replace(subject.bench, calls=calls)
        return look_at(Reading(subject=replace(subject, bench=bench)))
    return None


def _is_of_earlier(subject: Subject, told: Callable[..., Calls]) -> bool:
    """Return whether a density is right of what the draw was some operations before.

    Of that it may say what the sampler says, or how probable it is itself.
    """
    for back, of_itself in product(range(1, _STEPS), (False, True)):
        look = _look(subject, told(back=back, of_itself=of_itself))
        if look is not None and look.is_right:
            return True
    return False
