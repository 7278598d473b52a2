"""The structures of a Jacobian that have a closed form, in the order of trying.

A structure reads one step of the map and yields candidates, each a list of terms. None is
believed: the first whose sum is the step's own log|det| at the recorded call is taken.
"""

from collections.abc import Callable, Iterator

from ldjcheck.derivation.calculus.formulas import Formulas
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.derivation.structures import elementwise, linear, low_rank
from ldjcheck.tape import Node

Structure = Callable[[Formulas, Node, Node], Iterator[list[Term]]]


def keeping_volume(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield no term: rotations, mirrors, shears, seen by their numbers.

    That log|det J| is 0 for other parameters and inputs too is left to the run that
    verifies what was derived.
    """
    yield []


STRUCTURES: tuple[Structure, ...] = (
    elementwise.terms,
    linear.terms,
    linear.normalisation,
    low_rank.terms,
    low_rank.hidden_layer,
    keeping_volume,
)
