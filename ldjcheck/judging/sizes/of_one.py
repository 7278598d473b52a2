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
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn

from ldjcheck.errors import CannotCheckError
from ldjcheck.holdings import reachable
from ldjcheck.judging.measurement import first_look
from ldjcheck.settling.subject import settle_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison
    from ldjcheck.settling.subject import Subject

_TRIED = 4  # arguments of a class
_MORE = 3


def built_for_one(subject: Subject, comparison: Comparison) -> Subject | None:
    """Return the subject at events of one entry, along each axis for which it was built so."""
    shape = subject.bench.shape
    wrong = any(verdict.mismatched for verdict in comparison.verdicts)
    if not wrong or subject.asked.shape or subject.bench.calls.parts:
        return None
    grown = [each for each in _grown(subject) if -each.axis <= len(shape)]
    axes = {each.axis % len(shape) for each in grown}
    one = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    if one == shape:
        return None
    for each in grown:
        if each.item is subject.layer.obj and (
            wrong_there := _wrong_with_more(subject, each)
        ):
            return wrong_there
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


def _wrong_with_more(subject: Subject, grown: _Grown) -> Subject | None:
    """Return the layer as its class builds it for more, if it is wrong there as well."""
    layer = replace(subject.layer, obj=grown.larger, rebuild=None)
    with contextlib.suppress(CannotCheckError):
        there = settle_layer(layer, subject.asked)
        if any(verdict.mismatched for verdict in first_look(there).verdicts):
            built = f"built with {grown.argument}={_MORE}, as one tells less"
            told = f"{there.bench.shape}: {built}"
            return replace(there, inferred={**there.inferred, "shape": told})
    return None


class _Grown(NamedTuple):
    """A parameter of one entry along an axis, from behind, that would have more."""

    axis: int
    item: nn.Module
    argument: str
    larger: nn.Module  # the same of its class, built for more


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
            small, large = (_built(type(item), argument, n) for n in (1, _MORE))
            for name, parameter in ones.items():
                one, more = (_shape(built, name) for built in (small, large))
                if one == tuple(parameter.shape) and len(more) == len(one):
                    for axis, sizes in enumerate(zip(one, more, strict=True)):
                        if sizes == (1, _MORE):
                            yield _Grown(axis - len(one), item, argument, large)


def _sizes(kind: type) -> Iterator[str]:
    """Yield the arguments of a class that may be sizes."""
    for parameter in inspect.signature(kind).parameters.values():
        default = parameter.default
        may_be = type(default) is int or default is parameter.empty
        if may_be and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            yield parameter.name


def _built(kind: type, argument: str, size: int) -> Any:
    try:
        return kind(**{argument: size})
    except Exception:  # the user's own code may raise anything
        return None


def _shape(built: Any, name: str) -> tuple[int, ...]:
    return tuple(getattr(getattr(built, name, None), "shape", ()))
