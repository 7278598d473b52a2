"""Copies of a layer of large events, made for smaller ones.

What holds an entry for each place of an event, a mask above all, is cropped along its last
axes. What a squeeze has folded is cropped in the same proportion.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from torch import Tensor, nn

from ldjcheck.holdings import attributes, module_of, reachable
from ldjcheck.records import Layer, Shape
from ldjcheck.running.snapshot.isolation import copied

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


def spans_of(whole: Shape, part: Shape) -> dict[int, tuple[int, int] | None]:
    """Return of which axes of the whole a number is the size: from one to before another.

    None of two such that are not the same size in the part.
    """
    found: dict[int, tuple[int, int] | None] = {}
    for start in range(len(whole)):
        for stop in range(start + 1, len(whole) + 1):
            span, count = (start, stop), prod(whole[start:stop])
            other = found.setdefault(count, span)
            if other is not None and prod(part[slice(*other)]) != prod(
                part[start:stop]
            ):
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
