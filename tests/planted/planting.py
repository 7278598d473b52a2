"""Put an edited function in the place of the right one, for a while.

The edited text of the whole file goes into a temporary copy of it; the one function is
compiled from there and its code object is swapped in. Globals, closure, defaults and
class stay what they are, every reference to the function sees the mistake, and a
traceback shows the copy, whose lines are those of the original.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import linecache
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .edits import Edit, apply_edits
from .source import Function, FunctionNode, SourceFile, source_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FunctionType, ModuleType


def outermost(function: Function) -> tuple[str, ...]:
    """Return the path of names to the function that holds the edited code."""
    names: list[str] = []
    node: ast.AST = function.node
    while node in function.file.parents:
        if isinstance(node, FunctionNode):
            names = [node.name]  # what is inside a function has no name outside
        elif isinstance(node, ast.ClassDef):
            names.insert(0, node.name)
        node = function.file.parents[node]
    return tuple(names)


def module_file(module: str) -> SourceFile:
    """Return the right source of a module."""
    path = _module(module).__file__
    assert path is not None
    return source_file(path)


def _module(name: str) -> ModuleType:
    from . import builders  # noqa: F401 - loads the examples under names of their own

    return sys.modules.get(name) or importlib.import_module(name)


def short_path(path: str) -> str:
    """Return the part of a path that a library's file has on every machine."""
    parts = Path(path).parts
    if "site-packages" in parts:
        return "/".join(parts[len(parts) - parts[::-1].index("site-packages") :])
    return "/".join(parts[-2:])


@contextmanager
def edited(
    module: str, names: tuple[str, ...], edits: tuple[Edit, ...]
) -> Iterator[str]:
    """Make one function of `module` wrong inside the `with`; give the copy's path."""
    file = module_file(module)
    text = apply_edits(file, edits)
    function = _live_function(module, names)
    right = function.__code__
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        path = Path(folder) / "site-packages" / short_path(file.path)
        path.parent.mkdir(parents=True)
        path.write_bytes(text)
        wrong = _find_code(compile(text, str(path), "exec"), right)
        function.__code__ = wrong
        try:
            yield str(path)
        finally:
            function.__code__ = right
            linecache.cache.pop(str(path), None)


def _live_function(module: str, names: tuple[str, ...]) -> FunctionType:
    found: Any = _module(module)
    for name in names:
        found = vars(found)[name]
    for attribute in ("fget", "__func__", "wrapped"):
        found = getattr(found, attribute, None) or found
    found = inspect.unwrap(found)
    assert inspect.isfunction(found), f"{module}: {'.'.join(names)} is no function"
    return found


def _find_code(code: CodeType, right: CodeType) -> CodeType:
    stack = [code]
    while stack:
        current = stack.pop()
        same_place = current.co_firstlineno == right.co_firstlineno
        if current.co_name == right.co_name and same_place:
            return current
        stack += [c for c in current.co_consts if inspect.iscode(c)]
    raise LookupError(right.co_name)
