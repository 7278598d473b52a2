"""Which names of the notebook a piece of its code reads and binds."""

from __future__ import annotations

import ast
import copy
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

_INNER = "_of_a_comprehension_"
_COMPREHENSIONS = ("listcomp", "setcomp", "dictcomp", "genexpr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names at module level. What stands in function bodies is read later, if at all."""

    reads: frozenset[str] = frozenset()  # while the code runs
    reads_later: frozenset[str] = frozenset()  # when a function of it is called
    binds: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    imports_all: bool = False  # from module import *


def names_in(node: ast.AST) -> Names:
    """Return the module-level names in a statement or expression."""
    node = _Apart().visit(copy.deepcopy(node))
    later: set[str] = set()
    reads = {
        n.target.id
        for n in _at_the_margin(node)
        if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
    }
    deletes = {
        target.id
        for n in _at_the_margin(node)
        if isinstance(n, ast.Delete)
        for target in n.targets
        if isinstance(target, ast.Name)
    }
    try:
        table = symtable.symtable(ast.unparse(node), "<cell>", "exec")
    except SyntaxError:  # `await` and `return` at the margin
        loaded = (n for n in ast.walk(node) if isinstance(n, ast.Name))
        return Names(reads=frozenset(n.id for n in loaded))
    reads |= {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    binds = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported()
    }
    for child in table.get_children():
        _note(child, reads, later, runs_now=True)
    reads, later, binds = (
        {name for name in names if not name.startswith(_INNER)}
        for names in (reads, later, binds)
    )
    bare = isinstance(node, ast.AnnAssign) and node.value is None
    return Names(
        reads=frozenset(reads),
        reads_later=frozenset(later - reads),
        binds=frozenset() if bare else frozenset(binds - deletes),
        deletes=frozenset(deletes),
        imports_all=any(
            isinstance(n, ast.ImportFrom) and n.names[0].name == "*"
            for n in ast.walk(node)
        ),
    )


class _Apart(ast.NodeTransformer):
    """Gives what a comprehension binds names of its own, as they are no module's.

    From Python 3.12 on, symbol tables list them among those of the scope around.
    """

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the node with what the comprehensions in it bind renamed."""
        self.generic_visit(node)
        if isinstance(
            node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
        ):
            targets = [n for each in node.generators for n in ast.walk(each.target)]
            bound = {n.id for n in targets if isinstance(n, ast.Name)}
            # The first of its iterables is worked out in the scope around.
            outer = {id(n) for n in ast.walk(node.generators[0].iter)}
            for name in ast.walk(node):
                if isinstance(name, ast.Name) and id(name) not in outer:
                    name.id = f"{_INNER}{name.id}" if name.id in bound else name.id
        return node


def _at_the_margin(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes whose names are the module's, not those of a function or class."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _at_the_margin(child)


def _note(
    table: symtable.SymbolTable, now: set[str], later: set[str], *, runs_now: bool
) -> None:
    """Add the global names that a scope and those in it read."""
    kind = str(getattr(table.get_type(), "value", table.get_type()))
    if kind == "function":
        runs_now = runs_now and table.get_name() in _COMPREHENSIONS
    elif kind not in ("class", "type parameters", "type parameter"):
        runs_now = False  # annotations and aliases are evaluated when asked for
    for symbol in table.get_symbols():
        if not symbol.is_referenced():
            continue
        if symbol.is_global():
            (now if runs_now else later).add(symbol.get_name())
        elif kind == "class" and symbol.is_local():
            later.add(symbol.get_name())  # `x = x` reads the outer one
    for child in table.get_children():
        _note(child, now, later, runs_now=runs_now)
