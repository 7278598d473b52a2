"""A layer of the zoo as the text of a file of its own: imports, helpers, one class.

Layers of the zoo inherit from their sound twin, and write only what is wrong with them. A
file of a student's holds it all: methods of base classes are taken over, and where a method
hands a case on to its base (`return super().forward(x, ldj, reverse)`), what the base does
in that case stands in its place.
"""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
import io
import linecache
import re
import sys
import textwrap
import tokenize
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ZOO = "ldjcheck.classroom.animals"
WIDTH = 76  # columns of a line of code, for what is shown with a margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Standalone:
    """The text of a file, and which lines of it are the layer's own class.

    `whole` says whether the layer is one class; else its base stands before it.
    """

    text: str
    name: str
    first: int
    whole: bool

    @property
    def layer(self) -> str:
        """The lines of the class, and of a base where it has one."""
        return "\n".join(self.text.splitlines()[self.first - 1 :])


class NotOneClassError(Exception):
    """A method of a layer calls its base in a way that cannot be written out."""


def standalone(
    layer: type, name: str | None = None, *, remarks: bool = True
) -> Standalone:
    """Return a layer as a file of its own, under its own name or another.

    Without `remarks`, docstrings and comments are left out.
    """
    kin = [kind for kind in layer.__mro__ if kind.__module__.startswith(_ZOO)]
    module = _Module(sys.modules[layer.__module__])
    called = name or layer.__name__
    blocks = _blocks(module, kin, called, remarks)
    body = fitted("\n\n\n".join(blocks))
    helpers = module.helpers(body, {kind.__name__ for kind in kin} | {called})
    helpers = [fitted(each if remarks else _bare(each)) for each in helpers]
    above = [block for block in (module.imports(body, helpers), *helpers) if block]
    head = "\n\n\n".join(above)
    return Standalone(
        text=f"{head}\n\n\n{body}\n",
        name=called,
        first=head.count("\n") + 4,
        whole=len(blocks) == 1,
    )


def _blocks(
    module: _Module, kin: Sequence[type], called: str, remarks: bool
) -> list[str]:
    """Return the texts of as few classes as do; `kin` begins with the layer's own."""
    try:
        return [_merged(module, kin[::-1], called, remarks)]
    except NotOneClassError:
        above = _blocks(module, kin[1:], kin[1].__name__, remarks)
        own = _source_of(module, kin[0]).members
        return [*above, _class_text(called, [kin[1].__name__], own, remarks)]


def load(text: str, name: str, file: str = "layer.py") -> Any:
    """Return what a file's text calls `name`, without a file.

    Python is given the lines, for tracebacks and for whoever asks for the source.
    """
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module = types.ModuleType(f"{file} of a lesson")  # it hides none of the user's
    module.__file__ = file
    sys.modules[module.__name__] = module  # where a class is looked for
    exec(compile(text, file, "exec"), vars(module))
    return getattr(module, name)


# --- the module that a layer comes from -----------------------------------------------------


class _Module:
    """The source of one module of the zoo."""

    def __init__(self, module: types.ModuleType) -> None:
        text = inspect.getsource(module)
        self.tree = ast.parse(text)
        self.lines = text.splitlines()
        self.classes = {
            node.name: _Class(node, self)
            for node in self.tree.body
            if isinstance(node, ast.ClassDef)
        }

    def segment(self, node: ast.stmt) -> str:
        """Return a statement as written, decorators included, at the left margin."""
        first = min(
            [node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]
        )
        return textwrap.dedent("\n".join(self.lines[first - 1 : node.end_lineno]))

    def helpers(self, text: str, known: set[str]) -> list[str]:
        """Return the functions, classes and numbers of the module that a text uses."""
        own: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            for name in _bound(node):
                own[name] = node
        found: dict[str, ast.stmt] = {}
        queue = [text]
        while queue:
            for name in _used(queue.pop()) & own.keys() - known - found.keys():
                found[name] = own[name]
                queue.append(self.segment(own[name]))
        order = sorted({node.lineno: node for node in found.values()}.items())
        return [self.segment(node) for _, node in order]

    def imports(self, text: str, helpers: Sequence[str]) -> str:
        """Return the imports that a text and its helpers need."""
        used = set().union(*(_used(part) for part in (text, *helpers)))
        lines = []
        for node in self.tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                node = copy.copy(node)
                node.names = [
                    alias
                    for alias in node.names
                    if (alias.asname or alias.name.partition(".")[0]) in used
                ]
                if node.names and not ast.unparse(node).startswith("from ldjcheck"):
                    lines.append(ast.unparse(node))
        plain = [line for line in lines if not _is_installed(line)]
        others = [line for line in lines if _is_installed(line)]
        return "\n\n".join("\n".join(part) for part in (plain, others) if part)


def _is_installed(line: str) -> bool:
    return line.split()[1].partition(".")[0] not in sys.stdlib_module_names


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [t.id for t in node.targets if isinstance(t, ast.Name)]
    return []


def _used(text: str) -> set[str]:
    names = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    return names - set(vars(builtins))


# --- classes ----------------------------------------------------------------------------------


class _Class:
    """One class of the zoo: its bases, and the texts of its members in their order."""

    def __init__(self, node: ast.ClassDef, module: _Module) -> None:
        self.bases = [ast.unparse(base) for base in node.bases]
        self.members = {
            _name_of(statement): module.segment(statement) for statement in node.body
        }


def _name_of(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Expr):
        return "__doc__"
    return next(iter(_bound(statement)), f"line {statement.lineno}")


def _merged(module: _Module, kin: Sequence[type], called: str, remarks: bool) -> str:
    """Return one class that is what the last of its kin is, the first being the root.

    Raises:
        NotOneClassError: a method of one needs the base as it is.
    """
    members: dict[str, str] = {}
    for kind in kin:
        for name, text in _source_of(module, kind).members.items():
            is_own = kind is kin[0] or not _calls_super(text)
            members[name] = text if is_own else _written_out(text, members.get(name))
    return _class_text(called, _source_of(module, kin[0]).bases, members, remarks)


def _source_of(module: _Module, kind: type) -> _Class:
    if kind.__name__ in module.classes:
        return module.classes[kind.__name__]
    return _Module(sys.modules[kind.__module__]).classes[kind.__name__]


def _class_text(
    name: str, bases: Sequence[str], members: Mapping[str, str], remarks: bool
) -> str:
    blocks: list[str] = []
    for member, text in members.items():
        if not remarks:
            if member == "__doc__":
                continue
            text = _bare(text)
        is_function = text.startswith(("def ", "@", "async "))
        apart = "\n\n" if blocks and (is_function or "\n" in blocks[-1]) else "\n"
        blocks.append(f"{apart if blocks else ''}{textwrap.indent(text, '    ')}")
    return "\n".join([f"class {name}({', '.join(bases)}):", "".join(blocks)])


def _bare(text: str) -> str:
    """Return a statement without docstrings and comments; its lines stay as they are."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if ast.get_docstring(node) is not None:
            first, last = node.body[0].lineno - 1, node.body[0].end_lineno or 0
            lines[first:last] = [""] * (last - first)
    kept = io.StringIO("\n".join(lines) + "\n")
    for token in tokenize.generate_tokens(kept.readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


# --- calls of a base --------------------------------------------------------------------------


def _calls_super(text: str) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id == "super" for n in ast.walk(ast.parse(text))
    )


def _written_out(text: str, base: str | None) -> str:
    """Return a method with what its base does in the place of calls of it.

    Raises:
        NotOneClassError: it does more with the base than to hand a case on.
    """
    if base is None:
        raise NotOneClassError
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    lines = text.splitlines()
    head = lines[: function.body[0].lineno - 1]
    writing = _Writing(lines, base)
    written = "\n".join([*head, *writing.block(function.body, {}, 1)])
    if _calls_super(written) and not _is_call_of_torch(written):
        raise NotOneClassError
    return written


def _is_call_of_torch(text: str) -> bool:
    """Return whether the one call that is left is the root's, of torch's own class."""
    calls = [n for n in ast.walk(ast.parse(text)) if _is_super_call(n)]
    return text.startswith("def __init__") and len(calls) == 1


class _Writing:
    """Writes a method out, line by line as its own source and its base's have them."""

    def __init__(self, lines: Sequence[str], base: str) -> None:
        self.lines = lines
        self.base_lines = base.splitlines()
        function = ast.parse(base).body[0]
        if not isinstance(function, ast.FunctionDef):
            raise NotOneClassError
        self.base = function

    def block(
        self, body: Sequence[ast.stmt], known: dict[str, bool], depth: int
    ) -> Iterator[str]:
        """Yield the lines of statements, so deep in."""
        for statement in body:
            call = _handed_on(statement)
            if call is not None:
                for line in self.case(call, known):
                    yield _INDENT * depth + line
            elif isinstance(statement, ast.If):
                yield from self._branches(statement, known, depth)
            else:
                for line in _dedented(self.lines, statement):
                    yield _INDENT * depth + line

    def _branches(
        self, statement: ast.If, known: dict[str, bool], depth: int
    ) -> Iterator[str]:
        about = _about(statement.test)
        inside = {**known, about[0]: about[1]} if about else known
        outside = {**known, about[0]: not about[1]} if about else known
        yield f"{_INDENT * depth}if {ast.unparse(statement.test)}:"
        yield from self.block(statement.body, inside, depth + 1)
        if statement.orelse:
            yield f"{_INDENT * depth}else:"
            yield from self.block(statement.orelse, outside, depth + 1)

    def case(self, call: ast.Call, known: dict[str, bool]) -> Iterator[str]:
        """Yield what the base does where its arguments are what a call gives it."""
        names = [argument.arg for argument in self.base.args.args[1:]]
        defaults = self.base.args.defaults
        given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
        given |= zip(names, call.args, strict=False)
        given |= {k.arg: k.value for k in call.keywords if k.arg is not None}
        facts, values = dict(known), dict[str, str]()
        for name in names:
            value = given.get(name)
            if value is None:
                raise NotOneClassError
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                facts.setdefault(name, value.value)
            elif not (isinstance(value, ast.Name) and value.id == name):
                values[name] = ast.unparse(value)
        body = [s for s in self.base.body if not _is_docstring(s)]
        for statement in _folded(body, facts):
            for line in _dedented(self.base_lines, statement):
                for name, text in values.items():
                    line = re.sub(rf"(?<![.\w]){name}\b", text, line)
                yield line


_INDENT = "    "


def _dedented(lines: Sequence[str], statement: ast.stmt) -> list[str]:
    own = lines[statement.lineno - 1 : statement.end_lineno]
    return textwrap.dedent("\n".join(own)).splitlines()


def _handed_on(statement: ast.stmt) -> ast.Call | None:
    """Return the call of a statement that only hands a case on to the base."""
    if not isinstance(statement, ast.Return | ast.Expr):
        return None
    call = statement.value
    if not _is_super_call(call):
        return None
    assert isinstance(call, ast.Call)
    is_init = isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"
    return call if isinstance(statement, ast.Return) or is_init else None


def _is_super_call(node: ast.AST | None) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call)
        and isinstance(node.func.value.func, ast.Name)
        and node.func.value.func.id == "super"
    )


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _folded(body: Sequence[ast.stmt], known: dict[str, bool]) -> list[ast.stmt]:
    """Return statements without the branches that are not taken, up to a return."""
    folded: list[ast.stmt] = []
    for statement in body:
        about = _about(statement.test) if isinstance(statement, ast.If) else None
        if isinstance(statement, ast.If) and about and about[0] in known:
            taken = known[about[0]] == about[1]
            folded += _folded(statement.body if taken else statement.orelse, known)
        else:
            folded.append(statement)
        if folded and isinstance(folded[-1], ast.Return):
            break
    return folded


def _about(test: ast.expr) -> tuple[str, bool] | None:
    """Return which name a condition is about, and whether it holds where it is true."""
    if isinstance(test, ast.Name):
        return test.id, True
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _about(test.operand)
        return None if inner is None else (inner[0], not inner[1])
    return None


# --- lines that fit ---------------------------------------------------------------------------


def fitted(text: str, width: int = WIDTH) -> str:
    """Return code whose long lines are broken after commas, within brackets."""
    lines = [part for line in text.splitlines() for part in _broken(line, width)]
    new = "\n".join(lines) + "\n" * text.endswith("\n")
    try:
        is_same = ast.dump(ast.parse(new)) == ast.dump(ast.parse(text))
    except SyntaxError:  # it was broken within a string
        return text
    return new if is_same else text


def _broken(line: str, width: int) -> Iterator[str]:
    margin = line[: len(line) - len(line.lstrip())] + _INDENT
    while len(line) > width:
        place = _place_to_break(line, width)
        if place is None:
            break
        yield line[:place].rstrip()
        line = margin + line[place:].lstrip()
    yield line


def _place_to_break(line: str, width: int) -> int | None:
    """Return where to break: after a comma or an opening bracket, where fewest are open."""
    depth, places = 0, list[tuple[int, bool, int]]()
    for index, sign in enumerate(line[: width - 1], 1):
        depth += (sign in "([{") - (sign in ")]}")
        if depth and sign in ",([{" and index > len(line) - len(line.lstrip()) + 8:
            places.append((depth, sign == ",", -index))
    return -min(places)[2] if places else None
