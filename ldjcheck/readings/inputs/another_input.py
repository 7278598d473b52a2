"""Layers whose map is that of an argument which was taken for a context.

An encoder `posterior(x, eps)` draws nothing: what it returns is `z`, made of `eps`, and the
density of that. Called with x as the input, other dims come out than go in.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.calling.signature import call_signature
from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.records import Context

_WHY = "{}: of it are made what comes out, as many numbers, and their density"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer with a context as its input, and what was its input as a context.

    Only of one whose output has other dims than its input, where nobody said which is which,
    and where it is a map then whose number is right, or a density.
    """
    subject = seen.subject
    bench, asked = subject.bench, subject.asked
    fed, signature = bench.options.context, call_signature(bench.layer.obj)
    is_told = bool(asked.context) or bool(asked.shape) or asked.inputs is not None
    side = seen.comparison.measurement.measured[0].forward
    resized = side.answered and seen.comparison.forward.resized is not None
    if is_told or not resized or signature is None or signature.input is None:
        return
    first, event = Context(signature.input, bench.shape), tuple(side.y.shape[1:])
    for each in fed:
        others = tuple(first if other is each else other for other in fed)
        anew = replace(asked, shape=((each.name, event),), context=others)
        for there in read_anew(bench.layer, anew):
            told = _WHY.format(each.name)
            there = there.assuming("input", each.name, "observed", told, asked=asked)
            there.subject.inferred["shape"] = f"{event}: as large as what comes out"
            there.subject.inferred[signature.input] = subject.inferred["shape"]
            again = look_at(there)
            is_map = not any(v.resized for v in again.comparison.verdicts)
            if is_map and (again.is_right or there.claim == "density"):
                yield there
                return
