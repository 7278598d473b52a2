"""A subject measured, and judged by what was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.holdings import frozen_parameters
from ldjcheck.judging import compare
from ldjcheck.judging.status import said_of_runs
from ldjcheck.records import Comparison, Measurement, Options

if TYPE_CHECKING:
    from ldjcheck.settling.subject import Subject


def measured(
    subject: Subject, options: Options, *, values_alone: bool = False
) -> Measurement:
    """Return what running a layer shows; its values alone are enough of a known one."""
    from ldjcheck.experiments.order import OF_CALLS, OF_KNOWN_LAYERS, examined

    experiments = OF_KNOWN_LAYERS if values_alone else OF_CALLS
    found = examined(subject.bench, subject.probes(options), experiments)
    sides = found.evidence.measured
    measurement = Measurement(
        layer=subject.layer,
        calls=subject.bench.calls,
        # what is measured later is moved no further than the layer bears
        options=replace(options, params_scale=sides[0].probe.scale),
        evidence=found.evidence,
        unasked=subject.unasked,
        fed=subject.bench.options.context,
        has_parameters=subject.has_parameters,
        frozen=frozen_parameters(subject.layer.obj),
        inferred={**subject.inferred, **found.said},
        float32_only=subject.float32_only,
        one_sided=found.one_sided,
    )
    said = said_of_runs(measurement)
    return replace(measurement, inferred={**measurement.inferred, **said})


def compared(
    subject: Subject, options: Options, *, values_alone: bool = False
) -> Comparison:
    """Return how what a layer says agrees with what is true of it."""
    return compare(measured(subject, options, values_alone=values_alone))
