"""Where the layer of a target is defined, read from its source without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

from ldjcheck.targets.ahead import file_of_module

_HOPS = 4  # through how many `from ... import` a name is followed


class Place(NamedTuple):
    """A line of a file, counted from 0 as pytest does; None: the file as a whole."""

    file: Path
    line: int | None = None


def find_place(source: str, expr: str | None, root: Path) -> Place | None:
    """Return where the first name of a target's expression is defined, if that is seen.

    `source` is a file, relative to `root`, or a dotted module.
    """
    file = _file_of(source, root)
    if file is None:
        return None
    name = _first_name(expr)
    return Place(file) if name is None else _definition(file, name, root, _HOPS)


def _file_of(source: str, root: Path) -> Path | None:
    path = root / source
    if path.is_file():
        return path
    is_dotted = all(part.isidentifier() for part in source.split("."))
    return file_of_module(source, root) if is_dotted else None


def _first_name(expr: str | None) -> str | None:
    """Return the name with which the expression starts: `Flow` of `Flow().layers[2]`."""
    try:
        node: ast.AST = ast.parse((expr or "").strip(), mode="eval").body
    except SyntaxError:
        return None
    while not isinstance(node, ast.Name):
        inner = getattr(node, "func", None) or getattr(node, "value", None)
        if not isinstance(inner, ast.AST):
            return None
        node = inner
    return node.id


def _definition(file: Path, name: str, root: Path, hops: int) -> Place:
    """Return the line that defines a name, in this file or in one it comes from."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):  # running it will tell what is wrong
        return Place(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and hops:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    there = _imported_from(node, file, root)
                    if there is not None:
                        return _definition(there, alias.name, root, hops - 1)
        elif name in _defined(node):
            return Place(file, node.lineno - 1)  # type: ignore[attr-defined]
    return Place(file)


def _defined(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return (node.name,)
    if isinstance(node, ast.Assign):
        return tuple(t.id for t in node.targets if isinstance(t, ast.Name))
    return ()


def _imported_from(node: ast.ImportFrom, file: Path, root: Path) -> Path | None:
    if not node.level:
        return _file_of(node.module or "", root)
    folder = file.parents[node.level - 1]
    below = folder.joinpath(*(node.module or "").split("."))
    for path in (below.with_suffix(".py"), below / "__init__.py"):
        if path.is_file():
            return path
    return None
