"""From derived lines to an edit of the source: what goes, what comes, what is returned."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from torch import Tensor

from ldjcheck.derivation.reading.execution import Recorded
from ldjcheck.derivation.reading.ldj_sites import Home
from ldjcheck.derivation.writing.codegen import Spelled
from ldjcheck.revision import Replacement, SourceText, call_name
from ldjcheck.revision.text import first_of, names_in, span_of, targets_of
from ldjcheck.tape import Node, Place

_ZEROS = ("zeros", "new_zeros", "zeros_like")


Side = Literal["before", "after"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Line:
    """A derived statement: which terms stand on which side of which statement."""

    home: Home
    statement: ast.stmt
    side: Side
    parts: tuple[Spelled, ...]
    whys: tuple[str, ...]  # one for each part
    renamed: Replacement | None = None  # of what a sublayer's ldj is assigned to


class NoPlaceError(Exception):
    """A derived line cannot be put where it belongs."""


class ConflictError(NoPlaceError):
    """Two runs of one statement have different terms."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Said:
    """One derived statement: the statement of the map that it goes with, and why."""

    place: Place | None
    text: str
    why: str
    part: Spelled | None = None  # what is added or subtracted, where that is one thing


def statements_of(
    call: Recorded, home: Home, lines: Sequence[Line]
) -> tuple[list[Said], list[Replacement]]:
    """Return the statements of one function, and the edit that puts them there.

    Raises:
        NoPlaceError: there is no place for one of them.
    """
    return _Edit(call, home, lines).made()


class _Edit:
    def __init__(self, call: Recorded, home: Home, lines: Sequence[Line]) -> None:
        self._call = call
        self._source = home.source
        self._home = home
        self._lines = _without_repetitions(lines)

    def made(self) -> tuple[list[Said], list[Replacement]]:
        home = self._home
        if home.slot == "attribute" and not self._lines:
            return [], []  # it is zero, or whatever it says of a map that keeps volume
        removed = [] if home.slot == "absent" else self._only_for_ldj()
        whole = dict.fromkeys(self._asked_alone(each, removed) for each in removed)
        changes = [_without(self._source, statement) for statement in whole]
        changes += [] if home.slot == "absent" else self._shortened()
        is_begun = home.is_total or self._is_begun(removed)
        said: list[Said] = []
        if not is_begun and self._lines and not self._is_straight():
            changes.append(self._at_top(f"{home.name} = {self._zeros()}"))
            is_begun = True
        for line in self._lines:
            texts = []
            for part, why in zip(map(self._signed, line.parts), line.whys, strict=True):
                texts.append(self._statement(part, is_begun))
                is_begun = True
                place = home.place(line.statement)
                said.append(Said(place=place, text=texts[-1], why=why, part=part))
            if texts:
                changes.append(self._beside(line, texts))
            if line.renamed is not None:
                changes.append(line.renamed)
        changes += self._returned(is_begun)
        return said, list(dict.fromkeys(changes))

    # --- the new statements -----------------------------------------------------------

    def _signed(self, part: Spelled) -> Spelled:
        is_taken_off = self._call.form.sign < 0
        return replace(part, minus=not part.minus) if is_taken_off else part

    def _statement(self, part: Spelled, is_begun: bool) -> str:
        name = self._home.name
        if is_begun:
            return f"{name} = {part.after(name)}"
        if part.varies:
            return f"{name} = {part.after(None)}"
        return f"{name} = {part.after(self._zeros())}"

    def _zeros(self) -> str:
        """Return one zero for each sample, in the precision of the input."""
        execution = self._home.execution
        batch = self._call.trace.batch
        for name in execution.arguments:
            held = execution.moments[0].held.get(name)
            if isinstance(held, tuple) and held:
                first, text = held[0], f"{name}[0]"
            else:
                first, text = held, name
            if (
                (isinstance(first, Node) and first.value.dim() > 1)
                and len(first.value) == batch
                and first.value.is_floating_point()
            ):
                return self._call.form.zeros(text)
        raise NoPlaceError("no argument tells how many samples there are")

    def _is_straight(self) -> bool:
        """Return whether all lines stand in one block, with the return or above it."""
        blocks = {id(self._source.block(line.statement)) for line in self._lines}
        if len(blocks) != 1:
            return False
        node: ast.AST = self._lines[0].statement
        while node is not self._home.function:
            node = self._source.parents[node]
            if isinstance(node, (ast.For, ast.While, ast.Try, ast.With)):
                return False
        inside = self._source.block(self._lines[0].statement)
        returns = self._source.block(self._home.returns)
        return inside is returns

    def _beside(self, line: Line, texts: Sequence[str]) -> Replacement:
        source, statement = self._source, line.statement
        first, column, last, end = span_of(statement)
        row = source.lines[first - 1]
        indent = row[:column].decode()
        after = source.lines[last - 1][end:].split(b"#")[0].strip()
        if indent.strip() or after:
            raise NoPlaceError(f"line {first} holds several statements")
        if self._may_be_none(statement):
            inside = "".join(f"\n{indent}    {each}" for each in texts)
            texts = [f"if {self._home.name} is not None:{inside}"]
        if line.side == "before":
            text = "".join(f"{each}\n{indent}" for each in texts)
            return source.put_at((first, column, first, column), text)
        edge = len(source.lines[last - 1].rstrip(b"\r\n"))
        text = "".join(f"\n{indent}{each}" for each in texts)
        return source.put_at((last, edge, last, edge), text)

    def _asked_alone(self, node: ast.stmt, removed: Sequence[ast.stmt]) -> ast.stmt:
        """Return a statement, or the question after the total that nothing else follows."""
        parent = self._source.parents.get(node)
        if (
            isinstance(parent, ast.If)
            and not parent.orelse
            and _reads(parent.test) == {self._home.name}
            and all(each in removed for each in parent.body)
        ):
            return parent
        return node

    def _may_be_none(self, statement: ast.stmt) -> bool:
        """Return whether nobody may have passed a total yet where a statement stands.

        Nothing before it, and nothing around it, has asked for that.
        """
        home = self._home
        if not home.is_total or not _is_none_by_default(home.function, home.name):
            return False
        asked = (
            node
            for node in ast.walk(home.function)
            if isinstance(node, ast.If) and home.name in _reads(node.test)
        )
        return all(node.lineno >= statement.lineno for node in asked)

    def _at_top(self, text: str) -> Replacement:
        line, column, *_ = span_of(first_of(self._home.function))
        indent = self._source.lines[line - 1][:column].decode()
        if indent.strip():
            raise NoPlaceError("the function stands on one line")
        return self._source.put_at((line, column, line, column), f"{text}\n{indent}")

    def _returned(self, is_begun: bool) -> Iterator[Replacement]:
        home = self._home
        if home.slot == "attribute":
            return
        if not is_begun and home.slot != "absent" and self._says_zero():
            return
        text = home.name if is_begun else self._zeros()
        if home.slot == "absent":
            value = home.output
            written = self._source.text(value)
            if isinstance(value, ast.Tuple) and not written.startswith("("):
                written = f"({written})"
            yield self._source.put(value, f"{written}, {text}")
        elif home.ldj is None or (home.slot == "name" and is_begun):
            return
        elif self._source.text(home.ldj) != text:
            yield self._source.put(home.ldj, text)

    def _says_zero(self) -> bool:
        """Return whether what is handed back as the ldj is nothing already."""
        said = self._home.said
        held = said.value if isinstance(said, Node) else said
        if isinstance(held, Tensor):
            return not bool(held.any())
        return held is None or held == 0

    # --- the old ones -------------------------------------------------------------------

    @cached_property
    def _assignments(self) -> list[ast.Assign | ast.AugAssign | ast.AnnAssign]:
        """The assignments that this way runs: a branch of the other way is not its own."""
        code = self._home.execution.code
        runs = (e for e in self._call.executions.values() if e.code is code)
        lines = {moment.line for each in runs for moment in each.moments}
        return [
            node
            for node in ast.walk(self._home.function)
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
            and not lines.isdisjoint(
                range(node.lineno, (node.end_lineno or node.lineno) + 1)
            )
        ]

    def _is_begun(self, removed: Sequence[ast.stmt]) -> bool:
        """Return whether the ldj's name is set, before the first line, by what stays."""
        if self._home.slot != "name":
            return False
        first = min((line.statement.lineno for line in self._lines), default=10**9)
        renamed = [line.statement for line in self._lines if line.renamed is not None]
        renamed += self._paired
        for node in self._assignments:
            if isinstance(node, ast.Assign) and node not in (*removed, *renamed):
                names = [n for t in node.targets for n in names_in(t)]
                if self._home.name in names and node.lineno <= first:
                    return True
        return False

    @cached_property
    def _paired(self) -> list[ast.Assign]:
        """The statements that set the ldj beside something else: `y, ldj = y * a, b`."""
        names = self._ldj_names
        return [
            node
            for node in self._assignments
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Tuple)
            and isinstance(node.value, ast.Tuple)
            and len(node.targets[0].elts) == len(node.value.elts)
            and any(_is_of(each, names) for each in node.targets[0].elts)
            and not all(_is_of(each, names) for each in node.targets[0].elts)
        ]

    @cached_property
    def _ldj_names(self) -> set[str]:
        """The names that serve the ldj alone."""
        home = self._home
        start = _reads(home.ldj) if home.ldj is not None else set()
        feeding = _feeding(home.function, start | {home.name})
        return feeding - _needed(home.function, home.name, home)

    def _shortened(self) -> list[Replacement]:
        """Return what takes the ldj out of statements that set something else as well."""
        found = []
        for node in self._paired:
            target, value = node.targets[0], node.value
            assert isinstance(target, ast.Tuple)
            assert isinstance(value, ast.Tuple)
            kept = [
                (self._source.text(t), self._source.text(v))
                for t, v in zip(target.elts, value.elts, strict=True)
                if not _is_of(t, self._ldj_names)
            ]
            left, right = (", ".join(side) for side in zip(*kept, strict=True))
            found.append(self._source.put(node, f"{left} = {right}"))
        return found

    def _only_for_ldj(self) -> list[ast.stmt]:
        """Return the statements that serve the ldj alone, and are not its start at zero."""
        found: list[ast.stmt] = []
        for node in self._assignments:
            targets = targets_of(node)
            kept = self._home.slot == "attribute" and self._home.name
            if kept in [ast.unparse(target) for target in targets]:
                found.append(node)
                continue
            if not all(isinstance(target, ast.Name) for target in targets):
                continue
            names = {n for target in targets for n in names_in(target)}
            first = min((x.statement.lineno for x in self._lines), default=10**9)
            is_start = _starts_at_zero(node) and node.lineno <= first
            if not names <= self._ldj_names or is_start:
                continue
            found.append(node)
        return found


def _is_none_by_default(function: ast.AST, name: str) -> bool:
    """Return whether an argument of a function is None where it is not given."""
    arguments = getattr(function, "args", None)
    if not isinstance(arguments, ast.arguments):
        return False
    placed = [*arguments.posonlyargs, *arguments.args]
    defaults: dict[str, ast.expr | None] = {
        each.arg: default
        for each, default in zip(
            reversed(placed), reversed(arguments.defaults), strict=False
        )
    }
    alone = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    defaults |= {each.arg: default for each, default in alone}
    default = defaults.get(name)
    return isinstance(default, ast.Constant) and default.value is None


def _is_of(target: ast.expr, names: set[str]) -> bool:
    return isinstance(target, ast.Name) and target.id in names


def _starts_at_zero(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Assign):
        return False
    value = node.value
    if isinstance(value, ast.Constant):
        return value.value == 0
    return call_name(value) in _ZEROS


def _needed(function: ast.AST, ldj: str, home: Home) -> set[str]:
    """Return the names that the output, or a decision, depends on."""
    needed: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            parts = node.value.elts if isinstance(node.value, ast.Tuple) else []
            kept = [p for p in parts if p is not home.ldj]
            if node is home.returns or (len(parts) == _width(home) and parts):
                kept = [p for i, p in enumerate(parts) if i != home.position]
            elif not parts:
                kept = [node.value]
            for part in kept:
                needed |= _reads(part)
        elif isinstance(node, (ast.If, ast.While, ast.IfExp, ast.Assert)):
            needed |= _reads(node.test)
        elif isinstance(node, (ast.For, ast.comprehension)):
            needed |= _reads(node.iter)
        elif isinstance(node, (ast.Expr, ast.withitem)):
            needed |= _reads(node)
    needed.discard(ldj)
    size = -1
    while size != len(needed):
        size = len(needed)
        for node, names in _settings(function):
            plain = all(isinstance(t, (ast.Name, ast.Tuple)) for t in targets_of(node))
            if names & needed or not plain:
                value = node.iter if isinstance(node, ast.For) else node.value
                needed |= _reads(value) | names
        needed.discard(ldj)
    return needed


def _width(home: Home) -> int:
    value = home.returns.value
    return len(value.elts) if isinstance(value, ast.Tuple) else 0


def _feeding(function: ast.AST, start: set[str]) -> set[str]:
    """Return the names that some names are computed from."""
    found, size = set(start), -1
    while size != len(found):
        size = len(found)
        for node, names in _settings(function):
            if names & found and not isinstance(node, ast.For):
                found |= _reads(node.value)
    return found


def _settings(
    function: ast.AST,
) -> Iterator[tuple[ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For, set[str]]]:
    """Yield what sets names in a function, and which."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For):
            yield node, {n for target in targets_of(node) for n in names_in(target)}


def _reads(node: ast.AST | None) -> set[str]:
    if node is None:
        return set()
    return {
        n.id
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }


def _without(source: SourceText, statement: ast.stmt) -> Replacement:
    """Return the replacement that takes a statement out, its line with it."""
    first, column, last, end = span_of(statement)
    before = source.lines[first - 1][:column]
    after = source.lines[last - 1][end:].split(b"#")[0]
    if len(source.block(statement)) == 1:
        return source.put(statement, "pass")
    if before.strip() or after.strip():
        raise NoPlaceError(f"line {first} holds several statements")
    return source.put_at((first, 0, last, len(source.lines[last - 1])), "")


def _texts(line: Line) -> list[tuple[str, bool, bool]]:
    return [(part.text, part.minus, part.varies) for part in line.parts]


def _without_repetitions(lines: Sequence[Line]) -> list[Line]:
    """Return the lines of all rounds of a loop, and of all calls, once each.

    Raises:
        ConflictError: a statement has other terms in another round.
    """
    found: dict[ast.stmt, Line] = {}
    for line in lines:
        known = found.setdefault(line.statement, line)
        if known.side != line.side or _texts(known) != _texts(line):
            raise ConflictError(
                f"line {line.statement.lineno} has other terms in another round"
            )
    return sorted(found.values(), key=lambda line: line.statement.lineno)
