"""A density whose base is seen nowhere, beside a call that is right: what it adds up to.

Over all x a density has mass 1, and what it says of one class of several, or of a cell of
whole numbers, has less. What has more is none, whatever its base: a mixture whose weights do
not add up to 1.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.conventions.distributions.model import CONVENTION
from ldjcheck.errors import LAYERS_OWN, NoBaseError
from ldjcheck.mistakes.likelihood import split_prior_wrong
from ldjcheck.readings.densities.own_density import own_densities
from ldjcheck.readings.reading import Outcome, Reading, with_finding
from ldjcheck.records import Layer
from ldjcheck.running.failed_calls import FailedCallError, LayerRaisedError
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.subject import Subject
from ldjcheck.tape.frames import returned_at

_CLEARLY = 0.02  # nats, and twice what the mass may be off by


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield what is told of a right call with a density that adds up to more than 1."""
    subject, result = outcome.subject, outcome.result
    if result.status != "pass":
        return
    for name, density in own_densities(subject, result):
        log, error = (name in result.unasked and _log_mass(subject, density)) or (0, 0)
        if log <= max(_CLEARLY, 2 * error):
            continue
        finding = split_prior_wrong.of_mass(name, log, returned_at(density.obj))
        told = with_finding(result, subject.asked, finding)
        unasked = tuple(other for other in result.unasked if other != name)
        said = f"of mass {math.exp(log):.4g}, which is more than 1"
        told = replace(told, unasked=unasked, inferred={**result.inferred, name: said})
        yield outcome.known(told)
        return


def _log_mass(subject: Subject, density: Layer) -> tuple[float, float] | None:
    """Return log of what a density adds up to, and how far that may be off; or None."""
    for calls in CONVENTION.recognise(density.obj):
        bench = replace(subject.bench, layer=density, calls=calls)
        try:
            runner, x, _ = bench.ready(subject.probes()[0])
            runner.run("forward", x, Frozen())
        except LayerRaisedError as error:
            if (
                isinstance(error.error, NoBaseError)
                and error.error.log_mass is not None
            ):
                try:
                    return error.error.log_mass()
                except LAYERS_OWN:  # the model's, at other x
                    return None
        except FailedCallError:
            continue
    return None
