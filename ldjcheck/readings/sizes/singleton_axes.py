"""Layers that are built for one channel, or one dim, and would have more parameters for more.

A scale of shape `(dim,)` is spread over all entries where `dim` is 1, as one scale for all
is; but it is meant for one. Which of both it is tells the class: built for three it has
three. What is counted once, or averaged, shows there alone.
"""

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from math import prod
from typing import Any, NamedTuple

from torch import nn

from ldjcheck.object_graph import by_name, module_of, reachable
from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.settling.subject import Subject

_TRIED = 4  # arguments of a class
_MORE = 3


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer at events of one entry, along each axis for which it was built so.

    Or as its class builds it for more, where it is wrong there: of one dim alone a mean is
    the sum, and what is right says little.
    """
    subject, wrong = seen.subject, seen.is_wrong
    shape, asked = subject.bench.shape, subject.asked
    tells = wrong or all(prod(s) == 1 for s in seen.comparison.measurement.shapes)
    if not tells or asked.shape or subject.bench.calls.parts:
        return
    grown = list(_grown(subject))
    for each in grown:
        is_whole = each.item is subject.layer.obj
        with_more = _look(subject, each.larger)
        if with_more is not None and is_whole and with_more.is_wrong:
            larger = with_more.subject.bench.shape
            told = f"{larger}: {each.built}, as one tells less"
            yield with_more.reading.assuming("shape", larger, "observed", told)
            return
        if not wrong:
            continue
        is_right = with_more is not None and with_more.is_right
        # A part that is no layer by itself tells nothing.
        if not is_right and (is_whole or _look(subject, each.item) is not None):
            return
        if with_more is not None and is_whole:
            shape = with_more.subject.bench.shape
    axes = {each.axis % len(shape) for each in grown if -each.axis <= len(shape)}
    one = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    if not wrong or not axes or one == subject.bench.shape:
        return
    told = f"{one}: it is built for one there, and has more parameters for more"
    for there in read_anew(subject.layer, replace(asked, shape=((None, one),))):
        alike = (s for s in there.subject.others if len(s) == len(one))
        others = tuple(s for s in alike if all(s[axis] == 1 for axis in axes))
        yield there.assuming("shape", one, "observed", told, asked=asked, others=others)


def _look(subject: Subject, item: nn.Module) -> Measured | None:
    """Return how the values of an object agree at first; None where it cannot be called."""
    layer = replace(subject.layer, obj=item, rebuild=None)
    return next(map(look_at, read_anew(layer, subject.asked)), None)


class _Grown(NamedTuple):
    """A parameter of one entry along an axis, from behind, that would have more."""

    axis: int
    item: nn.Module
    larger: nn.Module  # the same of its class, built for more
    built: str  # how


def _grown(subject: Subject) -> Iterator[_Grown]:
    """Yield the parameters of one entry that would have more, where more were asked for."""
    for item in reachable(subject.layer.obj):
        if not isinstance(item, nn.Module) or module_of(type(item)).startswith(
            "torch."
        ):
            continue
        held = dict(item.named_parameters(recurse=False))
        ones = {name: p for name, p in held.items() if 1 in p.shape}
        for argument in islice(_sizes(type(item)), _TRIED) if ones else ():
            small, large = (_built(item, argument, n) for n in (1, _MORE))
            for name, parameter in ones.items():
                one, more = (_shape(built, name) for built in (small, large))
                if one == tuple(parameter.shape) and len(more) == len(one):
                    told = f"built with {argument}={_MORE}"
                    for axis, sizes in enumerate(zip(one, more, strict=True)):
                        if sizes == (1, _MORE):
                            yield _Grown(axis - len(one), item, large, told)


def _sizes(kind: type) -> Iterator[str]:
    """Yield the arguments of a class that may be sizes."""
    for parameter in inspect.signature(kind).parameters.values():
        default = parameter.default
        may_be = type(default) is int or default is parameter.empty
        if may_be and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            yield parameter.name


def _built(item: nn.Module, argument: str, size: int) -> Any:
    """Return the same of its class, of another size; None where it cannot be built.

    What else it asks for it may hold, or it takes any number there.
    """
    held = by_name(item)
    parameters = inspect.signature(type(item)).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty]
    for number in (1.0, 1):
        given = {name: held.get(name, number) for name in needed}
        with contextlib.suppress(Exception):  # the user's own code may raise anything
            return type(item)(**{**given, argument: size})
    return None


def _shape(built: Any, name: str) -> tuple[int, ...]:
    return tuple(getattr(getattr(built, name, None), "shape", ()))
