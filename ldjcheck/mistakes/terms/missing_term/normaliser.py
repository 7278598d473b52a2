"""The constant of the normal density that a model, or a normal CDF, leaves out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ldjcheck.mistakes.engine.closeness import fits, is_constant
from ldjcheck.mistakes.engine.kinds import NORMALISER
from ldjcheck.mistakes.engine.places import ldj_statement
from ldjcheck.records import Explanation
from ldjcheck.tape import Trace, location_of

_EACH = math.log(2 * math.pi) / 2


def normaliser_left_out(traces: Sequence[Trace]) -> Iterator[Explanation]:
    """Yield that log(2 pi) / 2 is left out, once for each of so many dims.

    A density lacks it with a minus; a map onto normal numbers gains it, in each dim.
    """
    missing = [trace.exact - trace.reported for trace in traces]
    if not is_constant(missing):
        return
    lacking = [round(-float(amount[0]) / _EACH) for amount in missing]
    dims = [trace.dims for trace in traces]
    whole = [abs(count) for count in lacking] == dims
    is_one = len({*lacking}) == 1 and lacking[0] > 0
    if not (whole or is_one):
        return
    if all(
        fits(trace, trace.reported - _EACH * count, trace.exact)
        for trace, count in zip(traces, lacking, strict=True)
    ):
        yield NORMALISER.explanation(
            constant=True,
            location=location_of(ldj_statement(traces[0])),
            operand="log(math.sqrt(2 * math.pi))",
            detail="each dim" if whole else f"{lacking[0]} of the dims",
        )
