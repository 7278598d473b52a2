"""The source of the functions that ran, and the expressions in it by their place."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ldjcheck.revision import SourceText, first_line, read_source
from ldjcheck.revision.text import FunctionNode

if TYPE_CHECKING:
    from ldjcheck.tape import Place


class Sources:
    """The files in which functions ran, and the expressions in them by their place."""

    def __init__(self) -> None:
        self._texts: dict[str, SourceText | None] = {}
        self._spans: dict[str, dict[tuple[int, int, int, int], ast.AST]] = {}

    def text(self, file: str) -> SourceText | None:
        """Return a file's source, None where there is none."""
        if file not in self._texts:
            self._texts[file] = read_source(file)
        return self._texts[file]

    def function(self, file: str, name: str, line: int) -> FunctionNode | None:
        """Return the definition of a function that ran, by where its code begins."""
        source = self.text(file)
        for node in () if source is None else source.functions:
            named = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            if named == name and first_line(node) == line:
                return node
        return None

    def at(self, place: Place) -> ast.AST | None:
        """Return the expression, or the statement, that a place spans."""
        if place.file not in self._spans:
            source = self.text(place.file)
            found: dict[tuple[int, int, int, int], ast.AST] = {}
            for node in () if source is None else source.nodes_of(source.tree):
                if isinstance(node, (ast.expr, ast.stmt)):
                    end = node.end_lineno or 0, node.end_col_offset or 0
                    found[(node.lineno, node.col_offset, *end)] = node
            self._spans[place.file] = found
        key = place.line, place.column, place.end_line, place.end_column
        return self._spans[place.file].get(key)

    def statement(self, place: Place) -> ast.stmt | None:
        """Return the statement in which a place stands: the innermost one."""
        source, node = self.text(place.file), self.at(place)
        if source is None:
            return None
        if node is not None:
            return source.statement(node)
        simple = source.statements.get(place.line, [])
        return simple[0] if len(simple) == 1 else None
