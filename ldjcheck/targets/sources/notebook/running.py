"""Running the chosen statements of a notebook or script, and saying what ran and not."""

import __future__ as futures

import ast
import builtins
import linecache
import os
import re
import socket
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.sources import Source, command, respelled
from ldjcheck.targets.sources.notebook.document import (
    MAGIC_CALL,
    Cell,
    Names,
    Statement,
    names_in,
)
from ldjcheck.targets.sources.notebook.slicing import (
    Blocked,
    Left,
    Notebook,
    Part,
    Slice,
)


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


# --- what is said of a run ------------------------------------------------------------

_NAMED = 5  # names of statements that are listed


def refuse_unknown(
    needs: Names, notebook: Notebook, cells: tuple[Cell, ...], source: Source, expr: str
) -> None:
    """Raise LDJ002 for a needed name that nothing in the notebook binds."""
    if any(names.imports_all for names in notebook.names):
        return  # it may come from there
    for name in sorted(needs.reads):
        index = notebook.deleter(name)
        is_bound = bool(notebook.binders(name)) and index is None
        if is_bound or hasattr(builtins, name):
            continue
        message = f"There is no {name} in {source.name}."
        own = re.escape(name)
        pattern = re.compile(rf"^\s*((class|def)\s+{own}\b|{own}\s*=)", re.MULTILINE)
        may_bind = [cell for cell in cells if pattern.search(cell.text)]
        broken = [line for cell in may_bind for line in _broken(cell)]
        if index is not None:
            evidence: tuple[str, ...] = (
                f"{notebook.statements[index].place} deletes it.",
            )
        elif broken:
            evidence = tuple(broken)
        else:
            evidence = respelled(expr, name, notebook.bound, source)
            if not evidence and source.layers:
                evidence = (f"It has: {', '.join(source.layers[:6])}",)
        raise CannotCheckError("LDJ002", message, evidence)


def refuse_blocked(needs: Names, cut: Slice, source: Source) -> None:
    """Raise LDJ002 for a needed name that only a statement binds which is not run."""
    for blocked in cut.blocked:
        if binds_needed(blocked, needs):
            names = sorted(blocked.names & needs.reads)
            statement = blocked.statement
            line = _first_line(statement.node)
            raise CannotCheckError(
                "LDJ002",
                f"{names[0]} exists only after {statement.place}, which I do not run.",
                (
                    f"  {line}",
                    f"That statement {blocked.why}.",
                    "Name what it starts from instead, such as a class or a call:",
                    *(
                        f"  {command(source.name, each)}"
                        for each in source.layers[:2] or ("NAME",)
                    ),
                ),
            )


def binds_needed(blocked: Blocked, needs: Names) -> bool:
    """Return whether a needed name is bound by this statement, which is not run."""
    is_for_it = bool(blocked.names & needs.reads)
    return is_for_it and bool(needs.reads & _bound(blocked.statement.node))


def notes(
    cut: Slice, skipped: Sequence[Left], count: int, what: str
) -> tuple[str, ...]:
    """Return what was run of a notebook or a file, and what was tried in vain."""
    ran = [part for part in cut.parts if part not in [each for each, _ in skipped]]
    imports = any(isinstance(p.node, (ast.Import, ast.ImportFrom)) for p in ran)
    names = ["imports"] if imports else []
    names += dict.fromkeys(
        name
        for part in ran
        if not isinstance(part.node, (ast.Import, ast.ImportFrom))
        for name in _shown(part)
    )
    if len(names) > _NAMED:
        names[_NAMED:] = [f"{len(names) - _NAMED} more"]
    listed = f" ({', '.join(names)})" if names else ""
    if len(ran) == count:
        text = f"I ran every statement of the {what}{listed}."
    else:
        statements = "1 statement" if len(ran) == 1 else f"{len(ran)} statements"
        text = f"I ran {statements} of the {what}{listed} and skipped the rest: "
        text += "no data was downloaded, nothing was trained."
    lines = textwrap.wrap(text, 76, break_long_words=False)
    for part, why in skipped:
        line = _first_line(part.node)
        lines += textwrap.wrap(f"{part.statement.place}, {line}, {why}", 76)
    for blocked in cut.blocked:
        wanted = ", ".join(sorted(blocked.names))
        text = f"Not run: {blocked.statement.place}, for {wanted}: it {blocked.why}."
        lines += textwrap.wrap(text, 76)
    return tuple(lines)


def _shown(part: Part) -> list[str]:
    own = _bound(part.node)
    return sorted(part.names & own) or sorted(part.names - {"sys.path"})


def _bound(node: ast.stmt) -> set[str]:
    return set(names_in(node).binds)


def _first_line(node: ast.AST) -> str:
    """Return the first line of a statement, a shell command as it was written."""
    line = ast.unparse(node).splitlines()[0]
    return re.sub(rf"{MAGIC_CALL}\(['\"](.*)['\"]\)$", r"!\1", line)


def _broken(cell: Cell) -> list[str]:
    if cell.fault is None:
        return []
    line = cell.fault.lineno or 1
    text = (cell.text.splitlines() or [""])[min(line, cell.text.count("\n") + 1) - 1]
    return [
        f"cell {cell.number} seems to have it, but is no Python:",
        f"  line {line}: {text.strip()}",
        f"  {cell.fault.msg}",
    ]
