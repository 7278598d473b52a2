"""An ldj that goes to the exact one as steps get finer, and that an edit makes exact.

A term that is the logarithm of each step's own slope, taken at the point behind the step,
is off by ever less of more steps, as any slip is that a fine step makes small. What is an
approximation by intention adds up traces: no edit makes it exact, and it takes no logarithm.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from ldjcheck.judging.measurement import first_look
from ldjcheck.mistakes.attribution.precedence import is_of_a_law
from ldjcheck.mistakes.mending.rerun import BOTH_WAYS
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.readings.reading import Outcome, Reading, is_mended
from ldjcheck.records import Finding, Result
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.subject import Subject
from ldjcheck.torch_ops import LOGARITHMS
from ldjcheck.tracing import Names

_OF_THE_LDJ = "LDJ1"
_LEAST = 1e-8  # nats


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the layer without allowance, where what is off was allowed for its steps."""
    subject = outcome.subject
    if _was_allowed(outcome.result) and _takes_logarithms(subject):
        exactly = replace(subject, bench=replace(subject.bench, exactly=True))
        yield Reading(subject=exactly, adopt=_adopted)


def _was_allowed(result: Result) -> bool:
    """Whether what is off of an ldj was allowed, as finer steps leave less of it.

    A way back that is near, and whose ldj is right where it leads, is another matter.
    """
    off = (c for c in result.checks if c.name == "ldj" and (c.worst or 0.0) > _LEAST)
    return result.status == "pass" and any(
        f"approximation {check.direction}" in result.inferred for check in off
    )


def _takes_logarithms(subject: Subject) -> bool:
    """Return whether the arithmetic of an ldj that is off takes a logarithm of its own."""
    bench = subject.bench
    if not _hears_logarithms(subject):
        return False
    (first,) = first_look(subject).measurement.measured
    runner, _, _ = bench.ready(first.probe)
    for side in first.answered:
        with suppress(UntraceableError):
            trace = record(runner, first.probe, side, steps=False)
            if side.disagrees and trace is not None:
                names = {node.name.removesuffix("_") for node in trace.own}
                return bool(LOGARITHMS & names)
    return False


@on_failure(True)
def _hears_logarithms(subject: Subject) -> bool:
    """Return whether a call takes a logarithm at all, or cannot be heard to its end.

    Looked at before it is measured, which costs more calls by far.
    """
    runner, x, _ = subject.bench.ready(subject.probes()[0])
    with Names() as names:
        for direction in BOTH_WAYS:
            if subject.bench.calls.way(direction) is not None:
                runner.run(direction, x, Frozen())
    return any(name.removesuffix("_") in LOGARITHMS for name in names.heard)


def _adopted(before: Result, again: Result | None) -> Result:
    """Return the mistakes of which an edit leaves nothing; else it approximates."""
    found = () if again is None else again.findings
    exact = (
        f for f in found if is_of_a_law(f) or is_mended(f) or not _is_of_the_ldj(f)
    )
    lasting = tuple(exact)
    if again is None or not any(map(_is_of_the_ldj, lasting)):
        return before
    return replace(again, findings=lasting)


def _is_of_the_ldj(finding: Finding) -> bool:
    return finding.code.startswith(_OF_THE_LDJ) and finding.severity == "error"
