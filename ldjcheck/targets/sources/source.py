"""What a source is: names to evaluate an expression in, and a way to obtain them."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source that has been run, ready for expressions."""

    name: str  # as the user typed it
    namespace: dict[str, Any]
    module: str | None = None  # the name its own definitions carry as `__module__`
    file: Path | None = None  # its Python text, when it has one
    known: tuple[str, ...] = ()  # names that it could give, when not all are there
    layers: tuple[str, ...] = ()  # those that look like layers, likewise
    notes: tuple[str, ...] = ()  # what of it was run, and what not


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """A source that was run as a whole, with the statements that define its own names."""

    source: Source
    statements: tuple[ast.stmt, ...]
    troubles: Mapping[str, str] = field(default_factory=dict)  # name: why it is absent
    borrowed: tuple[str, ...] = ()  # imported names that count as its own


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """One kind of source, such as a Python file.

    `load(name, wanted)` runs the source, or what the wanted expressions need of it, and
    returns its names. It raises `CannotCheckError` with LDJ001 when the source is missing
    or raises by itself. `explore(name)` runs all that may be a layer.
    """

    name: str
    accepts: Callable[[str], bool]
    load: Callable[[str, Sequence[str]], Source]
    explore: Callable[[str], Grounds]


HERE = "this session"
"""The source of what is typed into a running Python."""


def command(source: str, expr: str) -> str:
    """Return what to type to check `expr` of `source`, quoted for a shell."""
    if source == HERE:
        return f"%ldjcheck {expr}"
    return f"ldjcheck {shlex.quote(f'{source}:{expr}')}"
