"""From the keywords of `ldjcheck.check` to options, or what is wrong with one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ldjcheck.conventions import convention_called
from ldjcheck.domains import parse_domain
from ldjcheck.records import CHOICES, Options, Suppression
from ldjcheck.rules.choosing import codes_for, ignorable_codes_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.records import Domain, Shape

_LARGEST_SEED = 2**32 - 1  # what NumPy takes
_COUNTS = {"batch": 1, "dims_limit": 1, "search": 0, "seed": 0}  # and the least of each


def asked(keywords: Mapping[str, Any]) -> Options:
    """Return the options that the keywords of `ldjcheck.check` mean.

    Raises:
        ValueError: one of them has a value that it cannot take.
    """
    __tracebackhide__ = True
    given = {f.name: keywords[f.name] for f in fields(Options) if f.name in keywords}
    for name, choices in CHOICES.items():
        if given[name] not in choices:
            raise _error(name, given[name], f"it is one of {_listed(choices)}")
    for name, least in _COUNTS.items():
        given[name] = _count(name, given[name], least)
    readers: dict[str, Callable[[Any], Any]] = {
        "shape": _shapes,
        "domain": _domain,
        "context": _contexts,
        "kwarg": lambda named: tuple((named or {}).items()),
        "convention": convention_called,
        "device": _device,
        "select": _selected,
        "ignore": _suppressions,
        "params_scale": _above_zero,
        "atol": _tolerance,
        "rtol": _tolerance,
    }
    for name, read in readers.items():
        try:
            given[name] = read(given[name])
        except ValueError as error:
            raise _error(name, keywords[name], str(error)) from None
    return Options(**given)


def _error(name: str, value: Any, why: str) -> ValueError:
    return ValueError(f"{name}={value!r}: {why.rstrip('.')}.".replace("?.", "?"))


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words))


# --- numbers -------------------------------------------------------------------------


def _count(name: str, value: Any, least: int) -> int:
    __tracebackhide__ = True
    try:
        number = int(value.__index__())
    except AttributeError:
        number = least - 1
    most = _LARGEST_SEED if name == "seed" else number
    if isinstance(value, bool) or not least <= number <= most:
        limits = f"from {least} to {most}" if name == "seed" else f"of at least {least}"
        raise _error(name, value, f"it is a whole number {limits}")
    return number


def _above_zero(value: Any) -> float:
    if not 0 < (number := _number(value)) < math.inf:
        raise ValueError("it is a finite number above 0")
    return number


def _tolerance(value: Any) -> float | None:
    if value is None:
        return None
    if not 0 <= (number := _number(value)) < math.inf:
        raise ValueError("it is a finite number of at least 0")
    return number


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, (bool, str)) else float(value)
    except TypeError:
        return math.nan


# --- shapes, domains and devices -----------------------------------------------------


def _shapes(given: Any) -> tuple[tuple[str | None, Shape], ...]:
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple((name, _shape(sizes)) for name, sizes in given.items())
    return ((None, _shape(given)),)


def _contexts(given: Any) -> tuple[tuple[str, Shape], ...]:
    if not isinstance(given or {}, Mapping):
        raise ValueError(
            "it is a mapping of names to shapes, such as {'context': (5,)}"
        )
    return tuple((name, _shape(sizes)) for name, sizes in (given or {}).items())


def _shape(sizes: Any) -> Shape:
    """Return an event shape; one number is the size of a vector, as for torch."""
    if hasattr(sizes, "__index__"):
        sizes = (sizes,)
    try:
        shape = tuple(size.__index__() for size in sizes)
    except (AttributeError, TypeError):
        shape = (0,)
    if min(shape, default=1) < 1:
        raise ValueError("an event shape is (4,) or (1, 4, 4), without the batch")
    return shape


def _domain(given: Any) -> Domain | None:
    return None if given in (None, "auto") else parse_domain(given)


def _device(given: Any) -> str | None:
    import torch

    try:
        return None if given is None else str(torch.device(given))
    except (RuntimeError, TypeError):
        raise ValueError(
            "torch has no such device; it is called cuda or cuda:1"
        ) from None


# --- mistakes ------------------------------------------------------------------------


def _selected(given: Any) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else given
    return tuple(code for word in words for code in codes_for(word))


def _suppressions(given: Any) -> tuple[Suppression, ...]:
    words = [given] if isinstance(given, str) else given
    found = []
    for word in words:
        if isinstance(word, Suppression):  # as a project's settings say it
            found.append(word)
            continue
        codes = ignorable_codes_for(word)
        reason = words[word] if isinstance(words, Mapping) else "as you said"
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"give the reason: {{{word!r}: 'why'}}")
        found += [
            Suppression(code=code, reason=reason, expected=len(codes) == 1)
            for code in codes
        ]
    return tuple(found)
