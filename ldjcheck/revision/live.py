"""The running functions of a file, and an edited code in their place for a while.

Only code objects are exchanged. Globals, closure cells, defaults, decorators, classes and
every reference to the function stay what they are, so `super()`, properties, inherited
methods and helpers at module level all see the edit; at the end all is as it was.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import operator
import types
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, compress, repeat

from ldjcheck.revision.functions import (
    compiled,
    first_line,
    functions_around,
    was_compiled_from,
)
from ldjcheck.revision.text import FunctionNode, Replacement, SourceText, read_source


class StaleSourceError(Exception):
    """No running function has the code that the file's text says."""


class Live:
    """The running functions of the files in which something may be edited."""

    def __init__(self, files: Sequence[str]) -> None:
        self.sources: dict[str, SourceText] = {}
        for file in dict.fromkeys(files):
            source = read_source(file)
            if source is not None:
                self.sources[file] = source
        self._known: dict[FunctionNode, list[types.FunctionType]] = {}

    @cached_property
    def _running(self) -> dict[tuple[str, str, int], list[types.FunctionType]]:
        """The functions by file, name and first line; they are looked for when needed."""
        found: dict[tuple[str, str, int], list[types.FunctionType]] = {}
        for item in _all_functions():
            code = item.__code__
            if code.co_filename in self.sources:
                key = code.co_filename, code.co_name, code.co_firstlineno
                found.setdefault(key, []).append(item)
        return found

    def functions_of(self, codes: set[types.CodeType]) -> list[types.FunctionType]:
        """Return the functions that run one of these codes."""
        running = chain.from_iterable(self._running.values())
        return [function for function in running if function.__code__ in codes]

    def is_running(self, file: str, node: ast.AST) -> bool:
        """Return whether an edit of this node would change a function that runs."""
        source = self.sources[file]
        return any(self._functions(source, f) for f in functions_around(source, node))

    @contextlib.contextmanager
    def edited(self, changes: Sequence[Replacement]) -> Iterator[None]:
        """Let the running functions do, inside the `with`, what the edited text says.

        Raises:
            StaleSourceError: nothing that runs would change.
            SyntaxError: the edited text cannot be compiled in place of what runs.
        """
        swaps = self._swaps(changes)
        saved = [(function, function.__code__) for function, _ in swaps]
        try:
            for function, code in swaps:
                function.__code__ = code
            yield
        finally:
            for function, code in saved:
                function.__code__ = code

    def _swaps(
        self, changes: Sequence[Replacement]
    ) -> list[tuple[types.FunctionType, types.CodeType]]:
        swaps: dict[FunctionNode, list[tuple[types.FunctionType, types.CodeType]]] = {}
        for change in changes:
            source = self.sources[change.file]
            reached = False
            for node in _functions_over(source, change):
                functions = self._functions(source, node)
                reached = reached or bool(functions)
                if node in swaps:
                    continue
                here = [c for c in changes if c.file == change.file]
                swaps[node] = []
                for function in functions:
                    code = compiled(source, node, function.__code__, here)
                    if code is None:
                        raise SyntaxError("the edited function does not compile")
                    swaps[node].append((function, code))
            if not reached:
                raise StaleSourceError
        return [swap for found in swaps.values() for swap in found]

    def _functions(
        self, source: SourceText, node: FunctionNode
    ) -> list[types.FunctionType]:
        """Return the running functions that were made from this node as it stands."""
        if node not in self._known:
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            candidates = self._running.get((source.file, name, first_line(node)), [])
            self._known[node] = [
                function
                for function in candidates
                if was_compiled_from(source, node, function.__code__)
            ]
        return self._known[node]


def _functions_over(source: SourceText, change: Replacement) -> Iterator[FunctionNode]:
    """Yield the functions whose bodies a replacement changes, the innermost first."""
    around = [
        node
        for node in source.functions
        if (node.lineno, node.col_offset) <= (change.line, change.column)
        and (change.end_line, change.end_column)
        <= (node.end_lineno or 0, node.end_col_offset or 0)
    ]
    yield from reversed(around)


def _all_functions() -> Iterator[types.FunctionType]:
    """Return every function of this process; of all that lives, a loop would be slow."""
    held = gc.get_objects()
    are_functions = map(operator.is_, map(type, held), repeat(types.FunctionType))
    return compress(held, are_functions)
