"""Where an edit may stand, the blamed statement first, and how it is written there."""

import ast
import linecache
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ldjcheck.records import Explanation, Location, Multiplier, Span
from ldjcheck.revision import Live, Replacement, SourceText, call_name
from ldjcheck.revision.text import is_product, is_sum, names_in, span_of
from ldjcheck.tracebacks import cell_file

_NEVER = (
    ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue, ast.Yield,
    ast.YieldFrom, ast.Await, ast.NamedExpr, ast.Lambda,
)  # fmt: skip


COUNTING = {"numel", "nelement", "size", "len", "prod", "dim", "count_nonzero"}
"""What a count is taken by."""

_USED = 0.3  # how much further off a statement is that uses a blamed value
_REGISTERS = ("register_buffer", "register_parameter")
_LOOSE, SUM, PRODUCT, _UNARY, _POWER, _NUMBER, _ATOM = range(7)
"""How closely an expression binds, the loosest first."""

Kind = Literal["", "count", "literal", "number"]


@dataclass(frozen=True, slots=True)
class Change:
    """Replacements that belong together, and how plain an edit they are: 0 is plainest.

    `kind` says what the numbers alone may mistake for something else: a `count` that is
    changed, a `literal` that is taken away, a `number` that is written. `multiplier` is
    the count by which a term is multiplied, in the words of the source.
    """

    cost: float
    replacements: tuple[Replacement, ...]
    kind: Kind = ""
    multiplier: Multiplier | None = None
    meant: str | None = None  # the kind of explanation that it mends, of those of one
    lacked: str | None = None  # what it adds, and what was missing


@dataclass(frozen=True, eq=False)
class Site:
    """One statement in which an edit may stand.

    `rank` is 0 for the blamed statement and grows with the distance from it. What edits
    are looked for may depend on the explanation that asks for one.
    """

    source: SourceText
    statement: ast.stmt
    rank: float
    explanation: Explanation | None = None

    @property
    def operand(self) -> str | None:
        """How the blamed term is written, where it is known."""
        return None if self.explanation is None else self.explanation.operand

    @property
    def multiplier(self) -> Multiplier | None:
        """What the blamed term must be multiplied by, where it is known."""
        return None if self.explanation is None else self.explanation.multiplier

    @cached_property
    def function(self) -> ast.AST:
        """The function in which the statement stands."""
        return self.source.function_of(self.statement)

    @property
    def inside(self) -> tuple[ast.AST, ...]:
        """All nodes of that function."""
        return self.source.nodes_of(self.function)

    @cached_property
    def expressions(self) -> list[ast.expr]:
        """The values of the statement and their parts, the outer ones first."""
        return [
            node
            for node in ast.walk(self.statement)
            if isinstance(node, ast.expr)
            and not isinstance(node, _NEVER)
            and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
            and not self._is_callee(node)
        ]

    @cached_property
    def terms(self) -> list[ast.expr]:
        """The expressions that may be a term or a factor of one, the likely ones first."""
        found = [
            node
            for node in self.expressions
            if not isinstance(node, ast.Tuple | ast.List | ast.Constant | ast.Compare)
            and not self._is_index(node)
            and not self._is_condition(node)
        ]
        return sorted(found, key=lambda node: not self.is_operand(node))

    @cached_property
    def names(self) -> list[str]:
        """The names that the function knows: its parameters, and what it assigns."""
        found: dict[str, None] = {}
        for node in self.inside:
            if isinstance(node, ast.arg):
                found.setdefault(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.setdefault(node.id)
        return list(found)

    @property
    def values(self) -> list[str]:
        """Those names that stand for a value: not the layer's own, and no throwaway's."""
        return [n for n in self.names if n not in ("self", "cls") and n.strip("_")]

    def bound_with(self, name: str) -> set[str]:
        """Return the names that the function binds in a tuple with another one."""
        tuples = (n for n in self.inside if isinstance(n, ast.Tuple))
        bound = ({e.id for e in t.elts if isinstance(e, ast.Name)} for t in tuples)
        return {other for names in bound if name in names for other in names}

    @cached_property
    def parameters(self) -> list[str]:
        """The names of what the function is given, the layer itself apart."""
        given = [node.arg for node in self.inside if isinstance(node, ast.arg)]
        return [name for name in given if name not in ("self", "cls")]

    @property
    def home(self) -> ast.AST:
        """The class of the function, or the file where it is of none."""
        node: ast.AST = self.function
        while node in self.source.parents and not isinstance(node, ast.ClassDef):
            node = self.source.parents[node]
        return node

    @property
    def held(self) -> list[str]:
        """What the class names of its object, such as `self.scale`, each once."""
        found: dict[str, None] = {}
        for node in ast.walk(self.home):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
                found.setdefault(ast.unparse(node))
            elif isinstance(node, ast.Call) and call_name(node) in _REGISTERS:
                name = getattr(next(iter(node.args), None), "value", "")
                if isinstance(name, str) and name.isidentifier():
                    found.setdefault(f"self.{name}")
        return list(found)

    @property
    def computed_with(self) -> list[str]:
        """The names of the function, and what the class reads of its object.

        What is set once at the top of a file counts for the functions of no class.
        """
        read = {
            ast.unparse(node)
            for node in ast.walk(self.home)
            if isinstance(getattr(node, "ctx", None), ast.Load)
        }
        top = self.home.body if isinstance(self.home, ast.Module) else []
        set_ = (t for n in top if isinstance(n, ast.Assign) for t in n.targets)
        named = [
            node.id
            for each in set_
            for node in ast.walk(each)
            if isinstance(node, ast.Name)
        ]
        held = dict.fromkeys((*self.held, *named))
        return [*self.names, *(name for name in held if name in read)]

    @property
    def unused(self) -> list[str]:
        """The names that the function assigns and never reads, throwaways left out."""
        names = [node for node in self.inside if isinstance(node, ast.Name)]
        read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
        kept = [node.id for node in names if isinstance(node.ctx, ast.Store)]
        return [n for n in dict.fromkeys(kept) if n not in read and n[0] != "_"]

    @property
    def modules(self) -> dict[str, str]:
        """What the file calls the modules that it imports, by their own names."""
        return self.source.modules

    def text(self, node: ast.AST) -> str:
        """Return the source of a node."""
        return self.source.text(node)

    def parent(self, node: ast.AST) -> ast.AST:
        """Return the node around another."""
        return self.source.parents[node]

    def put(self, node: ast.AST, text: str, cost: float, kind: Kind = "") -> Change:
        """Return the change that puts a text in the place of a node, and of its brackets."""
        span = self._without_brackets(node) if isinstance(node, ast.expr) else None
        if span is None or binding_of_text(text) != _ATOM:
            span = span_of(node)
        return Change(cost, (self.source.put_at(span, text),), kind)

    def operator(
        self, first: ast.AST, second: ast.AST, old: str, new: str
    ) -> Replacement | None:
        """Return the replacement of an operator that stands between two nodes."""
        line, column, end_line, end_column = self.source.between(first, second)
        found = []
        for number in range(line, end_line + 1):
            row = self.source.lines[number - 1]
            start = column if number == line else 0
            end = end_column if number == end_line else len(row)
            part = row[start:end].split(b"#")[0].decode()
            found += [(number, start + i) for i, c in enumerate(part) if c == old]
        if len(found) != 1:
            return None
        row_number, at = found[0]
        return self.source.put_at((row_number, at, row_number, at + len(old)), new)

    def turned(self, node: ast.AST) -> Replacement | None:
        """Return what makes a plus of a minus, or a minus of it: of a sum, or of `+=`."""
        if isinstance(node, ast.Assign):
            node = node.value
        if is_sum(node):
            first, second = node.left, node.right
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
            first, second = node.target, node.value
        else:
            return None
        return self.operator(first, second, *signs_of(node))

    def argument_of(self, node: ast.AST | None) -> ast.expr | None:
        """Return what a function or a method is applied to; None of what is no call."""
        if not isinstance(node, ast.Call):
            return None
        if isinstance(node.func, ast.Attribute) and not self._is_module(
            node.func.value
        ):
            return node.func.value
        return node.args[0] if node.args else None

    def calls(self, *names: str) -> Iterator[tuple[ast.Call, ast.expr]]:
        """Yield the calls of one of these names, each with what it is applied to."""
        for node in self.expressions:
            if isinstance(node, ast.Call) and call_name(node) in names:
                inner = self.argument_of(node)
                if inner is not None:
                    yield node, inner

    def renamed(self, call: ast.Call, new: str, cost: float) -> Change:
        """Return the change that calls another function of the same module, or tensor."""
        text = self.text(call.func).removesuffix(call_name(call))
        return self.put(call.func, text + new, cost)

    # --- brackets where they are needed, and no others -----------------------------------

    def as_factor(self, node: ast.expr) -> str:
        """Return a node's source, fit to stand in a product, or behind a minus."""
        text = self.text(node)
        return f"({text})" if binding_of(node) < PRODUCT else text

    def as_atom(self, node: ast.expr) -> str:
        """Return a node's source, fit to have `.method()` written after it."""
        text = self.text(node)
        return f"({text})" if binding_of(node) < _ATOM else text

    def in_place(self, node: ast.expr, text: str, binding: int = PRODUCT) -> str:
        """Return a text, bracketed as the place of `node` demands: a product's, if no other."""
        bare = binding >= self._demanded(node) or self.source.is_bracketed(node)
        return text if bare else f"({text})"

    def kept(self, node: ast.expr, part: ast.expr) -> str:
        """Return a part's source, bracketed so that it can stand where the whole stood."""
        return self.in_place(node, self.text(part), binding_of(part))

    def alone(self, node: ast.expr, part: ast.expr) -> Replacement:
        """Return what puts a part in the place of the whole; it may need no brackets then.

        A statement that would give a name to what bears it already is taken out.
        """
        if ast.unparse(self.statement) == f"{ast.unparse(part)} = {ast.unparse(node)}":
            return self.gone()
        span = span_of(node)
        if binding_of(part) == _ATOM:
            span = self._without_brackets(node)
        return self.source.put_at(span, self.kept(node, part))

    def rewritten(self, node: ast.expr, text: str) -> Replacement:
        """Return what puts some code in the place of a node; brackets that it needs not go."""
        binding = binding_of_text(text)
        span = self._without_brackets(node) if binding == _ATOM else span_of(node)
        return self.source.put_at(span, self.in_place(node, text, binding))

    def gone(self) -> Replacement:
        """Return the replacement that takes the statement out, its line with it."""
        source, statement = self.source, self.statement
        line, column, end_line, end = span_of(statement)
        row, last = source.lines[line - 1], source.lines[end_line - 1]
        before, after = row[:column], last[end:]
        if len(source.block(statement)) == 1:
            return source.put(statement, "pass")
        if not before.strip() and not after.split(b"#")[0].strip():
            # The whole line goes, its end included, so that no empty one is left.
            return source.put_at((line, 0, end_line, len(last)), "")
        if after.lstrip().startswith(b";"):
            rest = after.lstrip()[1:].lstrip(b" \t")
            end += len(after) - len(rest)
            return source.put_at((line, column, end_line, end), "")
        kept = before.rstrip().rstrip(b";").rstrip()
        return source.put_at((line, len(kept), end_line, end), "")

    def _without_brackets(self, node: ast.expr) -> tuple[int, int, int, int]:
        """Return the span of an expression, with brackets around it on its line."""
        line, column, end_line, end = span_of(node)
        row = self.source.lines[line - 1]
        before, after = row[:column].rstrip(), row[end:]
        runs_on = before[-2:-1].isalnum()  # `return(x)`
        bare = line != end_line or runs_on or not before.endswith(b"(")
        if bare or not self.source.is_bracketed(node):
            return line, column, end_line, end
        gap = len(after) - len(after.lstrip())
        return line, len(before) - 1, end_line, end + gap + 1

    def _demanded(self, node: ast.expr) -> int:
        """Return how closely what stands in a node's place must bind, to need no brackets."""
        parent = self.parent(node)
        if isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node:
            return _ATOM
        if isinstance(parent, ast.UnaryOp):
            return PRODUCT
        if not isinstance(parent, ast.BinOp):
            return _LOOSE
        if isinstance(parent.op, ast.Pow):
            return _NUMBER if parent.left is node else _UNARY
        if is_product(parent):
            return PRODUCT + (parent.right is node)
        return (
            PRODUCT if isinstance(parent.op, ast.Sub) and parent.right is node else SUM
        )

    def _is_module(self, node: ast.expr) -> bool:
        """Return whether an expression names a module, such as `torch` or `torch.linalg`."""
        while isinstance(node, ast.Attribute):
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self.names:
            return False
        return node.id in self.source.imported

    def beside(self, text: str) -> list[Replacement]:
        """Return the insertions of a statement after and before the site's own."""
        source = self.source
        line, column, end_line, end = span_of(self.statement)
        indent, row = (
            source.lines[line - 1][:column].decode(),
            source.lines[end_line - 1],
        )
        if indent.strip() or row[end:].split(b"#")[0].strip():
            return []  # other statements share the line
        last = len(row.rstrip(b"\r\n"))
        return [
            self.inserted(end_line, last, f"\n{indent}{text}"),
            self.inserted(line, column, f"{text}\n{indent}"),
        ]

    def inserted(self, line: int, column: int, text: str) -> Replacement:
        """Return the insertion of a text."""
        return self.source.put_at((line, column, line, column), text)

    def dedented(self, block: Sequence[ast.stmt], column: int) -> str:
        """Return the text of some statements as it reads from another column on."""
        (line, begin, *_), (*_, end_line, end) = span_of(block[0]), span_of(block[-1])
        text, deeper = self.source.at(line, begin, end_line, end), begin - column
        first, *rows = text.splitlines(keepends=True)
        bare = (row if row[:deeper].strip() else row[deeper:] for row in rows)
        return "".join((first, *bare))

    def _is_callee(self, node: ast.AST) -> bool:
        parent = self.source.parents[node]
        if isinstance(parent, ast.Call) and parent.func is node:
            return True
        holders = (*self.modules.values(), "self", "cls")
        is_holder = isinstance(node, ast.Name) and node.id in holders
        return is_holder and isinstance(parent, ast.Attribute)

    def _is_condition(self, node: ast.AST) -> bool:
        """Return whether a node stands in what decides between branches: no number there."""
        while node is not self.statement:
            around = self.parent(node)
            if getattr(around, "test", None) is node or isinstance(around, ast.Not):
                return True
            node = around
        return False

    def _is_index(self, node: ast.AST) -> bool:
        parent = self.source.parents[node]
        while isinstance(parent, ast.Tuple | ast.UnaryOp):
            node, parent = parent, self.source.parents[parent]
        return isinstance(parent, ast.Subscript) and parent.slice is node

    def is_operand(self, node: ast.AST) -> bool:
        """Return whether a node is the blamed term, as it is written, or the name of it."""
        if self.operand is None:
            return False
        text, told = ast.unparse(node), plain_text(self.operand)
        if text == told:
            return True
        made = (n for n in self.inside if isinstance(n, ast.Assign))
        named = (n for n in made if ast.unparse(n.targets[0]) == text)
        return any(ast.unparse(each.value) == told for each in named)


def signs_of(node: ast.BinOp | ast.AugAssign) -> tuple[str, str]:
    """Return the operator of a sum as it is written, and the other one."""
    return ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")


def binding_of(node: ast.expr) -> int:
    """Return how closely an expression binds."""
    if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        return _ATOM
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow):
            return _POWER
        return PRODUCT if is_product(node) else SUM
    if isinstance(
        node,
        ast.IfExp | ast.Lambda | ast.BoolOp | ast.Compare | ast.NamedExpr | ast.Tuple,
    ):
        return _LOOSE
    return _UNARY if isinstance(node, ast.UnaryOp) else _NUMBER


def binding_of_text(text: str) -> int:
    """Return how closely some code binds."""
    try:
        return binding_of(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return _LOOSE


def plain_text(text: str) -> str:
    """Return some code as Python itself would write it."""
    try:
        return ast.unparse(ast.parse(text, mode="eval"))
    except (SyntaxError, ValueError):
        return text


def real_file(location: Location) -> str:
    """Return the name by which a location's file was loaded."""
    file = location.file
    if location.cell is not None:
        file = cell_file(file, location.cell)
    here = os.path.join(os.getcwd(), file)
    return here if os.path.isfile(here) or linecache.getlines(here) else file


def sites_for(
    live: Live,
    blamed: Location | None,
    explanation: Explanation | None,
    touched: Sequence[Span],
    *,
    lacking: bool = False,
) -> list[Site]:
    """Return the statements in which an edit may stand, the likeliest first.

    First the blamed one, and where the blamed value, or a count in it, is made, and where it
    is used; then those of the ldj's own arithmetic near it; then what the functions return.
    What is `lacking` may be written anywhere near.
    """
    ranks: dict[ast.stmt, tuple[float, SourceText]] = {}

    def note(source: SourceText, statement: ast.stmt, rank: float) -> None:
        known = ranks.get(statement)
        if known is None or rank < known[0]:
            ranks[statement] = rank, source

    here = None if blamed is None else live.sources.get(real_file(blamed))
    functions: list[ast.AST] = []
    if blamed is not None and here is not None:
        column = None if blamed.column is None else blamed.column - 1
        for statement in here.statements.get(blamed.line, ()):
            off = column is not None and not _covers(statement, blamed.line, column)
            note(here, statement, 0.1 * off)
            functions.append(here.function_of(statement))
        if not functions:  # the head of a block is blamed
            line = blamed.line
            around = [f for f in here.functions if f.lineno <= line < _lines(f)[1]]
            functions += around[-1:]
    for index, span in enumerate(() if explanation is None else explanation.spans):
        for source, statement in live.statements(span.file, span.line):
            note(source, statement, 0.2 + index / 50)
            functions.append(source.function_of(statement))
    on_tape = {(span.file, span.line) for span in touched}

    def note_made() -> None:
        for statement, (rank, source) in [*ranks.items()]:
            for made, is_counted in _made_for(source, statement):
                if is_counted or (source.file, made.lineno) not in on_tape:
                    note(source, made, rank + (0.6 if is_counted else 0.3))

    note_made()
    # What lacks belongs to where it is made, and not to where that is used.
    blamed_ones = [] if lacking else [e for e in ranks.items() if e[1][0] < _USED]
    for statement, (rank, source) in blamed_ones:
        for user in _users_of(source, statement):
            note(source, user, rank + _USED)
    if here is not None and blamed is not None and (lacking or not touched):
        for function in functions:
            for line in range(*_lines(function)):
                for statement in here.statements.get(line, ()):
                    note(here, statement, 1 + min(abs(line - blamed.line), 99) / 100)
    for span in touched:
        for source, statement in live.statements(span.file, span.line):
            function = source.function_of(statement)
            near = function in functions
            distance = abs(span.line - blamed.line) if blamed is not None else 0
            note(source, statement, (1 if near else 2) + min(distance, 99) / 100)
            for node in _returns(source, function):
                note(source, node, 3 + (not near))
    if blamed is None:
        note_made()
    if here is not None:
        for node in (node for f in functions for node in _returns(here, f)):
            note(here, node, 3)
    ordered = sorted(ranks.items(), key=lambda item: item[1][0])
    return [
        Site(source, statement, rank, explanation)
        for statement, (rank, source) in ordered
        if live.is_running(source.file, statement)
    ]


def _users_of(source: SourceText, statement: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the statements of a function that use the name which one of them gives."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(target, ast.Name):
        return
    for node in source.nodes_of(source.function_of(statement)):
        if not isinstance(node, ast.Name) or node.id != target.id:
            continue
        for other in source.statements.get(node.lineno, ()):
            if isinstance(node.ctx, ast.Load) and other is not statement:
                yield other


def _made_for(
    source: SourceText, statement: ast.stmt
) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield where what a statement names is made, and whether that is a count.

    No tape records counts, constants, or the derivative of another function. What is made
    of names in its turn is followed within the function; counts into those that it calls.
    """
    names = names_in(statement)
    called = {call_name(part) for part in ast.walk(statement)}
    before = [
        node
        for node in source.nodes_of(source.function_of(statement))
        if isinstance(node, ast.Assign) and node.lineno < statement.lineno
    ]
    for node in sorted(before, key=lambda node: node.lineno, reverse=True):
        counts = _counts(node.value)
        set_ = [t for t in node.targets if isinstance(t, ast.Name) or counts]
        if set().union(*map(names_in, set_)) & names:
            names |= names_in(node.value)
            yield node, counts
    for function in source.functions:
        if getattr(function, "name", None) in called:
            for returned in _returns(source, function):
                if returned.value is not None and _counts(returned.value):
                    yield returned, True


def _counts(node: ast.expr) -> bool:
    return any(
        call_name(part) in COUNTING or getattr(part, "attr", "") == "shape"
        for part in ast.walk(node)
    )


def _lines(node: ast.AST) -> tuple[int, int]:
    if isinstance(node, ast.Module):
        return 0, 0
    first, _, last, _ = span_of(node)
    return first, last + 1


def _returns(source: SourceText, function: ast.AST) -> Iterator[ast.Return]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value and node in source.parents:
            yield node


def _covers(node: ast.AST, line: int, column: int) -> bool:
    first, start, last, end = span_of(node)
    return (first, start) <= (line, column) < (last, end)
