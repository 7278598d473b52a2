"""What the text of a submission holds, found without running any of it."""

import ast
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ldjcheck.targets.sources import own_names
from ldjcheck.targets.sources.notebook.document import NotANotebookError, read_cells

_MOST_FUNCTIONS = 300
_LONGEST = 6000  # characters of one function's text

_ODD_MODULES = frozenset(
    {
        "ldjcheck", "gc", "ctypes", "socket", "subprocess", "multiprocessing", "signal",
        "builtins", "importlib", "inspect", "pickle", "runpy", "mmap", "resource",
    }
)  # fmt: skip
_ODD_CALLS = frozenset(
    {"exec", "eval", "compile", "__import__", "globals", "breakpoint"}
)
_ODD_ATTRIBUTES = frozenset(
    {
        "_exit", "kill", "killpg", "fork", "forkpty", "system", "popen", "execv", "execve",
        "settrace", "setprofile", "_getframe", "_current_frames",
        "addaudithook", "__subclasses__", "__globals__", "__builtins__", "__code__",
        "__closure__", "f_back", "f_globals", "f_locals", "import_module",
    }
)  # fmt: skip


def look(files: Sequence[str]) -> dict[str, Any]:
    """Return what each Python file and notebook defines, by its path.

    `names` stand at its left margin; `functions` have their text, and a form in which
    names of one's own, remarks and annotations no longer count; `odd` says what a layer
    has no need of, and one that means to deceive might; `fault` why it is no Python.
    """
    return {file: _looked_at(file) for file in files}


def _looked_at(file: str) -> dict[str, Any]:
    names: list[str] = []
    functions: list[dict[str, Any]] = []
    odd: list[str] = []
    fault = None
    try:
        for cell, text in _texts(file):
            try:
                tree = ast.parse(text)
            except (SyntaxError, ValueError) as error:
                fault = fault or f"{_place(cell, getattr(error, 'lineno', 1))}: {error}"
                continue
            names += own_names(tuple(tree.body))
            functions += _functions(tree, text, cell)
            odd += [f"{_place(cell, line)}: {what}" for line, what in _odd(tree)]
    except (OSError, NotANotebookError, RecursionError, MemoryError) as error:
        fault = f"it cannot be read: {error}"
    return {
        "names": list(dict.fromkeys(names)),
        "functions": functions[:_MOST_FUNCTIONS],
        "odd": list(dict.fromkeys(odd))[:20],
        "fault": fault,
    }


def _texts(file: str) -> Iterator[tuple[int | None, str]]:
    """Yield the Python text of a file, or of each cell of a notebook."""
    path = Path(file)
    if file.endswith(".ipynb"):
        for cell in read_cells(path):
            yield cell.number, cell.text
    else:
        yield None, path.read_bytes().decode("utf-8", "replace")


def _place(cell: int | None, line: int | None) -> str:
    return f"line {line}" if cell is None else f"cell {cell}, line {line}"


# --- functions ------------------------------------------------------------------------


def _functions(
    tree: ast.Module, text: str, cell: int | None
) -> Iterator[dict[str, Any]]:
    lines = text.splitlines()
    for owner, node in _definitions(tree):
        last = node.end_lineno or node.lineno
        yield {
            "name": f"{owner}.{node.name}" if owner else node.name,
            "cell": cell,
            "line": node.lineno,
            "last": last,
            "text": "\n".join(lines[node.lineno - 1 : last])[:_LONGEST],
            "form": form_of(node)[:_LONGEST],
        }


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield "", node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield node.name, inner


def form_of(function: ast.FunctionDef) -> str:
    """Return a function's text in a form that is the same whatever it calls its names."""
    node = copy.deepcopy(function)
    node.name, node.returns, node.decorator_list = "f", None, []
    return ast.unparse(ast.fix_missing_locations(_Renaming(node).visit(node)))


class _Renaming(ast.NodeTransformer):
    """Numbers a function's own names in the order in which they occur."""

    def __init__(self, function: ast.FunctionDef) -> None:
        nodes = list(ast.walk(function))
        own = [node.arg for node in nodes if isinstance(node, ast.arg)]
        names = (node for node in nodes if isinstance(node, ast.Name))
        own += [name.id for name in names if isinstance(name.ctx, ast.Store)]
        self._known = {name: f"v{i}" for i, name in enumerate(dict.fromkeys(own))}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._known.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg, node.annotation = self._known.get(node.arg, node.arg), None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        plain = ast.Assign(targets=[node.target], value=node.value)
        return self.generic_visit(plain)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant):
            return None
        return self.generic_visit(node)


# --- what a layer has no need of ----------------------------------------------------------


def _odd(tree: ast.Module) -> Iterator[tuple[int, str]]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in _ODD_MODULES:
                    yield node.lineno, f"imports {alias.name}"
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").partition(".")[0] in _ODD_MODULES:
                yield node.lineno, f"imports from {node.module}"
        elif isinstance(node, ast.Name):
            if node.id in _ODD_CALLS:
                yield node.lineno, f"uses {node.id}"
        elif isinstance(node, ast.Attribute) and node.attr in _ODD_ATTRIBUTES:
            yield node.lineno, f"uses .{node.attr}"
        elif isinstance(node, ast.Attribute) and node.attr == "modules":
            if id(node) not in called:  # a layer's own are asked for by a call
                yield node.lineno, "uses .modules"
        elif isinstance(node, ast.Call) and _asks_for_computed_attribute(node):
            yield node.lineno, "asks for an attribute whose name is computed"


def _asks_for_computed_attribute(node: ast.Call) -> bool:
    named = isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr")
    return named and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)
