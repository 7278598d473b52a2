"""Events with an axis more than those that a wrong layer was given: it may mean these.

`x.size(1)` counts the dims of a vector, and the steps of a sequence of vectors. What counts
with it is wrong for the one, and may be right for the other. Nobody has said which is meant,
and neither can be proved: not that it is wrong, and not that it is right.
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
from ldjcheck.records import Finding, Shape
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
    """Yield the layer as unproven, where a count is all that is wrong, and not with more."""
    subject, result = outcome.subject, outcome.result
    grave = {finding.code for finding in result.findings if finding.severity == "error"}
    if result.status != "fail" or not grave or not grave <= _COUNTS:
        return
    shape = subject.bench.shape
    if subject.asked.shape or not shape or subject.bench.options.context:
        return
    if not all(_is_right(subject, (size, *shape)) for size in _SIZES):
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


def _is_right(subject: Subject, shape: Shape) -> bool:
    asked = replace(subject.asked, shape=((None, shape),))
    for look in map(look_at, read_anew(subject.layer, asked)):
        wrong = any(v.mismatched or v.form for v in look.comparison.verdicts)
        return look.is_right and not wrong
    return False
