"""Which of two readings of one number is told: the one function that compares bases."""

from dataclasses import replace
from typing import Literal

from ldjcheck.mistakes.proof import reading_ambiguous
from ldjcheck.records import Result
from ldjcheck.records.result import STRONGEST_FIRST, Basis
from ldjcheck.records.words import Status

Told = Literal["first", "other", "neither"]


def decide(first: tuple[Status, Basis], other: tuple[Status, Basis]) -> Told:
    """Return which of two readings is told, each with its status and its weakest basis.

    A number that is right in another reading makes up for one that is wrong in the first
    where that rests on runs or better, and contradicts nothing stronger: what was typed, or
    what the code declares. What rests on a name alone makes neither a pass nor a fail.
    """
    (status, basis), (status_of_other, basis_of_other) = first, other
    if status != "fail" or status_of_other != "pass":
        return "first"
    if basis in ("stated", "declared"):
        stronger = STRONGEST_FIRST.index(basis_of_other) <= STRONGEST_FIRST.index(basis)
        return "other" if stronger else "first"
    return "neither" if basis_of_other == "named" else "other"


def told_of(
    before: Result, again: Result | None, first: tuple[str, str], other: tuple[str, str]
) -> Result:
    """Return what was told of a layer, or both readings where neither is to be told alone.

    Of each it is given what the number is said to be then, and what to type for it; what
    is empty stays as the reading has it.
    """
    if again is None or not (before.readings and again.readings):
        return before
    (one, *_), (another, *_) = before.readings, again.readings
    if decide((before.status, one.basis), (again.status, another.basis)) != "neither":
        return before
    (claim, meant), (other_claim, other_meant) = first, other
    one = replace(one, claim=claim, type=meant or one.type)
    another = replace(another, claim=other_claim, type=other_meant or another.type)
    return reading_ambiguous.between(before, one, another)
