"""The layer in training: a flag that says so may lead to other code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.readings.variant import Proposal, Variant, is_of_value, passes

if TYPE_CHECKING:
    from ldjcheck.records import Result
    from ldjcheck.settling.subject import Subject

_SAID = "train: right in evaluation, wrong in training"


def _proposed(subject: Subject, result: Result) -> Proposal:
    """Return the layer in training, where the map is the same there and the ldj is not."""
    from ldjcheck.settling.settle import otherwise

    if subject.asked.mode == "train" or otherwise(subject.bench, "training") is None:
        return Proposal(result=result)
    training = replace(subject.asked, mode="train")
    return Proposal(result=result, options=training)


def _adopted(proposal: Proposal, again: Result) -> Result:
    if again.status != "fail" or not is_of_value(again):
        return proposal.result
    return replace(again, inferred={"mode": _SAID, **again.inferred})


VARIANT = Variant(
    name="training", concerns=passes, proposed=_proposed, adopted=_adopted
)
