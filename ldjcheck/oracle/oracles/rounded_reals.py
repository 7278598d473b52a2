"""Maps that round real numbers, and that nothing undoes: they have no Jacobian but zero.

Rounding may be seen through only where the way back adds the noise.
"""

from dataclasses import replace

from ldjcheck.oracle.question import Question
from ldjcheck.records import Side


def known(asked: Question) -> Side | None:
    """Return a map that rounds as not known, unless noise undoes it."""
    is_undone = asked.other.exact.wrt == "noise"
    if asked.is_back or is_undone or not asked.side.exact.rounding_seen:
        return None
    return replace(asked.side, exact=replace(asked.side.exact, anchored=False))
