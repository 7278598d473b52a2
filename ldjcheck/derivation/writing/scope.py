"""Names that hold a value at one line of a function, and how to write it there otherwise."""

import ast
import builtins
import copy
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from torch import Tensor

from ldjcheck.derivation.calculus.formulas import Leaf, moment_of
from ldjcheck.derivation.reading.execution import Execution, Moment, Recorded
from ldjcheck.derivation.reading.operands import owner_of, value_of
from ldjcheck.tape import Node

_DEEP = 8  # calls and assignments through which a name is followed
_ATOMS = (int, float, str, bytes, bool, type(None))


class Scope:
    """One function at one moment: what can be written there, and means what it should."""

    def __init__(self, execution: Execution, moment: Moment, call: Recorded) -> None:
        self.execution = execution
        self.moment = moment
        self.form = call.form
        self._executions = call.executions
        self._sources = call.sources
        self._made = call.made

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """What the file calls torch, its `functional`, and what has log for numbers."""
        known = {"torch": "torch", "functional": "torch.nn.functional"}
        for node in ast.walk(self._sources.of(self.execution).tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name in ("torch", "math"):
                        known[alias.name] = alias.asname or alias.name
                    elif alias.name == "torch.nn.functional" and alias.asname:
                        known["functional"] = alias.asname
                    elif alias.name == "numpy":
                        known.setdefault("numpy", alias.asname or "numpy")
            elif isinstance(node, ast.ImportFrom) and node.module == "torch.nn":
                for alias in node.names:
                    if alias.name == "functional":
                        known["functional"] = alias.asname or "functional"
        return {"math": known["numpy"], **known} if "numpy" in known else known

    def word(self, leaf: Leaf) -> str | None:
        """Return how to write what a symbol stands for; None where there is no way."""
        if leaf.node is not None:
            name = self._local(leaf.node)
            if name is not None:
                return name
        for wording in leaf.wordings:
            text = self._reworded(wording.node, wording.execution, wording.moment)
            if text is not None:
                return text
        return None if leaf.node is None else self.tensor(leaf.node)

    @property
    def held(self) -> set[Node]:
        """The tensors that have a plain name here."""
        return {held for held in self.moment.held.values() if isinstance(held, Node)}

    def _local(self, node: Node) -> str | None:
        """Return a plain name that holds a tensor here."""
        found = [name for name, held in self.moment.held.items() if held is node]
        return min(found, key=lambda n: (n.startswith("_"), len(n)), default=None)

    def name(self, node: Node) -> str | None:
        """Return a name, or an attribute of one, that holds a tensor here."""
        local = self._local(node)
        if local is not None:
            return local
        for path, held in self.execution.attributes.items():
            if held is node and self._is_unmoved(path):
                return path
        for name, held in self.moment.held.items():
            if isinstance(held, tuple) and any(item is node for item in held):
                where = next(i for i, item in enumerate(held) if item is node)
                return f"{name}[{where}]"
        return None

    def tensor(self, node: Node, depth: int = 0) -> str | None:
        """Return how to write a tensor here: a name, or the expression that made it."""
        name = self.name(node)
        if name is not None or depth > _DEEP:
            return name
        place = node.place
        made = None if place is None else self._sources.at(place)
        execution = None if place is None else self._executions.get(place.call)
        if not isinstance(made, ast.expr) or execution is None:
            return None
        if _makes_object(made, execution):
            return None  # what a constructor computes inside is not what it makes
        moment = moment_of(execution, node.index)
        if moment is None or not self._is_outcome(node, execution):
            return None
        text = self._reworded(made, execution, moment, depth + 1)
        if text is None or node.part is None:
            return text
        return f"{text}[{node.part}]"

    def _is_outcome(self, node: Node, execution: Execution) -> bool:
        """Return whether a value is what the expression at its place came to.

        A module that is called there runs many operations, and hands back the last. A loop
        runs the expression again, each time on another line's turn.
        """
        place = node.place
        made = [] if place is None else self._made.get((place.call, place.span), [])
        turn = moment_of(execution, node.index)
        here = [each for each in made if moment_of(execution, each.index) is turn]
        if not here or here[-1] is node:
            return True
        return node.part is not None and here[-1].args is node.args

    def _is_unmoved(self, path: str) -> bool:
        root = path.partition(".")[0].partition("[")[0]
        if root not in self.moment.held:
            return root in self.execution.scope
        first = self.execution.moments[0].held.get(root)
        return first is not None and self.moment.held.get(root) is first

    # --- what another function wrote ------------------------------------------------

    def _reworded(
        self, node: ast.expr, execution: Execution, moment: Moment, depth: int = 0
    ) -> str | None:
        """Return an expression of another function, or moment, as it is written here."""
        if depth > _DEEP:
            return None
        try:
            told = _Reworder(self, execution, moment, depth).visit(copy.deepcopy(node))
        except LookupError:
            return None
        return ast.unparse(told)

    def here(
        self, name: str, execution: Execution, moment: Moment, depth: int
    ) -> ast.expr:
        """Return what stands here for another function's name.

        Raises:
            LookupError: nothing does.
        """
        if name not in moment.held:
            return self._global(name, execution)
        value, here = moment.held[name], self.moment.held.get(name, _Nothing)
        is_equal = type(here) is type(value) and isinstance(value, _ATOMS)
        is_equal = is_equal and here == value and execution is self.execution
        if here is value or is_equal:
            return ast.Name(id=name, ctx=ast.Load())
        text = None
        if isinstance(value, Node):
            text = self.tensor(value, depth + 1)
        elif not isinstance(value, (*_ATOMS, Tensor)):
            text = next((n for n, h in self.moment.held.items() if h is value), None)
        text = text or self._argument(name, execution, depth)
        text = text or self._assigned(name, execution, depth)
        if text is None:
            raise LookupError(name)
        return _expression(text)

    def _global(self, name: str, execution: Execution) -> ast.expr:
        theirs, ours = (
            each.scope.get(name, getattr(builtins, name, _Nothing))
            for each in (execution, self.execution)
        )
        if theirs is _Nothing or theirs is not ours or name in self.moment.held:
            raise LookupError(name)
        return ast.Name(id=name, ctx=ast.Load())

    def _argument(self, name: str, execution: Execution, depth: int) -> str | None:
        """Return what a parameter was given, in the words of the caller."""
        caller = execution.caller
        above = None if caller is None else self._executions.get(caller.call)
        if caller is None or above is None or name not in execution.arguments:
            return None
        call = self._sources.at(caller)
        if not isinstance(call, ast.Call):
            return None
        began = execution.moments[0].clock if execution.moments else 0
        moment = moment_of(above, began)
        if moment is None:
            return None
        names = list(execution.arguments)
        given: dict[str, ast.expr] = {
            k.arg: k.value for k in call.keywords if k.arg is not None
        }
        owner = owner_of(call)
        bound = names[:1] in (["self"], ["cls"])
        if bound and owner is not None:
            given[names[0]] = owner
        for parameter, argument in zip(names[bound:], call.args, strict=False):
            given.setdefault(parameter, argument)
        if name not in given or isinstance(given[name], ast.Starred):
            return None
        return self._reworded(given[name], above, moment, depth + 1)

    def _assigned(self, name: str, execution: Execution, depth: int) -> str | None:
        """Return what a local name was set to, where that is done once."""
        function = self._sources.function(execution)
        if function is None:
            return None
        found = [
            node
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
        ]
        if len(found) != 1:
            return None
        line = found[0].lineno
        moment = next((m for m in execution.moments if m.line == line), None)
        if moment is None:
            return None
        return self._reworded(found[0].value, execution, moment, depth + 1)

    def value(self, text: str) -> Any:
        """Return what a text means here.

        Raises:
            LookupError: it cannot be told without running it.
        """
        return value_of(_expression(text), self.moment, self.execution.scope)


class _Nothing:
    """Stands for a name that is not there."""


class _Reworder(ast.NodeTransformer):
    """Replaces the names of an expression by those of another scope."""

    def __init__(
        self, scope: Scope, execution: Execution, moment: Moment, depth: int
    ) -> None:
        self._scope = scope
        self._execution = execution
        self._moment = moment
        self._depth = depth

    def visit_Name(self, node: ast.Name) -> ast.expr:  # ast's name
        scope = self._scope
        return scope.here(node.id, self._execution, self._moment, self._depth)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # ast's name
        try:
            return self.generic_visit(node)
        except LookupError:
            held = self._execution.attributes.get(ast.unparse(node))
            text = None if held is None else self._scope.tensor(held, self._depth + 1)
            if text is None:
                raise
            return _expression(text)

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:  # ast's name
        raise LookupError("a lambda")

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:  # as above
        return self.visit(node.value)  # type: ignore[no-any-return]  # of one expression


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _makes_object(made: ast.expr, execution: Execution) -> bool:
    """Return whether an expression calls a class, which makes no tensor, as `Normal(m, s)`."""
    if not isinstance(made, ast.Call):
        return False
    names: list[str] = []
    function = made.func
    while isinstance(function, ast.Attribute):
        names.insert(0, function.attr)
        function = function.value
    kind = execution.scope.get(getattr(function, "id", ""))
    for name in names:
        kind = getattr(kind, name, None)
    return isinstance(kind, type) and not issubclass(kind, Tensor)
