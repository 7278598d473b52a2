"""A density that is right although the call is not: it makes up for what the call leaves out.

Where `bits_per_dim` counts the constant that `forward` lacks, the constant belongs in one of
them: written into `forward` as well, it would count twice.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.judging.measurement import first_look
from ldjcheck.profiling import heard_by
from ldjcheck.readings.densities.own_density import own_densities
from ldjcheck.readings.variant import Proposal, Variant, doubted, is_mended
from ldjcheck.settling.subject import settle_layer
from ldjcheck.tape import is_in_code

if TYPE_CHECKING:
    from types import FrameType

    from ldjcheck.records import Finding, Layer, Location, Result
    from ldjcheck.settling.subject import Subject


def _concerns(result: Result) -> bool:
    """Whether an edit is known that mends the call, beside which there are densities."""
    return bool(result.unasked) and any(map(is_mended, result.findings))


def _proposed(subject: Subject, result: Result) -> Proposal:
    edited = {f.location for f in result.findings if is_mended(f) and f.location}
    right = [
        name
        for name, density in own_densities(subject, result)
        if _is_right(subject, density, edited)
    ]
    if not right:
        return Proposal(result=result)
    names = " and ".join(right)
    told = (
        f"{names}: right as it is; where it takes this ldj, the edit counts that twice"
    )
    findings = tuple(
        _told(finding, told) if is_mended(finding) else finding
        for finding in result.findings
    )
    return Proposal(result=replace(result, findings=findings))


def _is_right(subject: Subject, density: Layer, edited: set[Location]) -> bool:
    """Return whether a density is right, and runs the code that an edit is of."""
    runs_it = False

    def hears(frame: FrameType, event: str, result: object) -> None:
        nonlocal runs_it
        if event == "call" and not runs_it:
            runs_it = any(is_in_code(place, frame.f_code) for place in edited)

    with contextlib.suppress(CannotCheckError):
        settled = settle_layer(density, subject.asked)
        with heard_by(hears):
            verdicts = first_look(settled).verdicts
        usable = [verdict for verdict in verdicts if verdict.usable]
        return runs_it and bool(usable) and not any(v.mismatched for v in usable)
    return False


def _told(finding: Finding, told: str) -> Finding:
    return replace(doubted(finding), evidence=(*finding.evidence, told))


VARIANT = Variant(name="made-up-for", concerns=_concerns, proposed=_proposed)
