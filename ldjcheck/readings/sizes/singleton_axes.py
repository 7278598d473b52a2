"""Layers that are built for one channel, or one dim, and would have more parameters for more.

A scale of shape `(dim,)` is spread over all entries where `dim` is 1, as one scale for all
is; but it is meant for one. Which of both it is tells the class: built for three it has
three. What is counted once, or averaged, shows there alone.
"""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import replace
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn

from ldjcheck.errors import CannotCheckError
from ldjcheck.holdings import by_name, reachable
from ldjcheck.judging.measurement import first_look
from ldjcheck.settling.subject import settle_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison
    from ldjcheck.settling.subject import Subject

_TRIED = 4  # arguments of a class
_MORE = 3


def built_for_one(subject: Subject, comparison: Comparison) -> Subject | None:
    """Return the subject at events of one entry, along each axis for which it was built so.

    Or as its class builds it for more, where it is wrong there: of one dim alone a mean is
    the sum, and what is right says little.
    """
    shape, wrong = subject.bench.shape, _is_wrong(comparison)
    tells = wrong or all(prod(s) == 1 for s in comparison.measurement.shapes)
    if not tells or subject.asked.shape or subject.bench.calls.parts:
        return None
    grown = list(_grown(subject))
    for each in grown:
        is_whole = each.item is subject.layer.obj
        with_more = _look(subject, each.larger)
        if with_more is not None and is_whole and _is_wrong(with_more.comparison):
            told = f"{with_more.subject.bench.shape}: {each.built}, as one tells less"
            return replace(
                with_more.subject,
                inferred={**with_more.subject.inferred, "shape": told},
            )
        if not wrong:
            continue
        is_right = with_more is not None and _is_right(with_more.comparison)
        # A part that is no layer by itself tells nothing.
        if not is_right and (is_whole or _look(subject, each.item) is not None):
            return None
        if with_more is not None and is_whole:
            shape = with_more.subject.bench.shape
    axes = {each.axis % len(shape) for each in grown if -each.axis <= len(shape)}
    one = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    if not wrong or not axes or one == subject.bench.shape:
        return None
    with contextlib.suppress(CannotCheckError):
        there = settle_layer(
            subject.layer, replace(subject.asked, shape=((None, one),))
        )
        told = f"{one}: it is built for one there, and has more parameters for more"
        others = (s for s in there.others if len(s) == len(one))
        return replace(
            there,
            asked=subject.asked,
            others=tuple(s for s in others if all(s[axis] == 1 for axis in axes)),
            inferred={**there.inferred, "shape": told},
        )
    return None


class _Looked(NamedTuple):
    """A layer of which one look is had, at a shape of its own."""

    subject: Subject
    comparison: Comparison


def _look(subject: Subject, item: nn.Module) -> _Looked | None:
    """Return how the values of an object agree at first; None where it cannot be called."""
    layer = replace(subject.layer, obj=item, rebuild=None)
    with contextlib.suppress(CannotCheckError):
        there = settle_layer(layer, subject.asked)
        return _Looked(there, first_look(there))
    return None


def _is_wrong(comparison: Comparison) -> bool:
    return any(verdict.mismatched for verdict in comparison.verdicts)


def _is_right(comparison: Comparison) -> bool:
    known = [verdict for verdict in comparison.verdicts if verdict.usable]
    return bool(known) and all(not v.mismatched and v.form is None for v in known)


class _Grown(NamedTuple):
    """A parameter of one entry along an axis, from behind, that would have more."""

    axis: int
    item: nn.Module
    larger: nn.Module  # the same of its class, built for more
    built: str  # how


def _grown(subject: Subject) -> Iterator[_Grown]:
    """Yield the parameters of one entry that would have more, where more were asked for."""
    for item in reachable(subject.layer.obj):
        if not isinstance(item, nn.Module) or type(item).__module__.startswith(
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
