"""Ways back to one of several numbers that have one image: a map that drops bits.

It can do no better. It stretches by the bits that were dropped as well, and may count
them or not.
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
