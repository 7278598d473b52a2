"""Maps that keep the volume, seen by their numbers: rotations, mirrors, shears.

Their log|det J| is 0 at the recorded call. That it is so for other parameters and inputs
too is left to the run that verifies what was derived.
"""

from __future__ import annotations

from collections.abc import Iterator

from ldjcheck.derivation.calculus.formulas import Formulas
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.tape import Node


def terms(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield no term."""
    yield []
