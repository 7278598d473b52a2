"""The layer with a context that it may be given, and does not need.

It brings in terms of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.readings.variant import Proposal, Variant, is_of_value, passes
from ldjcheck.settling.contexts import with_optional_context
from ldjcheck.settling.subject import called_otherwise

if TYPE_CHECKING:
    from ldjcheck.records import Result
    from ldjcheck.settling.subject import Subject


def _concerns(result: Result) -> bool:
    """Return whether it passes, or all that is unproven is that it changes nothing."""
    codes = [finding.code for finding in result.findings]
    return passes(result) or codes == ["LDJ401"]


def _proposed(subject: Subject, result: Result) -> Proposal:
    from ldjcheck.settling.settle import is_the_same_map

    settled = with_optional_context(subject.bench, subject.asked, subject.why_shape)
    if settled is None:
        return Proposal(result=result)
    fed = settled.bench.options
    told = ", ".join(f"{each.name}={each.shape}" for each in fed.context)
    if is_the_same_map(subject.bench, settled.bench):
        said = f"right without it; {told} changes nothing"
        return Proposal(result=_saying(said, result))
    first = called_otherwise(subject, settled) if passes(result) else None
    return Proposal(result=result, options=fed, values_first=first, said=told)


def _adopted(proposal: Proposal, again: Result) -> Result:
    result, told = proposal.result, proposal.said
    if again.status == "fail" and is_of_value(again):
        return _saying(f"{told}: right without it, wrong with it", again)
    if again.status == "pass" and result.status != "pass":
        return _saying(f"{told}: without it the layer changes nothing", again)
    return _saying(f"right without it; with {told}: {again.status}", result)


def _saying(said: str, result: Result) -> Result:
    return replace(result, inferred={"context": said, **result.inferred})


VARIANT = Variant(
    name="context", concerns=_concerns, proposed=_proposed, adopted=_adopted
)
