"""The source of a layer as a tree that is rewritten, each statement with its old line."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = ast.FunctionDef
Block = list[ast.stmt]


@dataclass(kw_only=True)
class Code:
    """A file of which `target` is checked; `names` holds what has been renamed."""

    tree: ast.Module
    target: str
    names: dict[str, str] = field(default_factory=dict)

    @property
    def layer(self) -> ast.ClassDef | None:
        """The class that is checked."""
        own = (n for n in self.tree.body if isinstance(n, ast.ClassDef))
        return next((node for node in own if node.name == self.target), None)

    def functions(self) -> Iterator[tuple[ast.ClassDef | None, Function]]:
        """Yield the functions and methods of the file, each with its class."""
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef):
                yield None, node
            elif isinstance(node, ast.ClassDef):
                yield from ((node, f) for f in node.body if isinstance(f, Function))

    def text(self) -> str:
        """Return the file's text."""
        return ast.unparse(ast.fix_missing_locations(self.tree)) + "\n"

    def lines(self) -> dict[int, frozenset[int]]:
        """Return which lines of the text before a line of this one was made of."""
        found: dict[int, frozenset[int]] = {}
        again = ast.parse(self.text())
        for old, new in zip(statements(self.tree), statements(again), strict=True):
            found[new.lineno] = found.get(new.lineno, frozenset()) | origins(old)
        return found

    def free(self, stem: str) -> Iterator[str]:
        """Yield names that the file does not have: `v1`, `v2`, ..."""
        used = {*names_in(self.tree)}
        number = 0
        while True:
            number += 1
            if f"{stem}{number}" not in used:
                yield f"{stem}{number}"


def read(text: str, target: str) -> Code:
    """Return the code of a text in which each simple statement is one line."""
    tree = ast.parse(text)
    for statement in statements(tree):
        note(statement, frozenset({statement.lineno}))
    return Code(tree=tree, target=target)


def copied(code: Code) -> Code:
    """Return a copy that may be rewritten."""
    return Code(tree=copy.deepcopy(code.tree), target=code.target)


def origins(statement: ast.stmt) -> frozenset[int]:
    """Return the lines of the text before that a statement was made of."""
    return getattr(statement, "origins", frozenset())


def made_of(new: ast.stmt, *old: ast.stmt) -> ast.stmt:
    """Return a new statement, and what is inside of it, as made of old ones."""
    of = frozenset().union(*map(origins, old))
    for statement in statements(new):
        note(statement, origins(statement) or of)
    return new


def note(statement: ast.stmt, lines: frozenset[int]) -> None:
    """Note of which lines of the text before a statement is made."""
    statement.origins = lines  # type: ignore[attr-defined]


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements, the tree's own among them, in one order."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def blocks(function: ast.AST) -> Iterator[Block]:
    """Yield the blocks of a function, its own and those within."""
    for node in ast.walk(function):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def names_in(tree: ast.AST) -> Iterator[str]:
    """Yield all identifiers of a tree, and words of its strings."""
    for node in ast.walk(tree):
        for name in ("id", "arg", "attr", "name", "asname"):
            if isinstance(value := getattr(node, name, None), str):
                yield value
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.split()


def loads(tree: ast.AST) -> list[str]:
    """Return the names that a piece of code reads, in their order, each once."""
    names = (n for n in ast.walk(tree) if isinstance(n, ast.Name))
    return [*dict.fromkeys(n.id for n in names if isinstance(n.ctx, ast.Load))]


def stores(tree: ast.AST) -> set[str]:
    """Return the names that a piece of code gives a value."""
    names = (n for n in ast.walk(tree) if isinstance(n, ast.Name))
    return {n.id for n in names if not isinstance(n.ctx, ast.Load)}


def arguments(function: ast.FunctionDef | ast.Lambda) -> list[ast.arg]:
    """Return all arguments of a function."""
    own = function.args
    more = [each for each in (own.vararg, own.kwarg) if each is not None]
    return [*own.posonlyargs, *own.args, *own.kwonlyargs, *more]


def defaults(function: ast.FunctionDef) -> dict[str, object]:
    """Return the defaults of a function's arguments that are constants."""
    own = function.args
    placed = [*own.posonlyargs, *own.args]
    pairs = [
        *zip(placed[len(placed) - len(own.defaults) :], own.defaults, strict=True),
        *zip(own.kwonlyargs, own.kw_defaults, strict=True),
    ]
    return {a.arg: getattr(d, "value", None) for a, d in pairs if d is not None}


def is_decorated(function: ast.FunctionDef) -> bool:
    """Return whether something is made of a function that is not called as it is."""
    return bool(function.decorator_list)
