"""The layer with a mask that leaves out the end of a sample, as padding does."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.mistakes.naming.circumstances import with_padding
from ldjcheck.readings.finding import with_finding
from ldjcheck.readings.variant import Proposal, Variant, passes
from ldjcheck.settling.guesses.contexts import guess_contexts
from ldjcheck.settling.subject import settle_layer

if TYPE_CHECKING:
    from ldjcheck.records import Result
    from ldjcheck.settling.subject import Subject

_PADDED = 2  # probes that must tell the same


def _proposed(subject: Subject, result: Result) -> Proposal:
    """Return what is wrong where a mask leaves out the end of a sample."""
    from ldjcheck.experiments.behaviour.padding import padding_told

    masked = _masked(subject)
    if masked is None:
        return Proposal(result=result)
    probes = masked.probes()
    longest = sorted(probes, key=lambda probe: -math.prod(probe.shape))
    told = padding_told(masked.bench, tuple(longest[:_PADDED]))
    if told is None:
        return Proposal(result=result)
    return Proposal(result=with_finding(result, subject.asked, with_padding(told)))


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
            with contextlib.suppress(CannotCheckError):
                masked = settle_layer(
                    subject.layer, replace(subject.asked, context=guess.fed)
                )
                if runs(masked.bench, bench.shape, bench.batch):
                    return masked
    return None


VARIANT = Variant(name="padding", concerns=passes, proposed=_proposed)
