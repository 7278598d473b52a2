"""The layer under `torch.no_grad()`, as models are evaluated."""

import math
from collections.abc import Iterator

from ldjcheck.mistakes.attribution.circumstances import without_gradients
from ldjcheck.readings.reading import Outcome, Reading, with_finding


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield what is wrong under `torch.no_grad()` alone, where the map is the same."""
    from ldjcheck.settling.domains import reported_otherwise

    subject = outcome.subject
    if outcome.result.status != "pass":
        return
    told = reported_otherwise(subject.bench, "without gradients")
    if told is not None:
        found = without_gradients(*told, math.prod(subject.bench.shape))
        yield outcome.known(with_finding(outcome.result, subject.asked, found))
