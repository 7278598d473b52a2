"""The running functions of a file, and an edited code in their place for a while.

Only code objects are exchanged. Globals, closure cells, defaults, decorators, classes and
every reference to the function stay what they are, so `super()`, properties, inherited
methods and helpers at module level all see the edit; at the end all is as it was. One
function is compiled out of its file's text as Python did when it loaded the file.
"""

import __future__

import ast
import contextlib
import gc
import itertools
import operator
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, compress, repeat
from typing import TypeVar

from ldjcheck.revision.text import (
    FUNCTIONS,
    FunctionNode,
    Replacement,
    SourceText,
    read_source,
    replaced,
)

_FUTURE = sum(
    getattr(__future__, name).compiler_flag for name in __future__.all_feature_names
)


def functions_around(source: SourceText, node: ast.AST) -> Iterator[FunctionNode]:
    """Yield the functions that a node stands in, the innermost first."""
    return _functions((node, *source.around(node)))


def first_line(node: FunctionNode) -> int:
    """Return the line that a function's code object begins with."""
    if isinstance(node, ast.Lambda):
        return node.lineno
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def compiled(
    source: SourceText,
    node: FunctionNode,
    like: types.CodeType,
    changes: Sequence[Replacement] = (),
) -> types.CodeType | None:
    """Return the code of one function of the edited text; None when it does not compile.

    `like` is the code of the running function: names that it takes from functions around
    it, `__class__` for `super()` among them, are taken from there again.
    """
    found = _edited_node(source, node, changes)
    if found is None:
        return None
    code = _code_of(source, node, found, like, source.imports)
    if code is not None and code.co_freevars != like.co_freevars:
        _hold(found, like.co_freevars)
        code = _code_of(source, node, found, like, source.imports)
    if code is None or code.co_freevars != like.co_freevars:
        return None
    return code


def was_compiled_from(
    source: SourceText, node: FunctionNode, code: types.CodeType
) -> bool:
    """Return whether a running function's code is what its source says now.

    Notebooks compile one statement at a time, apart from the imports.
    """
    found = _edited_node(source, node, ())
    if found is None:
        return False
    both = (source.imports, ())
    made = (_code_of(source, node, found, code, imports) for imports in both)
    return any(each is not None and is_same_code(each, code) for each in made)


def is_same_code(a: types.CodeType, b: types.CodeType) -> bool:
    """Return whether two code objects do the same at the same lines."""
    if (a.co_code, a.co_names, a.co_varnames, a.co_freevars, a.co_cellvars) != (
        b.co_code, b.co_names, b.co_varnames, b.co_freevars, b.co_cellvars,
    ):  # fmt: skip
        return False
    if a.co_firstlineno != b.co_firstlineno or len(a.co_consts) != len(b.co_consts):
        return False
    return all(
        is_same_code(x, y)
        if isinstance(x, types.CodeType) and isinstance(y, types.CodeType)
        else type(x) is type(y) and (x == y or repr(x) == repr(y))
        for x, y in zip(a.co_consts, b.co_consts, strict=True)
    )


def _edited_node(
    source: SourceText, node: FunctionNode, changes: Sequence[Replacement]
) -> FunctionNode | None:
    """Return the function in the tree of the edited text around it."""
    whole = _statement_of_its_own(source, node)
    first, last = whole.lineno, whole.end_lineno or whole.lineno
    if isinstance(whole, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        first = min([first, *(d.lineno for d in whole.decorator_list)])
    inside = [c for c in changes if first <= c.line and c.end_line <= last]
    text = replaced(source.lines[first - 1 : last], inside, first).decode()
    # Empty lines before it give every node its line in the file.
    indented = text[:1] in " \t\f" and first > 1
    above = "\n" * (first - 2) + "if 1:\n" if indented else "\n" * (first - 1)
    try:
        tree = ast.parse(above + text)
    except (SyntaxError, ValueError):
        return None
    number = next(
        i for i, f in enumerate(_functions(source.nodes_of(whole))) if f is node
    )
    return next(itertools.islice(_functions(ast.walk(tree)), number, None), None)


def _statement_of_its_own(source: SourceText, node: FunctionNode) -> ast.stmt:
    """Return the smallest statement around a function that has its lines for itself."""
    statement = source.statement(node)
    while True:
        parent = source.parents[statement]
        line, column = statement.lineno, statement.col_offset
        end = source.lines[(statement.end_lineno or line) - 1]
        before = source.lines[line - 1][:column].strip()
        after = end[statement.end_col_offset or 0 :].split(b"#")[0].strip()
        if (not before and after in (b"", b";")) or isinstance(parent, ast.Module):
            return statement
        while not isinstance(parent, ast.stmt):
            parent = source.parents[parent]
        statement = parent


def _functions(nodes: Iterable[ast.AST]) -> Iterator[FunctionNode]:
    return (node for node in nodes if isinstance(node, FUNCTIONS))


def _code_of(
    source: SourceText,
    original: FunctionNode,
    node: FunctionNode,
    like: types.CodeType,
    imports: Sequence[ast.stmt],
) -> types.CodeType | None:
    """Compile a function inside the least that gives it the names it was made with."""
    statement: ast.stmt = (
        ast.copy_location(ast.Expr(node), node)
        if isinstance(node, ast.Lambda)
        else node
    )
    homes = (n for n in source.around(original) if isinstance(n, ast.ClassDef))
    for home in itertools.islice(homes, 1):
        statement = _around(f"class {home.name}: pass", statement)
    outer = [name for name in like.co_freevars if name != "__class__"]
    if outer:
        statement = _around(f"def _outer({', '.join(outer)}): pass", statement)
    # Calls of imported names are compiled otherwise than those of other names.
    module = ast.Module(body=[*imports, statement], type_ignores=[])
    try:
        code = compile(
            module, like.co_filename, "exec", flags=like.co_flags & _FUTURE,
            dont_inherit=True,
        )  # fmt: skip
    except (SyntaxError, ValueError, TypeError):
        return None
    found = _find(code, like.co_name, first_line(node))
    if found is not None and hasattr(like, "co_qualname"):
        found = found.replace(co_qualname=like.co_qualname)
    return found


def _around(header: str, statement: ast.stmt) -> ast.stmt:
    """Return a class or a function that holds nothing but a statement."""
    shell = ast.parse(header).body[0]
    assert isinstance(shell, ast.ClassDef | ast.FunctionDef)
    shell.body = [statement]
    return shell


def _find(code: types.CodeType, name: str, line: int) -> types.CodeType | None:
    stack = [code]
    while stack:
        current = stack.pop(0)
        if current.co_name == name and current.co_firstlineno == line:
            return current
        stack += [c for c in current.co_consts if isinstance(c, types.CodeType)]
    return None


def _hold(node: FunctionNode, names: Sequence[str]) -> None:
    """Name variables where they are never reached, so that the closure stays as it is."""
    used: ast.expr = ast.Tuple(
        elts=[ast.Name(id=name, ctx=ast.Load()) for name in names], ctx=ast.Load()
    )
    if isinstance(node, ast.Lambda):
        node.body = ast.IfExp(
            test=ast.Constant(value=True), body=node.body, orelse=used
        )
    else:
        node.body.append(
            ast.If(test=ast.Constant(value=False), body=[ast.Expr(used)], orelse=[])
        )
    ast.fix_missing_locations(node)


_Answer = TypeVar("_Answer")


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

    def statements(self, file: str, line: int) -> list[tuple[SourceText, ast.stmt]]:
        """Return the simple statements that cover a line, each with its source."""
        source = self.sources.get(file)
        statements = () if source is None else source.statements.get(line, ())
        return [(source, each) for each in statements if source is not None]

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

    def tried(
        self, changes: Sequence[Replacement], question: Callable[[], _Answer]
    ) -> _Answer | None:
        """Return the answer to a question while edited code runs; None where none can."""
        with contextlib.suppress(StaleSourceError, SyntaxError), self.edited(changes):
            return question()
        return None

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
