"""The layer in the other mode: in training a flag may lead to other code, or nowhere.

What is right in evaluation is asked in training. A batch norm takes the moments of its batch
there, so that its samples meet and nothing is proved, and its running averages after: that
is asked in evaluation. Gradients are those of training.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.contract import gradient_cut
from ldjcheck.readings.reading import Outcome, Reading, fails_by_value, read_anew
from ldjcheck.records import Finding, Result, Status
from ldjcheck.settling.subject import settle_layer

_WRONG_IN_TRAINING = "train: right in evaluation, wrong in training"
_WRONG = (
    "eval: in training samples meet and nothing is proved; in evaluation it is wrong"
)
_TAUGHT = "train: gradients pass there, and are cut in evaluation"
_NOT_JUDGED = "in training it is an estimate, and whether gradients pass is not judged"
_RIGHT = "train: in evaluation, --mode eval, all numbers agree"


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the layer in training, where the map is the same there and the ldj is not.

    Or in evaluation, if all that is unproven is that samples meet in training. Or in
    training, if all that is wrong in evaluation is that no gradient passes.
    """
    from ldjcheck.settling.domains import reported_otherwise

    subject, result = outcome.subject, outcome.result
    asked, layer = subject.asked, subject.layer
    grave = {f.code for f in result.findings if f.severity == "error"}
    met = any(f.code == "LDJ207" and f.severity == "warning" for f in result.findings)
    if asked.mode == "train":
        if result.status == "unproven" and met:
            for there in read_anew(layer, replace(asked, mode="eval")):
                yield replace(there, adopt=_evaluated)
    elif grave == {gradient_cut.RULE.code}:
        for there in read_anew(layer, replace(asked, mode="train")):
            yield replace(there, adopt=_taught)
    elif (
        result.status == "pass"
        and reported_otherwise(subject.bench, "training") is not None
    ):
        trained = settle_layer(layer, replace(asked, mode="train"))
        yield Reading(subject=trained, adopt=_trained)


def _trained(before: Result, again: Result | None) -> Result:
    if again is None or not fails_by_value(again):
        return before
    return replace(again, inferred={"mode": _WRONG_IN_TRAINING, **again.inferred})


def _evaluated(before: Result, again: Result | None) -> Result:
    if again is not None and fails_by_value(again):
        return replace(again, inferred={"mode": _WRONG, **again.inferred})
    if again is not None and again.status == "pass":
        return replace(before, inferred={"mode": _RIGHT, **before.inferred})
    return before


def _taught(before: Result, again: Result | None) -> Result:
    """Return the layer as it is in evaluation, its gradients as they are in training."""
    trained = {(c.name, c.direction): c for c in again.checks} if again else {}
    checks = tuple(
        trained.get((c.name, c.direction), c) if c.name == "gradient" else c
        for c in before.checks
    )
    gradients = {c.status for c in checks if c.name == "gradient"}
    if "fail" in gradients:
        return before
    kept = tuple(f for f in before.findings if f.code != gradient_cut.RULE.code)
    if "pass" not in gradients:  # of an estimate it may be another than the ldj's
        kept = tuple(map(_not_judged, before.findings))
    left = [*(f.severity for f in kept), *(c.status for c in checks)]
    is_open = "unproven" in left or bool(before.not_done)
    status: Status = "unproven" if is_open else "pass"
    return replace(
        before,
        status=status,
        checks=checks,
        findings=kept,
        readings=tuple(replace(each, status=status) for each in before.readings),
        inferred={"mode": _TAUGHT, **before.inferred},
    )


def _not_judged(finding: Finding) -> Finding:
    """Return what is told of a gradient that evaluation cuts, and training does not prove."""
    if finding.code != gradient_cut.RULE.code:
        return finding
    evidence = (*finding.evidence, _NOT_JUDGED)
    return replace(finding, severity="unproven", fix=None, evidence=evidence)
