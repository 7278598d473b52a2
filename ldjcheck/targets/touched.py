"""The files that a target is made of: its own, and what that imports of the user's."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.ahead import file_of_module
from ldjcheck.targets.sources import file, module, notebook
from ldjcheck.targets.sources.source import parse_target


def files_of(target: str) -> frozenset[Path]:
    """Return the files whose change may change what comes of a target.

    Imports are followed by their text, as far as they lead to files beside the source, in
    a folder above it, or in the current one.
    """
    try:
        source = parse_target(target).source
    except CannotCheckError:
        return frozenset()
    start: Path | None = None
    if file.accepts(source) or notebook.accepts(source):
        start = Path(os.path.expanduser(source))
    elif source.replace(".", "_").isidentifier():
        start = file_of_module(source)
    seen: set[Path] = set()
    waiting = [] if start is None else [start.absolute()]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += _imported(path)
    return frozenset(seen)


def source_file(target: str) -> Path | None:
    """Return the Python file that a target's source is; None where the user has none.

    What is installed is its authors', and a notebook is no Python.
    """
    try:
        source = parse_target(target).source
    except CannotCheckError:
        return None
    named = file.accepts(source)
    found = Path(os.path.expanduser(source)) if named else module.file_of(source)
    return None if found is None or not os.path.isfile(found) else found.absolute()


def _imported(path: Path) -> Iterator[Path]:
    here = Path.cwd()
    folders = [path.parent, *(up for up in path.parents if here in (up, *up.parents))]
    for name, level in _names(path):
        up = min(level, len(path.parents)) - 1
        base = folders if level == 0 else [path.parents[up]]
        for folder in dict.fromkeys((*base, *([here] if level == 0 else ()))):
            stem = folder.joinpath(*name.split(".")) if name else folder
            for found in (stem.with_suffix(".py"), stem / "__init__.py"):
                if os.path.isfile(found):
                    yield found.absolute()


def _names(path: Path) -> Iterator[tuple[str, int]]:
    """Yield what a file imports: dotted names, and how many packages up they begin."""
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module, node.level
            for alias in node.names:  # which may be modules of it
                yield f"{module}.{alias.name}".strip("."), node.level


def _nodes(path: Path) -> Iterable[ast.AST]:
    try:
        if notebook.accepts(path.name):
            return [n for each in notebook.statements(path) for n in ast.walk(each)]
        return list(ast.walk(ast.parse(path.read_bytes())))
    except (OSError, SyntaxError, ValueError, CannotCheckError):
        return []  # it tells so itself when it is checked
