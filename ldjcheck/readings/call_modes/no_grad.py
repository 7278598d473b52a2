"""The layer under `torch.no_grad()`, as models are evaluated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ldjcheck.mistakes.naming.circumstances import without_gradients
from ldjcheck.readings.finding import with_finding
from ldjcheck.readings.variant import Proposal, Variant, passes

if TYPE_CHECKING:
    from ldjcheck.records import Result
    from ldjcheck.settling.subject import Subject


def _proposed(subject: Subject, result: Result) -> Proposal:
    """Return what is wrong under `torch.no_grad()` alone, where the map is the same."""
    from ldjcheck.settling.settle import otherwise

    told = otherwise(subject.bench, "without gradients")
    if told is None:
        return Proposal(result=result)
    found = without_gradients(*told, math.prod(subject.bench.shape))
    return Proposal(result=with_finding(result, subject.asked, found))


VARIANT = Variant(name="no-grad", concerns=passes, proposed=_proposed)
