"""Events with an axis more than those that a wrong layer was given: it may mean these.

`x.size(1)` counts the dims of a vector, and the steps of a sequence of vectors. What counts
with it is wrong for the one, and may be right for the other. Nobody has said which is meant,
and neither can be proved: not that it is wrong, and not that it is right. Where more than a
count is wrong, as a way back that leads elsewhere, and nothing is for the other, that is meant.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.counts import (
    batch_reduced,
    missing_dims_factor,
    missing_spatial_factor,
    wrong_dims_factor,
    wrong_multiple,
)
from ldjcheck.readings.reading import Outcome, Reading, doubted, look_at, read_anew
from ldjcheck.records import Finding, Result, Shape
from ldjcheck.settling.subject import Subject

_COUNTS = {
    rule.RULE.code
    for rule in (
        missing_dims_factor, missing_spatial_factor, wrong_dims_factor, batch_reduced,
        wrong_multiple,  # as a count looks like at one size
    )
}  # fmt: skip
_SIZES = (6, 7)  # of that axis: both must be right


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the layer with an axis more, if it is right so; unproven if only counts differ."""
    subject, result = outcome.subject, outcome.result
    grave = {finding.code for finding in result.findings if finding.severity == "error"}
    shape = subject.bench.shape
    if result.status != "fail" or not grave or not shape or result.beside_right:
        return
    if subject.asked.shape or subject.bench.options.context:
        return
    if len(shape) > 1 and not grave <= _COUNTS:
        return
    anew = [_right_at(subject, (size, *shape)) for size in _SIZES]
    if anew[0] is None or anew[1] is None:
        return
    if not grave <= _COUNTS:
        told = f"{(_SIZES[0], *shape)}: at {shape} more than a count is wrong"
        there = anew[0].assuming(
            "shape", (_SIZES[0], *shape), "observed", told, asked=subject.asked
        )
        yield replace(there, adopt=_adopted)
        return
    meant = ",".join(map(str, (_SIZES[0], *shape)))
    alone = ",".join(map(str, shape))
    told = (
        f"wrong for events {shape}, right for events {(_SIZES[0], *shape)}: say which "
        f"are meant, --shape {alone} or --shape {meant}"
    )
    first, *others = (_unproven(finding) for finding in result.findings)
    first = replace(first, evidence=(told, *first.evidence))
    found = first, *others
    yield outcome.known(replace(result, status="unproven", findings=found))


def _unproven(finding: Finding) -> Finding:
    grave = finding.severity == "error"
    return replace(doubted(finding), severity="unproven") if grave else finding


def _right_at(subject: Subject, shape: Shape) -> Reading | None:
    """Return the layer at a shape, if it is right there."""
    asked = replace(subject.asked, shape=((None, shape),))
    there = next(read_anew(subject.layer, asked), None)
    return there if there is not None and look_at(there).is_right else None


def _adopted(before: Result, again: Result | None) -> Result:
    return again if again is not None and again.status == "pass" else before
