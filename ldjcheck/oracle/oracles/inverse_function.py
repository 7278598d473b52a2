"""A way there that solves for the way back, judged by that.

Its own derivative is that of the steps that the solver took. Where it stopped early, which
the way there and back shows, and the difference is no more than this explains, the exact
value is minus that of the way back at the point where it stopped.
"""

from dataclasses import replace

from ldjcheck.numerics.tolerance import hides_mistakes
from ldjcheck.oracle.direction import judged_by
from ldjcheck.oracle.question import Question
from ldjcheck.oracle.way_back.preimage import NEAR, residual_allowed, stops_early
from ldjcheck.records import Side


def known(asked: Question) -> Side | None:
    """Return the way there judged by the way back, where it solves for that."""
    forward, inverse = asked.side, asked.other
    off, exact = inverse.round_trip.off, inverse.exact
    if asked.is_back or asked.bench.calls.departures or off is None or off > NEAR:
        return None
    if not forward.disagrees:
        return None
    if exact.ldj is None or exact.allowed is None or not exact.anchored:
        return None
    if exact.method in ("preimage", "differences") or inverse.disagrees:
        return None
    if float(exact.allowed.max()) > hides_mistakes(forward.dims):
        return None  # what proves nothing is no judge
    # at the point itself, so that no residual is left
    found = judged_by(forward, exact, exact.allowed)
    wide = exact.allowed + residual_allowed(off, forward.dims)
    is_explained = stops_early(forward.exact, replace(found, allowed=wide))
    if not is_explained or replace(forward, exact=found).disagrees:
        return None
    return replace(forward, exact=found)
