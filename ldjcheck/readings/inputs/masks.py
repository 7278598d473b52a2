"""Layers that are right only where what is fed beside the input is zeros and ones: a mask.

Its name may say nothing of that. `y = f(x) * valid + x * (1 - valid)` is one map where
`valid` is 1, another where it is 0, and what nobody counts with in between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.calling.parameter_names import is_about_context
from ldjcheck.judging.measurement import first_look
from ldjcheck.records import Domain

if TYPE_CHECKING:
    from ldjcheck.records import Comparison
    from ldjcheck.settling.subject import Subject

_BITS = Domain(kind="int", low=0, high=1)


def of_zeros_and_ones(subject: Subject, comparison: Comparison) -> Subject | None:
    """Return the subject with masks in the place of real numbers, if it is right with these.

    Only of what nobody gave, and whose name is not that of a context.
    """
    bench, asked = subject.bench, subject.asked
    if not any(verdict.mismatched for verdict in comparison.verdicts):
        return None
    given = {each.name for each in asked.context}
    names = [
        each.name
        for each in bench.options.context
        if each.domain is None and each.name not in given
        if not is_about_context(each.name)
    ]
    if not names:
        return None
    fed = tuple(
        each._replace(domain=_BITS) if each.name in names else each
        for each in bench.options.context
    )
    told = dict.fromkeys(names, "zeros and ones: with these alone the layer is right")
    there = replace(
        subject,
        bench=replace(bench, options=replace(bench.options, context=fed)),
        inferred={**subject.inferred, **told},
    )
    verdicts = first_look(there).verdicts
    usable = any(verdict.usable for verdict in verdicts)
    wrong = any(verdict.mismatched for verdict in verdicts)
    return there if usable and not wrong else None
