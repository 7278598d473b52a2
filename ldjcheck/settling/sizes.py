"""The sizes that a layer is made for: what it holds and counts with, and smaller copies.

What holds an entry for each place of an event, a mask above all, is cropped along its last
axes. What a squeeze has folded is cropped in the same proportion.
"""

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from torch import Tensor, nn

from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.object_graph import attributes, by_name, module_of, reachable
from ldjcheck.records import Calls, Direction, Layer, Shape
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.held_state import Axes, Counted, hold
from ldjcheck.running.snapshot.isolation import copied

_BATCH = 5
_LARGEST = 100_000  # of an axis
_SIDE = 4  # of the smallest square that one number stands for
_FEW = 8  # numbers of one object that are multiplied


def counted(bench: Bench) -> tuple[Counted, ...]:
    """Return the numbers that the ldj depends on, and the output does not.

    Beside one of these, others may count on the way back alone.
    """
    numbers = tuple(_numbers(bench.layer.obj))
    first: Direction = "inverse" if bench.calls.forward is None else "forward"
    found = _counted_by(bench, numbers, first)
    owners = {number.owner for number in found}
    beside = [n for n in numbers if n not in found and n.owner in owners]
    if beside and first == "forward" and bench.calls.inverse is not None:
        found |= _counted_by(bench, beside, "inverse")
    return tuple(number for number in numbers if number in found)


def _counted_by(
    bench: Bench, numbers: Iterable[Counted], direction: Direction
) -> set[Counted]:
    """Return the numbers that the ldj of one direction depends on, and its output does not."""
    before = _outcome(bench, direction)
    found: set[Counted] = set()
    if before is None:
        return found
    for number in numbers:
        other = _with_number(bench, number, number.value + 1)
        after = None if other is None else _outcome(other, direction)
        if after is None or not is_once_more(before[0], after[0]):
            continue
        if not is_once_more(before[1], after[1]):
            found.add(number)
    return found


def with_sizes(bench: Bench, sized: Mapping[Counted, Axes]) -> Bench | None:
    """Return a bench whose copies hold the sizes that they are run at; None if none can."""
    if bench.copy().said is not None:
        return None
    calls = _afresh(bench.calls)  # a base may be another where numbers are
    there = replace(bench, sized={**bench.sized, **sized}, calls=calls)
    try:
        there.runner()
    except Exception:  # the layer's own setting of attributes may raise anything
        return None
    return there


def _afresh(calls: Calls) -> Calls:
    """Return how a layer is called, with nothing remembered of the calls before."""
    way = calls.forward
    if way is None or way.afresh is None:
        return calls
    return replace(calls, forward=replace(way, call=way.afresh()))


def _with_number(bench: Bench, number: Counted, value: int) -> Bench | None:
    """Return how a copy is called that holds another number; None where it cannot."""
    try:
        twin = copied(bench.layer.obj)
        hold(twin, {number: value})
    except Exception:  # the layer's own copying, and setting, may fail anyhow
        return None
    return replace(bench, layer=replace(bench.layer, obj=twin, rebuild=None))


def _numbers(layer: Any) -> Iterator[Counted]:
    for owner, item in enumerate(reachable(layer)):
        by_torch = module_of(type(item)).startswith(("torch.", "builtins"))
        if by_torch and not isinstance(item, dict):
            continue
        own = ((n, v) for n, v in vars(type(item)).items() if not n.startswith("__"))
        in_class = {n: v for n, v in own if type(v) is int}
        for name, value in {**in_class, **by_name(item)}.items():
            size = _size(value)
            if size is not None:
                yield Counted(owner, name, None, size)
            elif isinstance(value, tuple | list) and len(value) <= 4:
                sizes = ((i, _size(each)) for i, each in enumerate(value))
                yield from (Counted(owner, name, i, n) for i, n in sizes if n)


def products_held(layer: Any) -> frozenset[int]:
    """Return what the sizes of an event come to whose sizes the layer holds as numbers.

    By object: two or three of its numbers, or of the entries of one tuple; a number that
    stands for the sides of a square is there twice.
    """
    by_owner: dict[int, list[int]] = {}
    for number in _numbers(layer):
        by_owner.setdefault(number.owner, []).append(number.value)
    return frozenset(
        prod(some)
        for values in by_owner.values()
        for count in (2, 3)
        for some in itertools.combinations(_with_squares(values[:_FEW]), count)
    )


def _with_squares(values: list[int]) -> list[int]:
    return values + [side for side in {*values} if side >= _SIDE]


def is_its_only_number(layer: Any, number: Counted, fixed: Container[int]) -> bool:
    """Return whether no other number is held that could be the size of an open axis."""
    return number.index is None and all(
        other == number or other.value in fixed for other in _numbers(layer)
    )


def _size(value: Any) -> int | None:
    """Return a number that may be a size: whole, and not 1, which counts nothing."""
    if isinstance(value, Tensor):
        learned = value.requires_grad or isinstance(value, nn.Parameter)
        if learned or value.numel() != 1 or value.is_complex():
            return None
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer):
        return None
    return int(value) if 1 < value < _LARGEST and value == int(value) else None


@on_failure(None)
def _outcome(bench: Bench, direction: Direction) -> tuple[Tensor, Tensor] | None:
    """Return output and ldj of one batch, the same batch each time."""
    bench = replace(bench, batch=_BATCH)
    x, options = bench.inputs(), bench.options
    moved = options.params == "random"  # as built, many a layer is the identity
    draw = options.seed * 100 + 1 if moved else 0
    runner = bench.runner(draw=draw, scale=options.params_scale, seed=options.seed)
    outcome = runner.run(direction, x, Frozen())
    reported = outcome.reported
    return None if reported is None else (outcome.y.detach(), reported.detach())


# --- copies for smaller events --------------------------------------------------------

_TRIED = 8  # sizes; most that do not fit raise within a fraction of a call
_FOLDS = 5  # that halve the sides of an image


def smaller_shapes(shape: Shape, least: int, most: int) -> list[Shape]:
    """Return shapes of `least` to `most` dims whose sides divide those of `shape`."""
    lead = shape[:-2] if len(shape) > 2 else shape[:-1] if len(shape) == 2 else ()
    sides = shape[len(lead) :]
    shorter = [[d for d in range(2, n) if n % d == 0] for n in sides]
    if not all(shorter):
        return []
    if len(sides) == 1:
        found = [(*lead, d) for d in shorter[0]]
    else:
        pairs = [(h, w) for h in shorter[0] for w in shorter[1] if h <= w]
        found = [(*lead, h, w) for h, w in pairs if h % 2 == 0 or sides[0] % 2]
    within = [s for s in found if least <= prod(s) <= most]
    return sorted(within, key=prod)[:_TRIED]


def cropped(layer: Layer, whole: Shape, part: Shape) -> Layer | None:
    """Return a copy of a layer that is made for events of a part of the whole, or None."""
    sizes = _proportions(whole, part)
    try:
        twin = copied(layer.obj)
        count = sum(_crop(owner, sizes) for owner in list(reachable(twin)))
    except Exception:  # the layer's own copying, and setting, may fail anyhow
        return None
    return replace(layer, obj=twin, rebuild=None) if count else None


def spans_of(whole: Shape, part: Shape) -> dict[int, Axes | None]:
    """Return of which axes of the whole a number is the size: from one to before another.

    None of two such that are not the same size in the part.
    """
    found: dict[int, Axes | None] = {}
    for start in range(len(whole)):
        for stop in range(start + 1, len(whole) + 1):
            span = Axes(start, stop)
            count = span.count(whole)
            other = found.setdefault(count, span)
            if other is not None and other.count(part) != span.count(part):
                found[count] = None
    return found


def _proportions(whole: Shape, part: Shape) -> dict[Shape, Shape]:
    """Return which last axes become which, those that were folded by halves included."""
    count = min(2, max(1, len(whole) - 1))
    before, after = whole[-count:], part[-count:]
    found: dict[Shape, Shape] = {}
    for _ in range(_FOLDS):
        if before not in found and min(before) > 1:
            found[before] = after
        if any(n % 2 for n in (*before, *after)):
            break
        before, after = (tuple(n // 2 for n in sides) for sides in (before, after))
    return found


def _crop(owner: Any, sizes: dict[Shape, Shape]) -> int:
    """Crop the tensors that an object holds itself; return how many there were."""
    kind = type(owner)
    if isinstance(owner, Tensor) or module_of(kind).startswith("torch.nn.modules.conv"):
        return 0
    if isinstance(owner, nn.Module):
        held = {**owner._parameters, **owner._buffers, **vars(owner)}
    elif module_of(kind).startswith(("torch", "builtins", "collections")):
        return 0
    else:
        held = attributes(owner)
    count = 0
    for name, value in held.items():
        if not isinstance(value, Tensor):
            continue
        last = next((s for s in sizes if tuple(value.shape[-len(s) :]) == s), None)
        if last is None:
            continue
        data = value.detach()
        for axis, size in enumerate(sizes[last], start=-len(last)):
            data = data.narrow(axis, 0, size)
        data = data.clone()
        if isinstance(value, nn.Parameter):
            setattr(owner, name, nn.Parameter(data, value.requires_grad))
        else:
            setattr(owner, name, data)
        count += 1
    return count
