"""Other ranks and sizes of an event that a layer takes, by what it takes already."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace

import torch

from ldjcheck.numerics.closeness import same
from ldjcheck.records import Probe, Shape
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.design import choose_batch
from ldjcheck.settling.guesses.shapes import SMALL
from ldjcheck.settling.settle import runs

_SIZES = (3, 4, 2, 5, 6, 7)
_HALF = 0.5


def at_all_ranks(bench: Bench, probe: Probe) -> tuple[Probe, ...]:
    """Return a probe with events of one, two and three axes, where the map takes several.

    A map of single entries that holds no size takes all of them.
    """
    options, calls = bench.options, bench.calls
    if options.inputs is not None or options.context:
        return ()
    if calls.parts or calls.departures or calls.forward is None:
        return ()
    sizes = [size for size in _SIZES if size not in bench.shape]
    ranks = sorted(range(1, 4), key=lambda rank: rank != len(bench.shape))
    taken: list[Probe] = []
    for rank in ranks:
        shape = tuple(sizes[:rank])
        at = replace(probe, shape=shape, batch=choose_batch(options.batch, shape))
        if len(shape) == rank and _maps_entries(bench, at):
            taken.append(at)
        elif not taken:
            return ()  # it holds sizes: what it is spread over is no size of its
    return tuple(taken) if len(taken) > 1 else ()


def at_other_sizes(
    bench: Bench, probe: Probe, known: Iterable[Shape]
) -> tuple[Probe, ...]:
    """Return probes at other sizes that the layer takes, beside those that are `known`.

    A kernel is as wide as the event at one size alone: what counts by it is right there.
    Each axis that may have another size has one in some probe: where the height stays, and
    is one pixel after two squeezes, what counts by the width counts pixels.
    """
    options, own = bench.options, bench.shape
    if options.shape or options.inputs is not None:
        return ()
    if any(each.shape for each in options.context):  # of the event's size, it may be
        return ()
    if bench.calls.parts or bench.calls.departures or bench.sized:
        return ()
    found: list[Probe] = []
    alike = [each for each in known if len(each) == len(own)]
    kept = {i for i, n in enumerate(own) if all(each[i] == n for each in alike)}
    for shape in resized(own, frozenset(own), frozenset(range(len(own)))):
        varied = {axis for axis in kept if shape[axis] != own[axis]}
        if varied and runs(bench, shape):
            batch = choose_batch(options.batch, shape)
            found.append(replace(probe, shape=shape, batch=batch))
            kept -= varied
    return tuple(found)


@on_failure(False)
def _maps_entries(bench: Bench, probe: Probe) -> bool:
    """Return whether each entry of the output is made of the one at its place alone."""
    runner, x, generator = bench.ready(probe)
    noise = Frozen()
    y = runner.run("forward", x, noise).y
    some = torch.rand(x.shape, generator=generator) < _HALF
    z = runner.run("forward", torch.where(some, x.roll(1, 0), x), noise).y
    if y.shape != x.shape or not bool(y.isfinite().all()):
        return False
    return same(z[~some], y[~some]) and not same(z[some], y[some])


# Odd ones too, for halves of an odd number are two numbers; then ones that halve again.
_OTHERS = (2, 4, 8), (5, 7, 3), (5, 8, 2), (1, 2, 4), (7, 6, 6)
_HALVED_TWICE = (3, 12, 4), (2, 8, 16)  # for what takes none of these
_LIMITS = SMALL, 2 * SMALL, 4 * SMALL  # dims; dearer ones where no other size is cheap


def resized(
    shape: Shape, held: frozenset[int], free: frozenset[int] = frozenset()
) -> tuple[Shape, ...]:
    """Return shapes of the same kind and other sizes, axes that the layer fixes kept.

    An axis whose size the layer holds somewhere is taken to be fixed by it, unless we chose
    that size, as `free` says. Of axes of one size, which the layer holds, any may be the one
    that it fixes: what runs decides. Shapes that part them come first, and last those that
    keep one more axis: the layer may fix its size by a number that is a multiple of it.
    """
    loose = frozenset(i for i, size in enumerate(shape) if size not in held) | free
    known = {shape[i] for i in loose}
    twins = [i for i, n in enumerate(shape) if shape.count(n) > 1 and n not in known]
    others: list[Shape] = []
    freed = (
        frozenset(some)
        for count in range(max(1, len(twins)))
        for some in itertools.combinations(twins, count)
    )
    fewer = (loose - {axis} for axis in sorted(loose) if len(loose) > 1)
    varied = (*(loose | some for some in freed), *fewer)
    tables = _OTHERS, _HALVED_TWICE
    for limit, choices, axes in itertools.product(_LIMITS, tables, varied):
        if limit > SMALL and others:
            break
        for choice in choices:
            fitting = (choice * len(shape))[: len(shape)]
            new = tuple(fitting[i] if i in axes else n for i, n in enumerate(shape))
            largest = max(limit, math.prod(shape))  # what is asked anyway
            if new != shape and new not in others and math.prod(new) <= largest:
                others.append(new)

    def twins_kept(other: Shape) -> int:
        pairs = itertools.combinations(range(len(shape)), 2)
        return sum(shape[i] == shape[j] and other[i] == other[j] for i, j in pairs)

    return tuple(sorted(others, key=twins_kept))
