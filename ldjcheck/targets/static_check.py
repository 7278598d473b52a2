"""What the text of a target tells before it is run: what is wrong, and what it imports.

A misspelt name is told at once: nobody waits for torch to learn of it.
"""

import ast
import builtins
import importlib.machinery
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ldjcheck.calling.parameter_names import CALLS, is_loss, unit_of_method
from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.expression import missing_name, parsed
from ldjcheck.targets.load import kind_of
from ldjcheck.targets.sources import (
    Source,
    bound_by,
    file,
    module,
    notebook,
    own_names,
    parse_target,
)

_GIVEN = {"__name__", "__file__", "__doc__", "__spec__", "__loader__", "__builtins__"}
_DYNAMIC = {"exec", "eval", "globals", "locals", "vars", "setattr", "__import__"}
"""Names whose use may bind further names, which the text does not show."""


def trouble_ahead(text: str) -> CannotCheckError | None:
    """Return why a target cannot be loaded, as far as its text tells; else None."""
    try:
        target = parse_target(text)
        kind_of(target.source)
        if notebook.accepts(target.source):
            wanted = [] if target.expr is None else [target.expr]
            notebook.glance(target.source, wanted)
            return None
        source = glance(target.source)
        if source is None or source.file is None or target.expr is None:
            return None
        missing = next(iter(_unbound(target.expr, source)), None)
    except CannotCheckError as error:
        return error
    is_package = source.file.stem == "__init__"  # whose modules become names of it
    if missing is None or (is_package and not source.layers):
        return None
    own = own_names(ast.parse(source.file.read_bytes()).body)
    return missing_name(missing, target.expr, replace(source, known=tuple(own)))


def glance(name: str) -> Source | None:
    """Return a file or module with the names that its text binds; None where that hides.

    Raises:
        CannotCheckError: LDJ001, when the file is missing or cannot be read as Python.
    """
    if not file.accepts(name):
        if module.accepts(name):
            module.refuse_missing(name)
        path = file_of_module(name)
        return None if path is None else _names_of(name, path)
    path = Path(os.path.expanduser(name)).absolute()
    file.parsed(name, path)
    return _names_of(name, path)


def file_of_module(name: str, root: Path | None = None) -> Path | None:
    """Return the file of a dotted module, found without importing any package of it.

    It is looked for in `root`, or the current folder, and among what is installed.
    """
    places = [str(root or Path.cwd()), *sys.path]
    origin = None
    for part in name.split("."):  # a folder asks for the package that a dot stands for
        spec = importlib.machinery.PathFinder.find_spec(part, places)
        if spec is None:
            return None
        origin, places = spec.origin, list(spec.submodule_search_locations or ())
    return Path(origin) if origin and origin.endswith(".py") else None


def _names_of(name: str, path: Path) -> Source | None:
    """Return what a file's text binds anywhere in it; None where it may bind more."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    if any(getattr(statement, "name", "") == "__getattr__" for statement in tree.body):
        return None
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _DYNAMIC:
            return None
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.modules":
            return None
        if isinstance(node, ast.alias) and node.name in ("*", "modules"):
            return None
        names |= dict.fromkeys(bound_by(node))
    layers = [s.name for s in tree.body if isinstance(s, ast.ClassDef) and _is_run(s)]
    return Source(
        name=name, namespace={}, known=tuple(names), layers=tuple(layers), file=path
    )


def _is_run(node: ast.ClassDef) -> bool:
    return not node.name.startswith("_") and any(
        isinstance(inner, ast.FunctionDef)
        and (inner.name in CALLS or unit_of_method(inner.name) is not None)
        and not is_loss(inner.name)
        for inner in node.body
    )


def _unbound(expr: str, source: Source) -> Iterable[str]:
    """Yield the names that an expression reads, and neither it nor the source binds."""
    tree = parsed(expr, source)
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    for node in names:
        is_known = node.id in own or node.id in source.known
        if not is_known and not hasattr(builtins, node.id) and node.id not in _GIVEN:
            yield node.id


# --- the files that a target is made of -----------------------------------------------


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
