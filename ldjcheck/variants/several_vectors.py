"""Events that are several of the vectors that a wrong layer was given: it may mean these.

`x.size(1)` counts the dims of a vector, and the steps of a sequence of vectors. What counts
with it is wrong for the one, and may be right for the other: nobody has said which is meant.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.judging.measurement import first_look
from ldjcheck.mistakes import missing_dims_factor, wrong_dims_factor
from ldjcheck.settling.subject import settle_layer
from ldjcheck.variants.variant import Proposal, Variant

if TYPE_CHECKING:
    from ldjcheck.records import Result
    from ldjcheck.settling.subject import Subject

_COUNTS = {missing_dims_factor.RULE.code, wrong_dims_factor.RULE.code}
_SEVERAL = (6, 3)  # no other size that a small layer has: both must be right


def _concerns(result: Result) -> bool:
    """Whether a count is all that is wrong."""
    grave = {finding.code for finding in result.findings if finding.severity == "error"}
    return result.status == "fail" and bool(grave) and grave <= _COUNTS


def _proposed(subject: Subject, result: Result) -> Proposal:
    shape = subject.bench.shape
    if subject.asked.shape or len(shape) != 1 or subject.bench.options.context:
        return Proposal(result=result)
    shapes = [(count, *shape) for count in _SEVERAL if count not in shape]
    if not all(_is_right(subject, shape) for shape in shapes):
        return Proposal(result=result)
    meant = ",".join(map(str, shapes[0]))
    told = f"right for {shapes[0][0]} such vectors: if these are meant, --shape {meant}"
    first, *others = result.findings
    first = replace(first, evidence=(told, *first.evidence))
    return Proposal(result=replace(result, findings=(first, *others)))


def _is_right(subject: Subject, shape: tuple[int, ...]) -> bool:
    with contextlib.suppress(CannotCheckError):
        there = settle_layer(
            subject.layer, replace(subject.asked, shape=((None, shape),))
        )
        verdicts = first_look(there).verdicts
        usable = [verdict for verdict in verdicts if verdict.usable]
        wrong = any(v.mismatched or v.form is not None for v in verdicts)
        return bool(usable) and not wrong
    return False


VARIANT = Variant(name="several-vectors", concerns=_concerns, proposed=_proposed)
