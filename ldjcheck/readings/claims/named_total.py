"""A running total that is called a log-density, and has the ldj added to it.

Of x = f(z) the density is reduced by the ldj, of z = f(x) it grows by it: which of both a
layer is, its total's name does not tell.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ldjcheck.calling.signature import call_signature
from ldjcheck.readings.policy import told_of
from ldjcheck.readings.reading import NEARER, Outcome, Reading, doubted, largest_off
from ldjcheck.records import Result

_REDUCED = "a log-density, which is reduced by the ldj", "--convention accumulator"
_RAISED = "a total, which the ldj is added to"


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the layer with the ldj added to a total that only its name calls a density."""
    subject, result = outcome.subject, outcome.result
    calls = subject.bench.calls
    if result.status != "fail" or calls.sign == 1 or subject.asked.convention != "auto":
        return
    signature = call_signature(subject.layer.obj)
    flag = None if signature is None else signature.way_flag()
    arguments = "z, ldj" if flag is None else f"z, ldj, {flag.name}"
    other = _RAISED, f"--convention 'f({arguments}) -> z, ldj'"
    adopt = partial(_adopted, other=other)
    reading = Reading(subject=subject, adopt=adopt)
    for column in dict.fromkeys((False, calls.column)):
        if outcome.result.status == "fail":
            total = replace(calls, sign=1, column=column)
            bench = replace(subject.bench, calls=total)
            yield reading.assuming("total", _RAISED, "named", _RAISED, bench=bench)


def _adopted(before: Result, again: Result | None, other: tuple[str, str]) -> Result:
    """Return both readings where the added one is right; of two wrong ones the nearer.

    An edit of what its name does not say is no more than a suggestion.
    """
    if again is None or again.status != "fail":
        return told_of(before, again, first=_REDUCED, other=other)
    if largest_off(again) < NEARER * largest_off(before):
        return replace(again, findings=tuple(map(doubted, again.findings)))
    return before
