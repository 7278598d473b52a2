"""A flow's own density, which may sum what its call leaves as one entry per dim."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.readings.variant import Proposal, Variant, as_before

if TYPE_CHECKING:
    from ldjcheck.records import Result
    from ldjcheck.settling.subject import Subject

_SAID = "a column, or entries per dim; its density adds them up, and is what is checked"


def _is_left_unsummed(result: Result) -> bool:
    """Return whether all that is wrong with an ldj is its entries per dim, or a column."""
    wrong = {finding.code for finding in result.findings if finding.severity == "error"}
    return wrong in ({"LDJ202"}, {"LDJ201"})


def _proposed(subject: Subject, result: Result) -> Proposal:
    from ldjcheck.conventions import densities

    asked = (subject.asked.kind, subject.asked.convention) == ("auto", "auto")
    names = [name for name, *_ in densities(subject.layer.obj)]
    if not (asked and names) or subject.asked.adapter is not None:
        return Proposal(result=result)
    model = replace(subject.asked, kind="model")
    return Proposal(result=result, options=model)


def _adopted(proposal: Proposal, again: Result) -> Result:
    if again.status not in ("pass", "fail"):
        return proposal.result
    return replace(again, inferred={"ldj": _SAID, **again.inferred})


VARIANT = Variant(
    name="density",
    concerns=_is_left_unsummed,
    proposed=_proposed,
    adopted=_adopted,
    unable=as_before,
)
