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
from ldjcheck.settling.subject import settle_layer
from ldjcheck.variants.own_density import own_densities
from ldjcheck.variants.variant import Proposal, Variant, doubted, is_mended

if TYPE_CHECKING:
    from ldjcheck.records import Finding, Layer, Result
    from ldjcheck.settling.subject import Subject


def _concerns(result: Result) -> bool:
    """Whether an edit is known that mends the call, beside which there are densities."""
    return bool(result.unasked) and any(map(is_mended, result.findings))


def _proposed(subject: Subject, result: Result) -> Proposal:
    right = [
        name
        for name, density in own_densities(subject, result)
        if _is_right(subject, density)
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


def _is_right(subject: Subject, density: Layer) -> bool:
    with contextlib.suppress(CannotCheckError):
        verdicts = first_look(settle_layer(density, subject.asked)).verdicts
        usable = [verdict for verdict in verdicts if verdict.usable]
        return bool(usable) and not any(verdict.mismatched for verdict in usable)
    return False


def _told(finding: Finding, told: str) -> Finding:
    return replace(doubted(finding), evidence=(*finding.evidence, told))


VARIANT = Variant(name="made-up-for", concerns=_concerns, proposed=_proposed)
