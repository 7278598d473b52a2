"""Running the chosen statements of a notebook or a script, with nothing else."""

from __future__ import annotations
import __future__ as futures

import ast
import linecache
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from ldjcheck.targets.sources.notebook.document import Cell, Statement
from ldjcheck.targets.sources.notebook.slicing import Left, Part


def remember_lines(cells: tuple[Cell, ...]) -> None:
    """Give Python the lines of all cells, for tracebacks and `inspect.getsource`."""
    for cell in cells:
        lines = cell.text.splitlines(keepends=True)
        linecache.cache[cell.file] = (len(cell.text), None, lines, cell.file)


def run_parts(
    parts: tuple[Part, ...], path: Path, flags: int
) -> tuple[dict[str, Any], list[Left]]:
    """Return the names that the parts bind, run from top to bottom, and what is left out.

    The notebook's own folder is the current one meanwhile, as in Jupyter.
    """
    namespace: dict[str, Any] = {
        "__builtins__": __builtins__,
        "display": _ignore,
        "get_ipython": _ignore,
    }
    modules: dict[str, ModuleType] = {}
    left: list[Left] = []
    with _in_folder(path.parent), _without_network():
        for part in parts:
            cell = part.statement.cell
            name = f"{path.stem}_cell{cell.number}"
            if name not in modules:
                modules[name] = sys.modules[name] = _module(name, cell.file)
            namespace["__name__"], namespace["__file__"] = name, cell.file
            left += _run_part(part, _as_main(part.node), namespace, flags)
    own = {name: value for name, value in namespace.items() if name[:2] != "__"}
    for module in modules.values():
        vars(module).update(own)  # what looks for a class in its module finds it
    return namespace, left


def run_in_module(
    parts: tuple[Part, ...], module: ModuleType, flags: int
) -> list[Left]:
    """Run the parts of a script in its module, as an import of it would.

    Returns what is left out.
    """
    with _without_network():
        tried = [_run_part(part, part.node, vars(module), flags) for part in parts]
    return [each for some in tried for each in some]


def _run_part(
    part: Part, node: ast.stmt, namespace: dict[str, Any], flags: int
) -> list[Left]:
    """Run a part, or return that it is left out: it raises, and is not vital."""
    file = part.statement.cell.file
    try:
        exec(compile(ast.Module([node], []), file, "exec", flags, True), namespace)
    except (Exception, SystemExit) as error:
        if part.is_vital:
            raise
        return [(part, f"raised {type(error).__name__}: {error}")]
    return []


def future_flags(statements: tuple[Statement, ...]) -> int:
    """Return the compiler flags of all `from __future__` imports of the notebook."""
    flags = 0
    for statement in statements:
        node = statement.node
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                feature = getattr(futures, alias.name, None)
                flags |= getattr(feature, "compiler_flag", 0)
    return flags


def _module(name: str, file: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = file
    return module


def _ignore(*_: Any, **__: Any) -> None:
    """Stand in for what only a notebook's front end has."""


def _as_main(node: ast.stmt) -> ast.stmt:
    """Return the statement with `__name__` as Jupyter has it."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node  # its `__name__` says where it was defined
    renamed: ast.stmt = _Main().visit(node)
    return renamed


class _Main(ast.NodeTransformer):
    """Put a string where the name of the module is read."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == "__name__":
            return ast.copy_location(ast.Constant("__main__"), node)
        return node


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _without_network() -> Iterator[None]:
    """Refuse connections: what downloads without looking like it then raises."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise PermissionError("a check of this source does not use the network")

    names = socket.getaddrinfo
    socket.getaddrinfo = refuse
    socket.socket.connect = refuse  # type: ignore[method-assign]  # put back below
    try:
        yield
    finally:
        socket.getaddrinfo = names
        del socket.socket.connect  # the C method that it hides shows again
