"""What ran: the functions and lines of a library that one call of a layer executed."""

from __future__ import annotations

import ast
import linecache
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

# Where a library keeps its flows. Its networks, and torch's own helpers, are no ldj
# code of a layer, so nothing is planted there.
EDITABLE: tuple[str, ...] = (
    "nflows.transforms.",
    "nflows.utils.torchutils",
    "normflows.flows.",
    "normflows.utils.",
    "FrEIA.modules.",
    "FrEIA.framework.",
    "zuko.transforms",
    "torch.distributions.transforms",
    "planted_example_",
)
NOT_FLOWS: tuple[str, ...] = ("nflows.transforms.made",)


@dataclass(frozen=True)
class SourceFile:
    """One file, parsed once: its text by lines, its tree, every node's parent."""

    path: str
    lines: tuple[bytes, ...]
    tree: ast.Module
    parents: dict[ast.AST, ast.AST]

    def text(self, node: ast.AST) -> str:
        """Return the exact source of an expression or statement."""
        first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
        start, end = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        if first == last:
            return self.lines[first][start:end].decode()
        rows = [self.lines[first][start:], *self.lines[first + 1 : last]]
        return b"".join([*rows, self.lines[last][:end]]).decode()

    def statement(self, node: ast.AST) -> ast.stmt:
        """Return the statement that an expression is part of."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node


@cache
def source_file(path: str) -> SourceFile:
    """Return the parsed file."""
    with open(path, "rb") as handle:
        data = handle.read()
    tree = ast.parse(data)
    parents = {
        child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
    }
    return SourceFile(path, tuple(data.splitlines(keepends=True)), tree, parents)


@dataclass
class Function:
    """A function that ran: its definition and the lines of it that were reached."""

    module: str
    file: SourceFile
    node: FunctionNode
    reached: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def is_property(self) -> bool:
        names = [d.id for d in self.node.decorator_list if isinstance(d, ast.Name)]
        return "property" in names

    @property
    def parameters(self) -> list[str]:
        arguments = self.node.args
        return [a.arg for a in (*arguments.posonlyargs, *arguments.args)]

    def ran(self, statement: ast.stmt) -> bool:
        """Return whether any line of a simple statement was reached."""
        span = range(statement.lineno, (statement.end_lineno or 0) + 1)
        return any(line in self.reached for line in span)

    def statements(self) -> Iterator[ast.stmt]:
        """Yield the simple statements that ran, those of inner functions left out."""

        def inside(body: list[ast.stmt]) -> Iterator[ast.stmt]:
            for statement in body:
                if isinstance(statement, (*_DEFINITIONS,)):
                    continue
                blocks = [
                    getattr(statement, name, [])
                    for name in ("body", "orelse", "finalbody")
                ]
                if any(blocks):
                    if isinstance(statement, ast.For):
                        yield statement
                    for block in blocks:
                        yield from inside(block)
                elif self.ran(statement):
                    yield statement

        yield from inside(self.node.body)


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_editable(module: str) -> bool:
    """Return whether a module holds flows, or helpers of their ldj code."""
    return module.startswith(EDITABLE) and not module.startswith(NOT_FLOWS)


def functions_run_by(action: Callable[[], Any]) -> tuple[Function, ...]:
    """Run `action` and return the functions of flow modules that ran in it."""
    seen: dict[CodeType, tuple[str, set[int]]] = {}

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            seen[frame.f_code][1].add(frame.f_lineno)
        return local

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        module = frame.f_globals.get("__name__", "")
        if not isinstance(module, str) or not is_editable(module):
            return None
        seen.setdefault(frame.f_code, (module, set()))
        return local

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    functions = []
    for code, (module, lines) in seen.items():
        node = _definition(code)
        if node is not None:
            file = source_file(code.co_filename)
            functions.append(Function(module, file, node, lines))
    functions.sort(key=lambda f: (f.file.path, f.node.lineno))
    return tuple(functions)


def _definition(code: CodeType) -> FunctionNode | None:
    if not linecache.getlines(code.co_filename):
        return None
    for node in ast.walk(source_file(code.co_filename).tree):
        if isinstance(node, FunctionNode) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None
