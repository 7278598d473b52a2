"""Maps that drop bits.

A way back to one of several numbers that have one image can do no better. It stretches by
the bits that were dropped as well, and may count them or not. A map that rounds real numbers,
and that nothing undoes, has no Jacobian but zero.
"""

from dataclasses import replace

from ldjcheck.oracle.direction import is_minus, judged_by
from ldjcheck.oracle.question import Question
from ldjcheck.records import Side


def known(asked: Question) -> Side | None:
    """Return the way back judged by the way there, where both points have one image."""
    inverse, forward = asked.side, asked.other
    if not asked.is_back or not inverse.round_trip.one_image:
        return None
    if not is_minus(inverse, forward):
        return None
    return replace(
        inverse, exact=judged_by(inverse, forward.exact, inverse.exact.allowed)
    )


def rounded_reals(asked: Question) -> Side | None:
    """Return a map that rounds real numbers as not known, unless noise undoes it.

    Rounding may be seen through only where the way back adds the noise.
    """
    is_undone = asked.other.exact.wrt == "noise"
    if asked.is_back or is_undone or not asked.side.exact.rounding_seen:
        return None
    return replace(asked.side, exact=replace(asked.side.exact, anchored=False))
