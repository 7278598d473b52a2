"""A source file as text and as a tree, and replacements of spans of it."""

import ast
import itertools
import linecache
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

Block = list[ast.stmt]
MethodNode = ast.FunctionDef | ast.AsyncFunctionDef
FunctionNode = MethodNode | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True, order=True)
class Replacement:
    """Put `text` in the place of a span.

    Lines count from 1, columns are byte offsets in UTF-8, as `ast` has them. An empty
    span inserts.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, eq=False)
class SourceText:
    """One file: its lines in UTF-8 with their ends, its tree, and every node's parent."""

    file: str
    lines: tuple[bytes, ...]
    tree: ast.Module
    parents: dict[ast.AST, ast.AST]

    @cached_property
    def functions(self) -> list[FunctionNode]:
        """Every function and lambda of the file, the outer ones first."""
        return [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]

    @cached_property
    def statements(self) -> dict[int, list[ast.stmt]]:
        """The simple statements that cover a line, by the line."""
        found: dict[int, list[ast.stmt]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.stmt) and not hasattr(node, "body"):
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    found.setdefault(line, []).append(node)
        return found

    @cached_property
    def modules(self) -> dict[str, str]:
        """What the file calls the modules that it imports, by their own names."""
        return {
            alias.name: alias.asname or alias.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }

    @cached_property
    def imported(self) -> frozenset[str]:
        """The names that an import binds anywhere in the file."""
        return frozenset(
            alias.asname or alias.name.split(".")[0]
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        )

    @cached_property
    def imports(self) -> tuple[ast.Import | ast.ImportFrom, ...]:
        """The imports of the module's own scope that bind names one by one."""
        found: list[ast.Import | ast.ImportFrom] = []
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop(0)
            if isinstance(node, ast.Import):
                found.append(node)
            elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
                if all(alias.name != "*" for alias in node.names):
                    found.append(node)
            elif not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.expr)):
                stack += ast.iter_child_nodes(node)
        return tuple(found)

    @cached_property
    def calls(self) -> dict[str, tuple[ast.Call, ...]]:
        """The calls of the file by the last name of what is called."""
        found: dict[str, tuple[ast.Call, ...]] = {}
        for node in self.nodes_of(self.tree):
            name = call_name(node)
            if isinstance(node, ast.Call) and name:
                found[name] = (*found.get(name, ()), node)
        return found

    @cached_property
    def _walks(self) -> dict[ast.AST, tuple[ast.AST, ...]]:
        return {}

    def nodes_of(self, node: ast.AST) -> tuple[ast.AST, ...]:
        """Return a node and all that stands in it, as `ast.walk` does, taken down once."""
        if node not in self._walks:
            self._walks[node] = tuple(ast.walk(node))
        return self._walks[node]

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes in which another stands, the innermost first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def function_of(self, node: ast.AST) -> ast.AST:
        """Return the function that a node stands in, else the module."""
        wider = (node, *self.around(node))
        return next(n for n in wider if isinstance(n, (*FUNCTIONS, ast.Module)))

    def made_alone_for(self, node: ast.expr) -> ast.expr:
        """Return the value that a name is given for this one use, else the node itself.

        Where another stood in its place, it would stand on, dead.
        """
        if not isinstance(node, ast.Name):
            return node
        inside = self.nodes_of(self.function_of(node))
        alike = [n for n in inside if isinstance(n, ast.Name) and n.id == node.id]
        made = [p for n in alike if isinstance(p := self.parents[n], ast.Assign)]
        return made[0].value if len(alike) == 2 and len(made) == 1 else node

    def is_repeated(self, node: ast.AST) -> bool:
        """Return whether a node stands in a loop of its function."""
        for each in self.around(node):
            if isinstance(each, (*FUNCTIONS, ast.For, ast.While)):
                return isinstance(each, ast.For | ast.While)
        return False

    def text(self, node: ast.AST) -> str:
        """Return the source of an expression or statement, as it is written."""
        return self.at(*span_of(node))

    def put(self, node: ast.AST, text: str) -> Replacement:
        """Return the replacement of a whole node."""
        return self.put_at(span_of(node), text)

    def put_at(self, span: tuple[int, int, int, int], text: str) -> Replacement:
        """Return the replacement of a span."""
        return Replacement(self.file, *span, text)

    def between(self, first: ast.AST, second: ast.AST) -> tuple[int, int, int, int]:
        """Return the span between the end of one node and the start of another."""
        return (*span_of(first)[2:], *span_of(second)[:2])

    def at(self, line: int, column: int, end_line: int, end_column: int) -> str:
        """Return the text of a span."""
        if line == end_line:
            return self.lines[line - 1][column:end_column].decode()
        rows = [self.lines[line - 1][column:], *self.lines[line : end_line - 1]]
        return b"".join([*rows, self.lines[end_line - 1][:end_column]]).decode()

    def is_bracketed(self, node: ast.expr) -> bool:
        """Return whether the source has brackets of its own around an expression."""
        lines = self.lines
        line, column, end_line, end = span_of(node)
        before = b"".join(lines[max(0, line - 4) : line - 1]) + lines[line - 1][:column]
        after = lines[end_line - 1][end:] + b"".join(lines[end_line : end_line + 3])
        if not (before.rstrip().endswith(b"(") and after.lstrip().startswith(b")")):
            return False
        parent = self.parents[node]
        return not isinstance(parent, ast.Call) or [node] != [
            *parent.args, *(k.value for k in parent.keywords),
        ]  # fmt: skip

    def statement(self, node: ast.AST) -> ast.stmt:
        """Return the statement that a node stands in, or is."""
        return next(n for n in (node, *self.around(node)) if isinstance(n, ast.stmt))

    def block(self, statement: ast.stmt) -> Block:
        """Return the statements among which one stands."""
        parent = self.parents[statement]
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and statement in block:
                return block
        for case in (*getattr(parent, "handlers", ()), *getattr(parent, "cases", ())):
            if statement in case.body:
                body: Block = case.body
                return body
        return [statement]


def call_name(node: ast.AST) -> str:
    """Return the last name of what is called: `log` for `torch.log(x)` and `x.log()`."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def is_sum(node: ast.AST) -> TypeGuard[ast.BinOp]:
    """Return whether a node is a sum or a difference."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def is_power(node: ast.AST) -> TypeGuard[ast.BinOp]:
    """Return whether a node is a power."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def is_product(node: ast.AST) -> TypeGuard[ast.BinOp]:
    """Return whether a node is a product or a quotient."""
    return isinstance(node, ast.BinOp) and isinstance(
        node.op, ast.Mult | ast.Div | ast.MatMult | ast.FloorDiv | ast.Mod
    )


def is_minus(node: ast.AST | None) -> TypeGuard[ast.UnaryOp]:
    """Return whether a node is something with a minus in front."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def names_in(node: ast.AST) -> set[str]:
    """Return the names that stand in a node, read or set."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def first_of(function: MethodNode) -> ast.stmt:
    """Return the first statement of a function, its docstring apart."""
    first, *more = function.body
    documents = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return more[0] if documents and more else first


def targets_of(node: ast.AST) -> list[ast.expr]:
    """Return what an assignment, or a loop, gives values to; of all else nothing."""
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
        return [node.target]
    return []


def span_of(node: ast.AST) -> tuple[int, int, int, int]:
    """Return the lines and byte columns of a node's start and end."""
    assert isinstance(node, ast.expr | ast.stmt | ast.arg | ast.keyword)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def read_source(file: str) -> SourceText | None:
    """Return a file as `linecache` knows it, None when it is no source."""
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None
    if not tree.body:
        return None
    parents = {
        child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
    }
    return SourceText(file, tuple(line.encode() for line in lines), tree, parents)


def is_disjoint(replacements: Sequence[Replacement]) -> bool:
    """Return whether no two replacements touch the same text."""
    ordered = sorted(replacements)
    return all(
        (a.file, a.end_line, a.end_column) <= (b.file, b.line, b.column)
        or a.file != b.file
        for a, b in itertools.pairwise(ordered)
    )


def replaced(
    lines: Sequence[bytes], replacements: Iterable[Replacement], first: int = 1
) -> bytes:
    """Return lines, the first of which has the number `first`, with spans replaced."""
    rows = [bytes(line) for line in lines]
    for change in sorted(replacements, reverse=True):
        top, bottom = change.line - first, change.end_line - first
        head = rows[top][: change.column]
        tail = rows[bottom][change.end_column :]
        rows[top : bottom + 1] = [head + change.text.encode() + tail]
        rows[top + 1 : top + 1] = [b""] * (bottom - top)  # the numbers below still hold
    return b"".join(rows)


def edited_functions(
    source: SourceText, changes: Iterable[Replacement]
) -> tuple[MethodNode, ...]:
    """Return the innermost functions of a file that changes are in, lambdas left out."""
    found = {}
    for change in changes:
        around = [
            node
            for node in source.functions
            if not isinstance(node, ast.Lambda)
            and change.file == source.file
            and node.lineno <= change.line
            and change.end_line <= (node.end_lineno or node.lineno)
        ]
        found.update(dict.fromkeys(around[-1:]))
    return tuple(found)


def text_with(
    source: SourceText, function: FunctionNode, changes: Iterable[Replacement]
) -> str:
    """Return the text of a function in which changes are made, from where it begins."""
    first, column, last, _ = span_of(function)
    inside = [
        c
        for c in changes
        if c.file == source.file and first <= c.line and c.end_line <= last
    ]
    text = replaced(source.lines[first - 1 : last], inside, first)
    return text[column:].decode().rstrip("\r\n")
