"""A density that is right although the call is not: it makes up for what the call leaves out.

Where `bits_per_dim` counts the constant that `forward` lacks, the constant belongs in one of
them: written into `forward` as well, it would count twice.
"""

from collections.abc import Iterator
from dataclasses import replace
from types import FrameType

from ldjcheck.readings.densities.own_density import own_densities, says_the_same
from ldjcheck.readings.reading import (
    Outcome,
    Reading,
    doubted,
    is_mended,
    look_at,
    read_anew,
)
from ldjcheck.records import Layer, Location
from ldjcheck.settling.subject import Subject
from ldjcheck.tape import is_in_code
from ldjcheck.tracing import trace_calls


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the densities that are right, where an edit is known that mends the call."""
    subject, result = outcome.subject, outcome.result
    edited = {f.location for f in result.findings if is_mended(f)}
    right = [
        name
        for name, density in own_densities(subject, result)
        if edited and _is_right(subject, density, edited)
    ]
    if not right:
        return
    names = " and ".join(right)
    told = (
        f"{names}: right as it is; where it takes this ldj, the edit counts that twice"
    )
    findings = tuple(
        replace(doubted(f), evidence=(*f.evidence, told)) if is_mended(f) else f
        for f in result.findings
    )
    yield outcome.known(replace(result, findings=findings))


def _is_right(subject: Subject, density: Layer, edited: set[Location | None]) -> bool:
    """Return whether a density is right, and runs the code that an edit is of."""
    runs_it = False

    def hears(frame: FrameType, event: str, result: object) -> None:
        nonlocal runs_it
        if event == "call" and not runs_it:
            runs_it = any(is_in_code(at, frame.f_code) for at in edited if at)

    for there in read_anew(density, subject.asked):
        if says_the_same(there.subject, subject):
            return False
        with trace_calls(hears):
            verdicts = look_at(there).comparison.verdicts
        usable = [verdict for verdict in verdicts if verdict.usable]
        return runs_it and bool(usable) and not any(v.mismatched for v in usable)
    return False
