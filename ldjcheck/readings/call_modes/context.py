"""The layer with a context that it may be given, and does not need.

It brings in terms of its own. The noise that a layer draws where nobody gives it is no
context: given, it is no draw any more, and its density nobody's to count.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ldjcheck.readings.reading import Outcome, Reading, fails_by_value
from ldjcheck.records import Result
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.contexts import with_optional_context
from ldjcheck.settling.subject import called_otherwise, settle_layer


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the layer with a context, if it or is unproven as it changes nothing."""
    from ldjcheck.settling.settle import is_the_same_map

    subject, result = outcome.subject, outcome.result
    codes = [finding.code for finding in result.findings]
    if result.status != "pass" and codes != ["LDJ401"]:
        return
    settled = with_optional_context(subject.bench, subject.asked, subject.why_shape)
    if settled is None:
        return
    fed = settled.bench.options
    told = ", ".join(f"{each.name}={each.shape}" for each in fed.context)
    keeps = is_the_same_map(subject.bench, settled.bench)
    if keeps or _count_of_draws(settled.bench) < _count_of_draws(subject.bench):
        what = "changes nothing" if keeps else "stands for what it draws"
        yield outcome.known(_saying(f"right without it; {told} {what}", result))
        return

    adopt = partial(_adopted, told)
    whole = (
        Reading(subject=settle_layer(subject.layer, asked), adopt=adopt)
        for asked in (fed,)
    )
    if result.status != "pass":
        yield from whole
        return
    first = replace(called_otherwise(subject, settled), asked=fed)
    yield from outcome.values_first(Reading(subject=first, adopt=adopt), whole)


@on_failure(0)
def _count_of_draws(bench: Bench) -> int:
    frozen = Frozen()
    bench.runner(seed=bench.options.seed).run("forward", bench.inputs(), frozen)
    return len(frozen.draws)


def _adopted(told: str, before: Result, again: Result | None) -> Result:
    if again is None:
        return before
    if fails_by_value(again):
        return _saying(f"{told}: right without it, wrong with it", again)
    if again.status == "pass" and before.status != "pass":
        return _saying(f"{told}: without it the layer changes nothing", again)
    return _saying(f"right without it; with {told}: {again.status}", before)


def _saying(said: str, result: Result) -> Result:
    return replace(result, inferred={"context": said, **result.inferred})
