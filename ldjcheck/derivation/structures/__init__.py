"""The structures of a Jacobian that have a closed form, one a file, in the order of trying.

A structure reads one step of the map and yields candidates, each a list of terms. None is
believed: the first whose sum is the step's own log|det| at the recorded call is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ldjcheck.derivation.calculus.formulas import Formulas
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.derivation.structures import (
    elementwise,
    hidden,
    linear,
    low_rank,
    normalisation,
    volume,
)
from ldjcheck.tape import Node

Structure = Callable[[Formulas, Node, Node], Iterator[list[Term]]]

STRUCTURES: tuple[Structure, ...] = (
    elementwise.terms,
    linear.terms,
    normalisation.terms,
    low_rank.terms,
    hidden.terms,
    volume.terms,
)
