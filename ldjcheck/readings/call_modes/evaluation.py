"""The layer in evaluation, where training makes its samples meet and nothing is proved.

A batch norm takes the moments of its batch in training, and its running averages after.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.readings.variant import Proposal, Variant, as_before, is_of_value

if TYPE_CHECKING:
    from ldjcheck.records import Result
    from ldjcheck.settling.subject import Subject

_WRONG = (
    "eval: in training samples meet and nothing is proved; in evaluation it is wrong"
)
_RIGHT = "train: in evaluation, --mode eval, all numbers agree"


def _concerns(result: Result) -> bool:
    """Return whether all that is unproven is that samples meet in training."""
    met = any(f.code == "LDJ207" and f.severity == "warning" for f in result.findings)
    return result.status == "unproven" and met


def _proposed(subject: Subject, result: Result) -> Proposal:
    if subject.asked.mode != "train":
        return Proposal(result=result)
    return Proposal(result=result, options=replace(subject.asked, mode="eval"))


def _adopted(proposal: Proposal, again: Result) -> Result:
    result = proposal.result
    if again.status == "fail" and is_of_value(again):
        return replace(again, inferred={"mode": _WRONG, **again.inferred})
    if again.status == "pass":
        return replace(result, inferred={"mode": _RIGHT, **result.inferred})
    return result


VARIANT = Variant(
    name="evaluation",
    concerns=_concerns,
    proposed=_proposed,
    adopted=_adopted,
    unable=as_before,
)
