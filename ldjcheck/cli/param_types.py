"""What options take: typed text becomes a value, or a message says what was expected.

Registers of rules, formats and conventions are asked only when an option names one:
help must not wait for them.
"""

from __future__ import annotations

import ast
import math
import os
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ldjcheck.records import Context, Domain, Shape

if TYPE_CHECKING:
    from ldjcheck.report import Format

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic for type checkers only, in older versions


class Text(_ParamType):
    """A type given by a function from text to value, which raises ValueError.

    `expected` completes the sentence "'abc' is not ...".
    """

    def __init__(self, name: str, expected: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self.expected = expected
        self.read = read

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Return the value that the text means; a default passes as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self.read(value)
        except ValueError as error:
            why = str(error) if isinstance(error, _ReasonError) else ""
            told = f"{value!r} is not {self.expected}"
            self.fail(f"{told}: {why}" if why else f"{told}.", param, ctx)


class _ReasonError(ValueError):
    """A reason worth showing; a plain ValueError's text is Python's, not the user's."""


# --- shapes and names ----------------------------------------------------------------


def _shape(text: str) -> Shape:
    if text.strip() == "()":  # one number is an event, too
        return ()
    inner = text.strip().strip("()[]").strip().removesuffix(",")
    sizes = tuple(int(size) for size in re.split(r"\s*[,x]\s*|\s+", inner))
    if min(sizes) < 1:
        raise ValueError
    return sizes


def _named_shape(text: str) -> tuple[str | None, Shape]:
    name, equals, shape = text.rpartition("=")
    return (_identifier(name) if equals else None), _shape(shape)


def _context(text: str) -> Context:
    shape, colon, domain = text.partition(":")
    name, sizes = _named_shape(shape)
    if name is None:
        raise ValueError
    return Context(name, sizes, _domain(domain) if colon else None)


def _data(text: str) -> Path:
    path = Path(os.path.expanduser(text))
    if os.path.isfile(path):
        return path
    near = get_close_matches(path.name, [p.name for p in path.parent.glob("*")], n=1)
    raise _ReasonError(f"did you mean {near[0]}?" if near else "there is none.")


def _kwarg(text: str) -> tuple[str, str]:
    name, equals, expr = text.partition("=")
    if not equals:
        raise ValueError
    try:
        ast.parse(expr.strip(), mode="eval")
    except SyntaxError as error:
        raise _ReasonError(f"{expr!r} is no expression ({error.msg}).") from None
    return _identifier(name), expr.strip()


def _identifier(name: str) -> str:
    if not name.strip().isidentifier():
        raise _ReasonError(f"{name!r} is no name.")
    return name.strip()


# --- numbers -------------------------------------------------------------------------


def _tolerance(text: str) -> float:
    if not 0 <= (number := float(text)) < math.inf:
        raise ValueError
    return number


def _positive(text: str) -> float:
    if not 0 < (number := float(text)) < math.inf:
        raise ValueError
    return number


def _domain(text: str) -> Domain | None:
    if text == "auto":
        return None
    from ldjcheck.calling.domain_text import parse_domain

    return parse_domain(text)


def _device(text: str) -> str:
    import torch

    try:
        torch.device(text)
    except RuntimeError:
        raise ValueError from None
    return text


# --- what stands in registers --------------------------------------------------------


def _convention(text: str) -> str:
    if text == "auto":
        return text
    from ldjcheck.conventions import convention_called  # which loads torch

    try:
        return convention_called(text)
    except ValueError as error:
        raise _ReasonError(f"{error}.".replace("?.", "?")) from None


def _codes(text: str) -> tuple[str, ...]:
    from ldjcheck.mistakes import codes_for

    try:
        return codes_for(text)
    except ValueError as error:
        raise _ReasonError(str(error)) from None


def _ignorable(text: str) -> tuple[str, ...]:
    from ldjcheck.mistakes import ignorable_codes_for

    try:
        return ignorable_codes_for(text)
    except ValueError as error:
        raise _ReasonError(str(error)) from None


def _format(text: str) -> tuple[Format, Path | None]:
    from ldjcheck.report import FORMATS

    name, equals, file = text.partition("=")
    formats = {each.name: each for each in FORMATS}
    found = formats[_one_of(formats, name, f"known are {', '.join(formats)}.")]
    if not equals:
        return found, None
    path = Path(os.path.expanduser(file))
    if not file or os.path.isdir(path) or not os.path.isdir(path.parent):
        raise _ReasonError(f"no file {file!r} can be written.")
    return found, path


def _picture(text: str) -> Path:
    path = Path(os.path.expanduser(text))
    if path.suffix.lower() not in _PICTURES:
        raise _ReasonError(f"its name ends in {', '.join(_PICTURES)}.")
    if os.path.isdir(path) or not os.path.isdir(path.parent):
        raise _ReasonError(f"no file {text!r} can be written.")
    return path


def _one_of(names: Iterable[str], name: str, hint: str) -> str:
    """Return `name` if it is one of `names`; else say what it may have been."""
    names = list(names)
    if name in names:
        return name
    near = get_close_matches(name, names, n=1)
    raise _ReasonError(f"did you mean {near[0]}?" if near else hint)


_PICTURES = (".png", ".svg", ".pdf")


class _Target(_ParamType):
    """A target, which a shell completes as the name of a file."""

    name = "target"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Leave it to the shell."""
        return [CompletionItem(incomplete, type="file")]


TARGET = _Target()
SHAPE = Text(
    "shape", "an event shape such as 1,4,4 (a named input: x=1,4,4)", _named_shape
)
CONTEXT = Text("context", "NAME=SHAPE, such as context=5 or t=4:positive", _context)
DATA = Text("file", "a file that can be read", _data)
KWARG = Text("kwarg", "NAME=EXPR, such as scale=2.0", _kwarg)
TOLERANCE = Text("tolerance", "a finite number of at least 0", _tolerance)
POSITIVE = Text("number", "a finite number above 0", _positive)
DOMAIN = Text(
    "domain",
    "one of auto, real, unit, positive, int:LOW:HIGH, interval:LOW:HIGH",
    _domain,
)
DEVICE = Text("device", "a device of torch, such as cuda or cuda:1", _device)
CONVENTION = Text("convention", "a convention", _convention)
CODES = Text("codes", "a code or the name of a mistake", _codes)
IGNORABLE = Text("codes", "a mistake that can be ignored", _ignorable)
FORMAT = Text("format", "an output format", _format)
PICTURE = Text("file", "a file for pictures", _picture)
