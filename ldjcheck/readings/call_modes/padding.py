"""The layer with a mask that leaves out the end of a sample, as padding does."""

import math
from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.attribution.circumstances import with_padding
from ldjcheck.readings.reading import Outcome, Reading, read_anew, with_finding
from ldjcheck.settling.guesses.contexts import guess_contexts
from ldjcheck.settling.subject import Subject

_PADDED = 2  # probes that must tell the same


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield what is wrong where a mask leaves out the end of a sample."""
    from ldjcheck.experiments.behaviour.padding import measure_padding

    masked = _masked(outcome.subject) if outcome.result.status == "pass" else None
    if masked is None:
        return
    probes = masked.probes()
    longest = sorted(probes, key=lambda probe: -math.prod(probe.shape))
    told = measure_padding(masked.bench, tuple(longest[:_PADDED]))
    if told is not None:
        asked, found = outcome.subject.asked, with_padding(told)
        yield outcome.known(with_finding(outcome.result, asked, found))


def _masked(subject: Subject) -> Subject | None:
    """Return the subject with a mask, which may be one that can be left out; or None."""
    from ldjcheck.settling.settle import runs

    bench = subject.bench
    fed = bench.options.context
    if fed:
        return subject if any("mask" in each.name for each in fed) else None
    calls = bench.calls
    masks = {name for name in calls.extra_names if "mask" in name}
    if not masks or subject.asked.context:
        return None
    at = ((bench.shape, subject.why_shape),)
    known = {name for name, _ in subject.asked.kwarg}
    for guess in guess_contexts(subject.layer.obj, (calls,), at, known):
        if len(guess.contexts) == 1 and guess.contexts[0][0] in masks:
            asked = replace(subject.asked, context=guess.fed)
            for masked in read_anew(subject.layer, asked):
                if runs(masked.subject.bench, bench.shape):
                    return masked.subject
    return None
