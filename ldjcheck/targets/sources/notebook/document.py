"""A notebook's cells, read from its file, and the names that a piece of code uses."""

import ast
import copy
import json
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldjcheck.tracebacks import cell_file


class NotANotebookError(Exception):
    """The file holds no Python notebook; the text says what it is instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A code cell, or a whole script.

    `number` counts all cells, text cells too, from 1; a script has none.
    """

    number: int | None
    file: str  # the name that it is compiled under
    text: str  # Python: without magics
    fault: SyntaxError | None = None  # why it is no Python


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement at the left margin of a cell or script."""

    cell: Cell
    node: ast.stmt

    @property
    def place(self) -> str:
        """The place in words: `cell 27, line 3`, or `line 3` of a script."""
        line = f"line {self.node.lineno}"
        number = self.cell.number
        return line if number is None else f"cell {number}, {line}"


def read_cells(path: Path) -> tuple[Cell, ...]:
    """Return the code cells of the notebook, in their order.

    Raises:
        NotANotebookError: The file is no notebook, or one of another language.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
        entries = list(_entries(content))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotANotebookError("it holds no notebook's JSON") from None
    language = _language(content)
    if language is not None and "python" not in language.lower():
        raise NotANotebookError(f"its language is {language}, not Python")
    cells = (
        _cell(number, str(path), text)
        for number, text in enumerate(entries, 1)
        if text is not None
    )
    return tuple(cell for cell in cells if cell is not None)


def statements_of(cells: tuple[Cell, ...]) -> tuple[Statement, ...]:
    """Return all statements from top to bottom, those of broken cells left out."""
    return tuple(
        Statement(cell=cell, node=node)
        for cell in cells
        if cell.fault is None
        for node in ast.parse(cell.text).body
    )


def _entries(content: Any) -> Iterator[str | None]:
    """Yield each cell's text, None for cells that hold no code."""
    sheets = [content] if "cells" in content else content["worksheets"]
    for sheet in sheets:
        for cell in sheet["cells"]:
            text = cell.get("source", cell.get("input", ""))
            whole = text if isinstance(text, str) else "".join(text)
            yield whole if cell.get("cell_type") == "code" else None


def _language(content: Any) -> str | None:
    metadata = content.get("metadata", {})
    for part, key in (("kernelspec", "language"), ("language_info", "name")):
        value = metadata.get(part, {}).get(key)
        if isinstance(value, str):
            return value
    return None


def _cell(number: int, path: str, text: str) -> Cell | None:
    python = without_magics(text)
    if python is None:
        return None
    file = cell_file(path, number)
    try:
        compile(python, file, "exec", ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        return Cell(number=number, file=file, text=python, fault=error)
    except ValueError:  # a null byte
        return None
    return Cell(number=number, file=file, text=python)


MAGIC_CALL = "__magic__"
"""The call that stands for what a magic or a shell command would return."""

_PYTHON_CELLS = ("time", "capture", "prun", "memit", "mprun", "lprun", "wandb")
"""Cell magics whose body runs in the notebook's own names."""

_RUN_HERE = re.compile(
    r"(?P<indent>\s*)%(?:time|prun|memit|lprun|mprun)\s+(?P<code>\S.*)"
)
_ASSIGNED = re.compile(
    r"(?P<left>\s*[^=#'\"%!]*[^=#'\"%!<>\s])\s*=\s*[!%](?P<command>\w.*)"
)
_MAGIC = re.compile(r"\s*([%!?,;]|/\w)|[^#'\"]*[\w\])]\?{1,2}\s*$")
_STRING = re.compile(r"('''|\"\"\"|'|\")")
_END = {quote: re.compile(rf"(?:\\.|(?!{quote}).)*{quote}", re.DOTALL)
        for quote in ("'", '"', "'''", '"""')}  # fmt: skip


def without_magics(text: str) -> str | None:
    """Return a cell's text as Python, line by line; None when none of it is Python."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.startswith("%%"):
        if first[2:].split(maxsplit=1)[:1] not in ([name] for name in _PYTHON_CELLS):
            return None
        text = text.replace(first, "pass", 1)
    # A line that begins with `%` may go on with the expression of the line above.
    return text if _is_python(text) else "\n".join(_replaced(text.splitlines())) + "\n"


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _replaced(lines: list[str]) -> list[str]:
    replaced, scanner, shell = [], _Scanner(), False
    for line in lines:
        if shell:  # a shell command goes on
            replaced.append("")
            shell = line.endswith("\\")
            continue
        if scanner.is_between_statements and line.strip():
            python = _python(line)
            shell = python is not line and line.endswith("\\")
            line = python
        scanner.read(line)
        replaced.append(line)
    return replaced


def _python(line: str) -> str:
    """Return a line that begins a statement as Python; the same one if it is."""
    if match := _RUN_HERE.fullmatch(line):
        return match["indent"] + match["code"]
    if match := _ASSIGNED.fullmatch(line):
        return f"{match['left']} = {MAGIC_CALL}({match['command']!r})"
    if _MAGIC.match(line):
        return line[: len(line) - len(line.lstrip())] + "pass"
    return line


class _Scanner:
    """Knows after each line whether a bracket, a string or a backslash is open."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""
        self._goes_on = False

    @property
    def is_between_statements(self) -> bool:
        return self._depth == 0 and not self._quote and not self._goes_on

    def read(self, line: str) -> None:
        self._goes_on = False
        rest = line + "\n"
        while rest:
            if self._quote:
                end = _END[self._quote].match(rest)
                if end is None:
                    # Only a triple-quoted string goes on, or one after a backslash.
                    if len(self._quote) == 1 and not rest.endswith("\\\n"):
                        self._quote = ""
                    return
                rest, self._quote = rest[end.end() :], ""
                continue
            match = _STRING.match(rest)
            if match:
                self._quote, rest = match[0], rest[match.end() :]
            elif rest[0] == "#":
                return
            else:
                self._depth += (rest[0] in "([{") - (rest[0] in ")]}")
                self._depth = max(self._depth, 0)
                self._goes_on = rest == "\\\n"
                rest = rest[1:]


# --- names that code reads and binds --------------------------------------------------

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
