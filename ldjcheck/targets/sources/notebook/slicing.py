"""The statements of a notebook that some names need, as a run from the top would.

Backward slicing: what binds a needed name is needed, with what it reads and what changes
it afterwards. Names that only function bodies read are needed *softly*: a statement that
is there for their sake may be left out when it cannot be run.
"""

import ast
import builtins
import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from ldjcheck.targets.sources import Grounds, Source, own_names
from ldjcheck.targets.sources.notebook.document import Names, Statement, names_in
from ldjcheck.targets.sources.notebook.side_effects import Doings, aliases, run_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A statement to run: `node` is what of it is needed."""

    statement: Statement
    node: ast.stmt
    is_vital: bool  # else it may be left out when it raises
    names: frozenset[str]  # what it is run for


Left = tuple[Part, str]
"""A part that was left out, since it raised and is not vital, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A statement that is not run, though names need it."""

    statement: Statement
    why: str  # completes "this statement ..."
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What is to be run, and what is needed and cannot be."""

    parts: tuple[Part, ...]
    blocked: tuple[Blocked, ...]


@dataclass(slots=True, eq=False)
class _Chosen:
    """A statement that is needed so far, and what it needs itself."""

    names: set[str] = field(default_factory=set)
    node: ast.stmt | None = None
    is_vital: bool = False
    sources: set[int] = field(default_factory=set)  # without these it cannot run
    read: Names = field(default_factory=Names)


class Notebook:
    """All statements of a notebook, with what each does to names."""

    def __init__(self, statements: tuple[Statement, ...]) -> None:
        self.statements = statements
        self.doings = Doings(s.node for s in statements)
        self.names = [names_in(s.node) for s in statements]
        self.deeds = [self.doings.of(s.node) for s in statements]
        self.aliases = list(aliases(s.node for s in statements))

    @cached_property
    def bound(self) -> tuple[str, ...]:
        """Every name that some statement binds, in order."""
        return tuple(
            dict.fromkeys(n for names in self.names for n in sorted(names.binds))
        )

    def binders(self, name: str) -> list[int]:
        """Return the statements that bind the name."""
        return [i for i in range(len(self.statements)) if self.binds(i, name)]

    def binds(self, index: int, name: str) -> bool:
        """Return whether the statement may bind the name."""
        return name in self.names[index].binds or name in self.deeds[index].binds

    def replaces(self, index: int, name: str) -> bool:
        """Return whether nothing of an earlier value is left after the statement."""
        node = self.statements[index].node
        is_block = isinstance(node, (ast.If, ast.For, ast.While, ast.Try, ast.With))
        return name in self.names[index].binds and not is_block

    def others(self, name: str) -> set[str]:
        """Return the name with all that may stand for the same object."""
        names, before = {name}, 0
        while len(names) > before:
            before = len(names)
            names |= {n for group in self.aliases if group & names for n in group}
        return names

    def classes_that_read(self, names: frozenset[str]) -> Iterator[str]:
        """Yield the classes whose methods read one of these names, as its callers do."""
        for index, statement in enumerate(self.statements):
            node, read = statement.node, self.names[index].reads_later
            if isinstance(node, ast.ClassDef) and {node.name} - names and names & read:
                yield node.name

    def deleter(self, name: str) -> int | None:
        """Return the statement that has deleted the name for good."""
        for index in reversed(range(len(self.statements))):
            if self.binds(index, name):
                return None
            if name in self.names[index].deletes:
                return index
        return None


def slice_for(notebook: Notebook, wanted: Names, *, is_vital: bool = True) -> Slice:
    """Return what must run so that code which reads `wanted` can run at the end.

    Where that is not vital, whatever raises is left out.
    """
    return _Slicer(notebook).slice(wanted, is_vital=is_vital)


def with_callers(notebook: Notebook, wanted: Names, cut: Slice) -> Slice:
    """Return a slice with the classes that call what is wanted, where these can be defined.

    What they make of it tells how it is meant. Nothing else is missed for them.
    """
    callers: frozenset[str] = frozenset()
    for caller in notebook.classes_that_read(wanted.reads | wanted.reads_later):
        more = _Slicer(notebook).slice(wanted, is_vital=True, softly=callers | {caller})
        if more.blocked == cut.blocked:
            callers, cut = callers | {caller}, more
    return cut


class _Slicer:
    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.count = len(notebook.statements)
        self.chosen: dict[int, _Chosen] = {}
        self.asked: set[tuple[str, int, bool]] = set()
        # names read by functions, from where on
        self.later: set[tuple[str, int]] = set()

    def slice(
        self, wanted: Names, *, is_vital: bool, softly: frozenset[str] = frozenset()
    ) -> Slice:
        for name in wanted.reads | wanted.reads_later:
            self.need(name, self.count, is_vital=is_vital)
        for name in softly:
            self.need(name, self.count, is_vital=False)
        while self._follow_functions():
            pass
        blocked = self._blocked()
        parts = tuple(
            Part(
                statement=self.notebook.statements[index],
                node=chosen.node,
                is_vital=chosen.is_vital,
                names=frozenset(chosen.names),
            )
            for index, chosen in sorted(self.chosen.items())
            if index not in blocked and chosen.node is not None
        )
        told = tuple(
            Blocked(
                statement=self.notebook.statements[index],
                why=why,
                names=frozenset(self.chosen[index].names),
            )
            for index, why in sorted(blocked.items())
        )
        return Slice(parts=parts, blocked=told)

    def need(self, name: str, before: int, *, is_vital: bool) -> set[int]:
        """Choose what gives `name` its value before a statement; return which."""
        notebook, found = self.notebook, set()
        for index in reversed(range(before)):
            if not notebook.binds(index, name):
                continue
            found.add(index)
            if notebook.replaces(index, name):
                break
        if not found and not hasattr(builtins, name):
            found = {
                index for index in range(before) if notebook.names[index].imports_all
            }
        if (name, before, is_vital) not in self.asked:
            self.asked.add((name, before, is_vital))
            for index in found:
                self.choose(index, name, is_vital=is_vital)
                self._choose_changes(index, name, is_vital=is_vital)
        return found

    def choose(self, index: int, name: str, *, is_vital: bool) -> None:
        """Take a statement into the slice, for the sake of a name."""
        chosen = self.chosen.setdefault(index, _Chosen())
        if name in chosen.names and (chosen.is_vital or not is_vital):
            return
        chosen.names.add(name)
        chosen.is_vital = chosen.is_vital or is_vital
        notebook = self.notebook
        chosen.node = narrowed(
            notebook.statements[index].node, frozenset(chosen.names), notebook.doings
        )
        chosen.read = names_in(chosen.node)
        for read in chosen.read.reads:
            chosen.sources |= self.need(read, index, is_vital=chosen.is_vital)
        self.later |= {(read, index) for read in chosen.read.reads_later}
        if isinstance(chosen.node, (ast.Import, ast.ImportFrom, ast.Try)):
            for earlier in range(index):
                node = notebook.statements[earlier].node
                if notebook.doings.changes_path(node):
                    self.choose(earlier, "sys.path", is_vital=False)

    def _choose_changes(self, start: int, name: str, *, is_vital: bool) -> None:
        """Choose what changes the object that a statement has bound to `name`."""
        names = self.notebook.others(name)
        for index in range(start + 1, self.count):
            deeds = self.notebook.deeds[index]
            for changed in sorted(names & deeds.changes):
                self.choose(index, changed, is_vital=is_vital)
            for changed in sorted(names & deeds.may_change):
                self.choose(index, changed, is_vital=False)
            if self.notebook.replaces(index, name):
                return

    def _follow_functions(self) -> bool:
        """Choose what functions read when they are called; return whether it was new.

        That is at the end, and at every chosen statement below that calls anything.
        """
        size = len(self.asked)
        nodes = {index: chosen.node for index, chosen in self.chosen.items()}
        calls = [index for index, node in nodes.items() if node and _calls(node)]
        for name, start in sorted(self.later):
            for moment in [self.count, *(index for index in calls if index > start)]:
                self.need(name, moment, is_vital=False)
        return len(self.asked) > size

    def _blocked(self) -> dict[int, str]:
        """Return the chosen statements that cannot be run, and why."""
        blocked = {
            index: hazard
            for index, chosen in self.chosen.items()
            if chosen.node is not None
            and (hazard := self.notebook.doings.of(chosen.node).hazard)
        }
        while True:
            caught = {
                index: source
                for index, chosen in self.chosen.items()
                if index not in blocked
                and (source := min(chosen.sources & blocked.keys(), default=None))
                is not None
            }
            if not caught:
                return blocked
            for index, source in caught.items():
                place = self.notebook.statements[source].place
                why = blocked[source].rpartition("which ")[2]  # at the end of the chain
                blocked[index] = f"needs {place}, which {why}"


def _calls(node: ast.stmt) -> bool:
    return any(
        isinstance(part, ast.Call) or getattr(part, "decorator_list", None)
        for part in run_now([node])
    )


_Statement = TypeVar("_Statement", bound=ast.stmt)
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try)
_FLOW = (ast.Pass, ast.Break, ast.Continue, ast.Raise, ast.Return)


def narrowed(node: _Statement, names: frozenset[str], doings: Doings) -> _Statement:
    """Return the statement with only those of its parts that the names need.

    Prints, plots and values that nobody asked for drop out of a block. What stands in a
    `try` decides whether it raises, so that there only what must never run drops out.
    """
    if not isinstance(node, _BLOCKS) or _is_risky_loop(node, doings):
        return _only_imports(node, names)
    needed = set(names)
    while True:
        kept = _kept(copy.deepcopy(node), frozenset(needed), doings)
        more = needed | names_in(kept).reads
        if more == needed:
            return kept
        needed = more


def _only_imports(node: _Statement, names: frozenset[str]) -> _Statement:
    """Return an import with only what is needed: the rest need not be installed."""
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return node
    kept = [
        alias
        for alias in node.names
        if alias.name == "*" or (alias.asname or alias.name.partition(".")[0]) in names
    ]
    if not kept:  # it is needed for something else
        return node
    fewer = copy.copy(node)
    fewer.names = kept
    return fewer


def _kept(node: _Statement, needed: frozenset[str], doings: Doings) -> _Statement:
    """Return the block, changed in place, with what binds or changes needed names."""
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if body:
            setattr(node, name, _body(body, node, needed, doings))
    for handler in getattr(node, "handlers", []):
        handler.body = _body(handler.body, node, needed, doings)
    return node


def _body(
    body: list[ast.stmt], owner: ast.stmt, needed: frozenset[str], doings: Doings
) -> list[ast.stmt]:
    kept = []
    for node in body:
        if isinstance(owner, ast.Try):
            if not (isinstance(node, ast.Expr) and doings.of(node).hazard):
                kept.append(node)
        elif isinstance(node, _FLOW):
            kept.append(node)
        elif _touches(node, needed, doings):
            is_whole = not isinstance(node, _BLOCKS) or _is_risky_loop(node, doings)
            part = node if is_whole else _kept(node, needed, doings)
            kept.append(_only_imports(part, needed))
    nothing = ast.copy_location(ast.Pass(), body[0])
    return kept or [nothing]


def _is_risky_loop(node: ast.stmt, doings: Doings) -> bool:
    """Return whether the rounds of a loop train or download: half of it means nothing."""
    is_loop = isinstance(node, (ast.For, ast.While))
    return is_loop and doings.of(node).hazard is not None


def _touches(node: ast.stmt, needed: frozenset[str], doings: Doings) -> bool:
    names, deeds = names_in(node), doings.of(node)
    changed = deeds.changes | deeds.may_change | deeds.binds
    return bool(needed & (names.binds | names.deletes | changed))


def grounds_of(
    notebook: Notebook, run: Callable[[Slice], tuple[Source, list[Left]]]
) -> Grounds:
    """Return the source after running all that may be a layer, as far as that can be run.

    Classes and functions are defined; values are made where a class, or a function of the
    source, makes them. `run` returns the source, and what raised and was left out.
    """
    nodes = tuple(s.node for s in notebook.statements)
    own = own_names(nodes)
    wanted = [n for n, node in own.items() if _may_be_layer(node, own)]
    cut = slice_for(notebook, needs_of(wanted), is_vital=False)
    source, skipped = run(cut)
    makers = {n for n, node in own.items() if getattr(node, "value", None) is None}
    troubles = {
        name: f"{part.statement.place} {why}"
        for part, why in skipped
        for name in part.names & set(wanted)
        if name in makers or names_in(part.node).reads & makers
    }
    troubles |= {
        name: f"not run: {blocked.statement.place} {blocked.why}"
        for blocked in cut.blocked
        for name in blocked.names & set(wanted)
    }
    return Grounds(source=source, statements=nodes, troubles=troubles)


def needs_of(wanted: Sequence[str]) -> Names:
    """Return what expressions read; what cannot be read as one wants nothing."""
    found = []
    for text in wanted:
        try:
            found.append(ast.parse(text, mode="eval").body)
        except SyntaxError:  # said when it is evaluated
            continue
    return names_in(ast.Expr(ast.Tuple(found, ast.Load())))


def layer_classes(notebook: Notebook) -> Iterator[str]:
    """Yield the classes that are run like layers, in their order."""
    nodes = (s.node for s in notebook.statements)
    yield from dict.fromkeys(
        node.name for node in nodes
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and any(
            isinstance(inner, ast.FunctionDef) and re.fullmatch("forward|_call", inner.name)
            for inner in node.body
        )
    )  # fmt: skip


def _may_be_layer(node: ast.stmt, own: dict[str, ast.stmt]) -> bool:
    """Return whether a statement defines a class or function, or calls one to make it."""
    value = getattr(node, "value", None)
    if value is None:
        return True
    if not isinstance(value, ast.Call):
        return False
    maker = ast.unparse(value.func).rpartition(".")[2]
    return maker in own or maker[:1].isupper()  # classes begin with a capital
