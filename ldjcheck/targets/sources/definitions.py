"""The names that the text of a source defines itself."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator


def own_names(statements: Iterable[ast.stmt]) -> dict[str, ast.stmt]:
    """Return what is defined, not imported, with the last statement that defines it.

    Names with an underscore in front are private, and left out.
    """
    own: dict[str, ast.stmt] = {}
    for name, node in _definitions(statements):
        if not name.startswith("_"):
            own.pop(name, None)  # the order is that of the last definitions
            own[name] = node
    return own


def _definitions(statements: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node
        elif isinstance(node, ast.Assign):
            yield from ((t.id, node) for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node
        elif isinstance(node, (ast.If, ast.With, ast.Try)):
            yield from _definitions(node.body)
            yield from _definitions(getattr(node, "orelse", []))
