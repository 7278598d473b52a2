"""A number that is called a density, and is the ldj all the same.

A name, or the terms that it is made of as it is built, says that log p(x) stands beside z.
Where nothing is found in it then that is a density of z, or it is the ldj by its values,
that is what it is.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.records.result import Assumption

_WHY = "called like a density, and no density of z is in it"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading in which the number is the ldj, where it is no density, or right."""
    subject = seen.subject
    asked = subject.asked
    is_open = (asked.kind, asked.convention) == ("auto", "auto")
    if seen.is_right or not is_open or subject.bench.calls.convention != "density":
        return
    for there in read_anew(subject.layer, replace(asked, convention="pair")):
        found = look_at(there)
        runs, ran = (bool(m.comparison.forward.usable) for m in (found, seen))
        if found.is_right or (runs and not ran):
            inferred = {**there.subject.inferred, "ldj": _WHY}
            told = replace(there.subject, asked=asked, inferred=inferred)
            why = Assumption(what="ldj", value="the ldj", basis="observed", why=_WHY)
            yield replace(there.of(told), assumptions=(*there.assumptions, why))
