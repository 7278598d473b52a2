"""From the keywords of `ldjcheck.check` to options, or what is wrong with one of them."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ldjcheck.calling.described import adapted_calls
from ldjcheck.calling.domain_text import parse_domain
from ldjcheck.conventions import convention_called, declared_domain
from ldjcheck.errors import CannotCheckError
from ldjcheck.mistakes import codes_for, ignorable_codes_for
from ldjcheck.options.table import KEYWORDS, Option, Takes
from ldjcheck.records import Context, Deadline, Domain, Options, Shape, Suppression
from ldjcheck.records.asked import Given, Oracle
from ldjcheck.targets.data import given_inputs, read_inputs

_LONGEST = 200  # characters of a value that are shown
_TYPED = re.compile(r"(?<!\S)--(?P<option>[a-z-]+)(?: (?P<value>'[^']*'|\S*[\w)]))?")
"""An option as it is typed, and what may be its value."""


def asked(keywords: Mapping[str, Any]) -> Options:
    """Return the options that keywords of `ldjcheck.check` mean; others are as usual.

    Raises:
        ValueError: one of them has a value that it cannot take.
    """
    __tracebackhide__ = True
    readers: dict[Takes, Callable[[Any], Any]] = {
        "shape": _shapes,
        "domain": _domain,
        "context": _contexts,
        "data": _inputs,
        "kwarg": _kwargs,
        "convention": _convention,
        "device": _device,
        "code": _selected,
        "ignorable": _suppressions,
        "number": _above_zero,
        "tolerance": _tolerance,
        "seconds": _timeout,
        "flag": _flag,
        "function": _oracle,
        "object": _adapter,
    }
    given = {f.name: keywords[f.name] for f in fields(Options) if f.name in keywords}
    for name, value in given.items():
        option = KEYWORDS[name]
        try:
            if option.takes == "word":
                given[name] = _word(value, option)
            elif option.takes == "count":
                given[name] = _count(value, option)
            else:
                given[name] = readers[option.takes](value)
        except ValueError as error:
            raise _error(name, value, str(error)) from None
    if given.get("inputs") is not None:  # what the layer does there is asked, as it is
        given |= {"params": "as-is", "search": 0}
    return Options(**given)


def in_python(text: str) -> str:
    """Return a text that names options as they are typed, with their keywords instead."""

    def keyword(typed: re.Match[str]) -> str:
        option = KEYWORDS.get(typed["option"].replace("-", "_"))
        if option is None or "ldjcheck " in text:  # a command, as a shell takes it
            return typed[0]
        value = _as_written(option, (typed["value"] or "").strip("'"))
        rest = "" if value or not typed["value"] else f" {typed['value']}"
        return f"{option.name}={value}{rest}"

    return _TYPED.sub(keyword, text)


def _as_written(option: Option, typed: str) -> str:
    """Return a typed value as Python writes it; nothing for what can be no value of it."""
    name, is_named, inner = typed.partition("=")
    if option.takes == "shape" and typed[:1].isdigit():
        sizes = tuple(map(int, typed.split(",")))
        return repr(sizes if len(sizes) > 1 else sizes[0])
    if option.takes in ("context", "kwarg") and is_named:
        plain = inner.isdecimal() or option.takes == "kwarg"
        return f"{{{name!r}: {inner if plain else repr(inner)}}}"
    if option.takes == "word" and typed in option.choices:
        return repr(typed)
    if option.takes == "convention" and typed:
        return repr(typed)
    if option.takes in ("code", "ignorable") and typed:
        return repr([typed])
    is_file = option.takes == "data" and typed.isupper()
    is_number = option.takes in ("count", "seconds") and typed[:1].isdigit()
    return typed if is_file or is_number else ""


def _error(name: str, value: Any, why: str) -> ValueError:
    shown = f"{name}={value!r}" if len(repr(value)) <= _LONGEST else name
    return ValueError(f"{shown}: {why.rstrip('.')}.".replace("?.", "?"))


def _word(value: Any, option: Option) -> Any:
    if value not in option.choices:
        raise ValueError(f"it is one of {', '.join(map(repr, option.choices))}")
    return value


# --- numbers -------------------------------------------------------------------------


def _count(value: Any, option: Option) -> int:
    least, most = option.least, option.most
    try:
        number = int(value.__index__())
    except AttributeError:
        number = least - 1
    if isinstance(value, bool) or not least <= number <= (most or number):
        limits = f"from {least} to {most}" if most else f"of at least {least}"
        raise ValueError(f"it is a whole number {limits}")
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


def _timeout(value: Any) -> Deadline | None:
    return None if value is None else Deadline(seconds=_above_zero(value))


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, (bool, str)) else float(value)
    except TypeError:
        return math.nan


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is True or False")
    return value


# --- shapes, domains and devices -----------------------------------------------------


def _shapes(given: Any) -> tuple[tuple[str | None, Shape], ...]:
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple((name, _shape(sizes)) for name, sizes in given.items())
    return ((None, _shape(given)),)


def _contexts(given: Any) -> tuple[Context, ...]:
    named = _by_name(given, "shapes, such as {'context': (5,)}")
    return tuple(_context(name, sizes) for name, sizes in named)


def _by_name(given: Any, wanted: str) -> tuple[tuple[str, Any], ...]:
    """Return what is given by names, or nothing."""
    named = isinstance(given or {}, Mapping)
    if not named or not all(isinstance(name, str) for name in given or {}):
        raise ValueError(f"it is a mapping of names to {wanted}")
    return tuple((given or {}).items())


def _context(name: str, given: Any) -> Context:
    """Return the context that a shape means, or a text: shape and domain, `3:positive`."""
    if not isinstance(given, str):
        return Context(name, _shape(given))
    sizes, colon, domain = given.partition(":")
    try:
        listed = [int(size) for size in sizes.strip("() ").split(",") if size.strip()]
    except ValueError:
        raise ValueError("it is a shape, or one with a domain: '3:positive'") from None
    return Context(name, _shape(listed), parse_domain(domain) if colon else None)


def _inputs(given: Any) -> Given | None:
    if not isinstance(given, str | Path):
        return None if given is None else given_inputs(given)
    try:
        return read_inputs(given)
    except CannotCheckError as error:
        raise ValueError(error.message) from None


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
    if given is None or isinstance(given, str):
        return None if given in (None, "auto") else parse_domain(given)
    found = declared_domain(given)
    if found is None:
        raise ValueError("it is a text, such as 'unit', 'int:0:255' or 'interval:-1:1'")
    return found


def _device(given: Any) -> str | None:
    import torch

    try:
        return None if given is None else str(torch.device(given))
    except (RuntimeError, TypeError):
        raise ValueError(
            "torch has no such device; it is called cuda or cuda:1"
        ) from None


# --- how it is called ----------------------------------------------------------------


def _kwargs(given: Any) -> tuple[tuple[str, Any], ...]:
    return _by_name(given, "values, such as {'scale': 2.0}")


def _convention(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("it is a name, or a description: 'f(x) -> y, ldj'")
    return convention_called(given)


def _adapter(given: Any) -> Any:
    if given is not None:
        adapted_calls(given)  # which says what one is
    return given


def _oracle(given: Any) -> Oracle | None:
    if given is not None and not callable(given):
        raise ValueError("it is a function of f and x, which returns df / dx")
    oracle: Oracle | None = given
    return oracle


# --- mistakes ------------------------------------------------------------------------


def _selected(given: Any) -> tuple[str, ...]:
    words = _words(given)
    return tuple(code for word in words for code in codes_for(word))


def _suppressions(given: Any) -> tuple[Suppression, ...]:
    words = _words(given)
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


def _words(given: Any) -> Any:
    """Return codes or names, with their reasons where they have some; None has none."""
    words = [given] if isinstance(given, str) else given or ()
    if isinstance(words, Iterable):
        words = words if isinstance(words, Mapping) else tuple(words)
        if all(isinstance(word, (str, Suppression)) for word in words):
            return words
    raise ValueError("it lists codes or names, such as ['LDJ205', 'sign-flipped']")
