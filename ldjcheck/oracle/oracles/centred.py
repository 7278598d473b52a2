"""Maps of particles whose centre of mass stays at the origin, in a basis of such places.

What is moved as a whole has the same image, and no image has another centre of mass: of
N particles in D dims, (N - 1) D directions are left, and on these the map is square.
"""

from dataclasses import replace

from ldjcheck.numerics.centre_of_mass import as_a_whole, beside_the_whole
from ldjcheck.numerics.tolerance import MACHINE_EPSILON, hides_mistakes
from ldjcheck.oracle.derivatives.jacobian import log_abs_det
from ldjcheck.oracle.question import Question
from ldjcheck.oracle.structures.dense import rounding_of
from ldjcheck.records import Side

_ROUNDING = 1e-9
_OF_DENSITY = 1e-13  # relative: of a large one, what is left of a sum has few digits


def is_centring(side: Side) -> bool:
    """Return whether a map of particles, `(N, D)`, takes their centre of mass away."""
    jacobian, event = side.exact.jacobian, side.x.shape[1:]
    if (
        jacobian is None
        or len(event) != 2
        or event[0] < 2
        or side.y.shape != side.x.shape
    ):
        return False
    moved = as_a_whole(event).to(jacobian)
    least = _ROUNDING * jacobian.abs().amax()
    lost = (jacobian @ moved).abs().amax(), (moved.mT @ jacobian).abs().amax()
    return bool(least > 0.0) and all(bool(each <= least) for each in lost)


def known(asked: Question) -> Side | None:
    """Return log|det J| along all directions that leave the centre of mass where it is."""
    side, jacobian = asked.side, asked.side.exact.jacobian
    if jacobian is None or side.said.ldj is None or not is_centring(side):
        return None
    basis = beside_the_whole(side.x.shape[1:]).to(jacobian)
    within = basis.mT @ jacobian @ basis
    ldj = log_abs_det(within)[1]
    size = within.shape[-1]
    blur = [rounding_of(m, MACHINE_EPSILON["float64"]) for m in within.cpu().numpy()]
    if max(blur) > hides_mistakes(size):
        return None  # beside such slopes a centre that moves looks like one that stays
    allowed = _ROUNDING * (1.0 + ldj.abs() + size)
    if side.said.taken is not None:
        allowed += _OF_DENSITY * side.said.taken.detach().abs()
    exact = replace(
        side.exact, ldj=ldj, allowed=allowed, jacobian=within, instead="centred",
        shares=None, structure=None, lost=None, open=None,
    )  # fmt: skip
    return replace(side, exact=exact)
