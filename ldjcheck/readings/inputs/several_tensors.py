"""Layers of several tensors that were taken for an input and its contexts.

`f(q, p) -> q, p, ldj` is called as `f(x, context)` is. What comes back in the place of a
context, and depends on x, is none: the map is that of all of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import torch

from ldjcheck.calling.signature import call_signature
from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer with its contexts as inputs, where these come back with x in them.

    Only of a layer that is wrong, or gives back more than x, with contexts that nobody gave.
    """
    subject = seen.subject
    bench, asked = subject.bench, subject.asked
    fed, signature = bench.options.context, call_signature(bench.layer.obj)
    resized = any(verdict.resized for verdict in seen.comparison.verdicts)
    if (
        not (seen.is_wrong or resized)
        or bench.calls.parts
        or seen.reading.claim == "density"
        or not fed
    ):
        return
    is_told = bool(asked.context) or any(name is not None for name, _ in asked.shape)
    if is_told or signature is None or signature.input is None:
        return
    names = " and ".join((signature.input, *(each.name for each in fed)))
    told = f"{names}: what comes back of each depends on {signature.input}"
    alike = tuple((each.name, bench.shape) for each in fed)
    made_up = tuple((each.name, each.shape) for each in fed)
    found: list[Measured] = []
    for others in dict.fromkeys((alike, made_up)):
        parts = (signature.input, bench.shape), *others
        for there in read_anew(bench.layer, replace(asked, shape=parts)):
            assumed = there.assuming("inputs", parts, "observed", told, asked=asked)
            if _is_mixed(assumed.subject.bench, prod(bench.shape)):
                found.append(look_at(assumed))
        if found and found[-1].is_right:
            break
    for again in sorted(found, key=lambda again: again.is_wrong)[:1]:
        whole = replace(again.subject, whole=subject.whole, unasked=subject.unasked)
        whole.inferred.update((name, subject.inferred[name]) for name in whole.unasked)
        yield again.reading.of(whole)


@on_failure(False)
def _is_mixed(bench: Bench, dims: int) -> bool:
    """Return whether what comes behind the first `dims` entries depends on these."""
    x, runner = bench.inputs(), bench.runner(seed=bench.options.seed)
    first = x[:, :dims].roll(1, 0)  # of another sample: the batch has the same numbers
    points = (x, torch.cat([first, x[:, dims:]], 1))
    y, other = (runner.output("forward", point) for point in points)
    return y.shape == x.shape and not is_once_more(y[:, dims:], other[:, dims:])
