"""A number that is called a density, and is the ldj all the same.

A name, or the terms that it is made of as it is built, says that log p(x) stands beside z.
Where nothing is found in it then that is a density of z, or it is the ldj by its values,
that is what it is.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew, worst_of
from ldjcheck.records.result import Assumption

_OF_DRAW = "of what is drawn: less the density of that, the number is the ldj"
_WHY = "called like a density, and no density of z is in it"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading in which the number is the ldj, where it is no density, or right.

    Or the density of what is drawn, which is no map of x.
    """
    subject = seen.subject
    asked = subject.asked
    is_open = (asked.kind, asked.convention) == ("auto", "auto")
    if seen.is_right or not is_open or subject.bench.calls.convention != "density":
        return
    for convention, why in (("sampler", _OF_DRAW), ("pair", _WHY)):
        for there in read_anew(subject.layer, replace(asked, convention=convention)):
            found = look_at(there)
            runs, ran = (bool(m.comparison.forward.usable) for m in (found, seen))
            nearer = convention == "sampler" and worst_of(found) < worst_of(seen)
            if found.is_right or nearer or (runs and not ran):
                inferred = {**there.subject.inferred, "ldj": why}
                told = replace(there.subject, asked=asked, inferred=inferred)
                what = Assumption(what="ldj", value=why, basis="observed", why=why)
                yield replace(there.of(told), assumptions=(*there.assumptions, what))
                return
