"""The ranks of events that a map of single entries takes: vectors, sequences and images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from ldjcheck.numerics.closeness import same
from ldjcheck.records import Probe, Shape
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.design import choose_batch
from ldjcheck.settling.guesses.sizes import resized
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
