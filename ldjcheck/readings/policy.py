"""Which of two readings of one number is told: the one function that compares bases."""

from __future__ import annotations

from typing import Literal

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
