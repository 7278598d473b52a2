"""Layers that are right only where what is fed beside the input is zeros and ones: a mask.

Its name may say nothing of that. `y = f(x) * valid + x * (1 - valid)` is one map where
`valid` is 1, another where it is 0, and what nobody counts with in between.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.calling.parameter_names import is_about_context
from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.records import Domain

_BITS = Domain(kind="int", low=0, high=1)
_WHY = "zeros and ones: with these alone the layer is right"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading with masks in the place of real numbers, if it is right with these.

    Only of what nobody gave, and whose name is not that of a context.
    """
    bench, asked = seen.subject.bench, seen.subject.asked
    if not seen.is_wrong:
        return
    given = {each.name for each in asked.context}
    names = [
        each.name
        for each in bench.options.context
        if each.domain is None and each.name not in given
        if not is_about_context(each.name)
    ]
    if not names:
        return
    fed = tuple(
        each._replace(domain=_BITS) if each.name in names else each
        for each in bench.options.context
    )
    there, bench = (
        seen.reading,
        replace(bench, options=replace(bench.options, context=fed)),
    )
    for name in names:
        there = there.assuming(name, _BITS, "observed", _WHY, bench=bench)
    look = look_at(there)
    if any(v.usable for v in look.comparison.verdicts) and not look.is_wrong:
        yield there
