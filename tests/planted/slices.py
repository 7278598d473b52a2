"""The ldj's own code: which expressions enter the returned ldj linearly.

A backward slice over the functions that ran, from the returned ldj up through sums,
signs, factors, reductions, accumulators, lists, helper calls and properties. It stops
at a *term*: a logarithm, a softplus, a parameter, anything that is not linear. It is
flow-insensitive and resolves calls by name among what ran, which is enough here: an
edit that reaches the map or leaves the ldj alone is thrown out later, by running it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .source import Function

MODULES = {"torch", "np", "numpy", "math", "F", "f", "functools", "operator", "utils"}
MODULES |= {"torchutils", "linalg", "splines"}
REDUCTIONS = {"sum", "mean"}
RESHAPES = {"reshape", "view", "expand", "expand_as", "repeat", "unsqueeze", "squeeze"}
RESHAPES |= {"flatten", "permute", "transpose", "to", "type", "clone", "contiguous"}
RESHAPES |= {"movedim", "double", "float", "unflatten", "as_tensor", "_sum_rightmost"}
JOINS = {"stack", "cat", "where", "reduce", "full_like", "sum"}
LOGS = {"log", "log1p"}
ZEROS = {"zeros", "zeros_like", "new_zeros", "zero_log_det_like_z"}


def call_name(call: ast.Call) -> str:
    """Return the last part of what is called: `sum` for `torch.sum` and `x.sum`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def receiver(call: ast.Call) -> ast.expr | None:
    """Return `x` of `x.sum()`, None for `torch.sum(x)` and `sum(x)`."""
    if not isinstance(call.func, ast.Attribute):
        return None
    base: ast.expr = call.func.value
    while isinstance(base, ast.Attribute):
        if base.attr in MODULES:
            return None
        base = base.value
    if isinstance(base, ast.Name) and base.id in MODULES:
        return None
    return call.func.value


def operand(call: ast.Call) -> ast.expr | None:
    """Return what a one-operand function or method works on."""
    found = receiver(call)
    if found is None and call.args:
        return call.args[0]
    return found


def is_zero(node: ast.expr) -> bool:
    """Return whether an expression is an empty start: 0, `zeros`, an empty list."""
    if isinstance(node, ast.Constant):
        return node.value in (0, None)
    if isinstance(node, ast.List):
        return not node.elts
    return isinstance(node, ast.Call) and call_name(node) in ZEROS


@dataclass(frozen=True, eq=False)
class Mark:
    """An expression that enters the ldj linearly, and the statement it stands in."""

    function: Function
    statement: ast.stmt
    node: ast.expr


@dataclass(frozen=True, eq=False)
class Use:
    """A place where the value that a statement made is taken up again."""

    function: Function
    statement: ast.stmt
    node: ast.expr


@dataclass
class Slice:
    """The ldj's linear part, and how values move on from statement to statement."""

    functions: tuple[Function, ...]
    marks: dict[ast.expr, Mark] = field(default_factory=dict)
    products: dict[ast.expr, Mark] = field(default_factory=dict)  # inside a logarithm
    uses: dict[ast.stmt, list[Use]] = field(default_factory=dict)
    sources: dict[ast.expr, list[tuple[Function, ast.stmt]]] = field(
        default_factory=dict
    )
    _returned: set[tuple[int, int | None]] = field(default_factory=set)
    _calls: dict[int, list[tuple[Function, ast.stmt, ast.Call]]] = field(
        default_factory=dict
    )
    _linear_parameters: dict[int, set[str]] = field(default_factory=dict)

    # --- walking back ----------------------------------------------------------

    def result(
        self,
        function: Function,
        statement: ast.stmt,
        node: ast.expr,
        part: int | None,
        in_log: bool = False,
    ) -> None:
        """Mark component `part` of what an expression gives, or all of it."""
        if part is None:
            self.product(function, statement, node) if in_log else self.mark(
                function, statement, node
            )
        elif isinstance(node, ast.Tuple):
            if part < len(node.elts):
                self.result(function, statement, node.elts[part], None, in_log)
        elif isinstance(node, ast.IfExp):
            self.result(function, statement, node.body, part, in_log)
            self.result(function, statement, node.orelse, part, in_log)
        elif isinstance(node, ast.Call):
            self._call(function, statement, node, part)
        elif isinstance(node, ast.Name):
            for maker, value, _ in self._makers(function, node.id):
                self._flow(function, maker, statement, node)
                self.result(function, maker, value, part, in_log)

    def returns(self, function: Function, part: int | None) -> None:
        """Mark what a function returns."""
        if (id(function), part) in self._returned:
            return
        self._returned.add((id(function), part))
        for statement in function.statements():
            if isinstance(statement, ast.Return) and statement.value is not None:
                self.result(function, statement, statement.value, part)

    def mark(self, function: Function, statement: ast.stmt, node: ast.expr) -> None:
        """Mark an expression and what it takes its terms from."""
        if node in self.marks:
            return
        self.marks[node] = Mark(function, statement, node)
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
                self.mark(function, statement, node.left)
                if not isinstance(node.op, ast.Div):
                    self.mark(function, statement, node.right)
        elif isinstance(node, ast.UnaryOp):
            self.mark(function, statement, node.operand)
        elif isinstance(node, ast.IfExp):
            self.mark(function, statement, node.body)
            self.mark(function, statement, node.orelse)
        elif isinstance(node, ast.Name):
            self._name(function, statement, node, in_log=False)
        elif isinstance(node, ast.Attribute):
            for callee in self._named(node.attr):
                if callee.is_property:
                    self._link(function, statement, node, callee, None)
        elif isinstance(node, ast.Subscript):
            self.mark(function, statement, node.value)
        elif isinstance(node, ast.List | ast.Tuple):
            for element in node.elts:
                self.mark(function, statement, element)
        elif isinstance(node, ast.Call):
            self._call(function, statement, node, None)

    def product(self, function: Function, statement: ast.stmt, node: ast.expr) -> None:
        """Mark the factors of what a logarithm is taken of: each is a term."""
        if node in self.products:
            return
        self.products[node] = Mark(function, statement, node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            self.product(function, statement, node.left)
            self.product(function, statement, node.right)
        elif isinstance(node, ast.Name):
            self._name(function, statement, node, in_log=True)
        elif isinstance(node, ast.Call) and call_name(node) == "abs":
            inner = operand(node)
            if inner is not None:
                self.product(function, statement, inner)

    def _call(
        self, function: Function, statement: ast.stmt, node: ast.Call, part: int | None
    ) -> None:
        name, inner = call_name(node), operand(node)
        callees = self._callees(node, function, part)
        if callees:
            for callee in callees:
                self._link(function, statement, node, callee, part)
        elif name == "log" and inner is not None:
            self.product(function, statement, inner)
        elif part is None and name in REDUCTIONS | RESHAPES | JOINS:
            if name == "where":
                linear: Iterable[ast.expr] = node.args[1:]
            elif name in {"reduce", "full_like"}:
                linear = node.args[1:2]
            elif name in {"stack", "cat"} and receiver(node) is None:
                linear = node.args[:1]
            else:
                linear = [] if inner is None else [inner]
            for argument in linear:
                self.mark(function, statement, argument)

    def _name(
        self, function: Function, statement: ast.stmt, node: ast.Name, in_log: bool
    ) -> None:
        makers = self._makers(function, node.id)
        for maker, value, part in makers:
            self._flow(function, maker, statement, node)
            self.result(function, maker, value, part, in_log)
        if node.id in function.parameters and not in_log:
            wanted = self._linear_parameters.setdefault(id(function), set())
            if node.id not in wanted:
                wanted.add(node.id)
                for caller, where, call in self._calls.get(id(function), []):
                    self._argument(caller, where, call, function, node.id)

    # --- calls -------------------------------------------------------------------

    def _named(self, name: str) -> list[Function]:
        return [f for f in self.functions if f.name == name]

    def _callees(
        self, call: ast.Call, caller: Function, part: int | None
    ) -> list[Function]:
        name = call_name(call)
        names = {name}
        if isinstance(call.func, ast.Name):  # `spline = splines.f`, then `spline(x)`
            for _, value, _ in self._makers(caller, name):
                names |= {getattr(value, "attr", ""), getattr(value, "id", "")}
        names -= RESHAPES | REDUCTIONS
        found = [f for f in self.functions if f.name in names]
        if found:
            return found
        if part is None or (receiver(call) is None and name in MODULES):
            return []
        # Calling a layer, `flow(z)` or `self.layers[0](z)`: the `forward` of one.
        ways = (
            ["forward", "inverse"] if name.startswith(("func", "flow")) else ["forward"]
        )
        return [f for way in ways for f in self._named(way) if f is not caller]

    def _link(
        self,
        caller: Function,
        statement: ast.stmt,
        node: ast.expr,
        callee: Function,
        part: int | None,
    ) -> None:
        if isinstance(node, ast.Call):
            calls = self._calls.setdefault(id(callee), [])
            if not any(seen is node for _, _, seen in calls):
                calls.append((caller, statement, node))
        for inner in callee.statements():
            if isinstance(inner, ast.Return):
                self._flow(callee, inner, statement, node, caller)
        self.returns(callee, part)
        if isinstance(node, ast.Call):
            for name in tuple(self._linear_parameters.get(id(callee), ())):
                self._argument(caller, statement, node, callee, name)

    def _argument(
        self,
        caller: Function,
        statement: ast.stmt,
        call: ast.Call,
        callee: Function,
        name: str,
    ) -> None:
        names = callee.parameters
        if names and names[0] == "self":
            names = names[1:]
        for keyword in call.keywords:
            if keyword.arg == name:
                self.mark(caller, statement, keyword.value)
        place = names.index(name) if name in names else len(call.args)
        if place < len(call.args):
            self.mark(caller, statement, call.args[place])

    # --- names -------------------------------------------------------------------

    def _makers(
        self, function: Function, name: str
    ) -> list[tuple[ast.stmt, ast.expr, int | None]]:
        """Return the statements that give `name` a value: (statement, value, part)."""
        makers: list[tuple[ast.stmt, ast.expr, int | None]] = []
        for statement in function.statements():
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    makers += self._bindings(statement, target, statement.value, name)
            elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
                if statement.value is not None and _binds(statement.target, name):
                    makers.append((statement, statement.value, None))
            elif isinstance(statement, ast.For):
                if _binds(statement.target, name):
                    makers.append((statement, statement.iter, None))
            elif isinstance(statement, ast.Expr) and isinstance(
                statement.value, ast.Call
            ):
                call = statement.value
                base = getattr(receiver(call), "id", "")
                if call_name(call) == "append" and base == name:
                    makers.append((statement, call.args[0], None))
        return makers

    def _bindings(
        self, statement: ast.stmt, target: ast.expr, value: ast.expr, name: str
    ) -> list[tuple[ast.stmt, ast.expr, int | None]]:
        if not isinstance(target, ast.Tuple | ast.List):
            return [(statement, value, None)] if _binds(target, name) else []
        found = []
        for place, element in enumerate(target.elts):
            if _binds(element, name):
                found.append((statement, value, place))
        return found

    def _flow(
        self,
        maker_function: Function,
        maker: ast.stmt,
        statement: ast.stmt,
        node: ast.expr,
        user: Function | None = None,
    ) -> None:
        uses = self.uses.setdefault(maker, [])
        if not any(use.node is node for use in uses):
            uses.append(Use(user or maker_function, statement, node))
        sources = self.sources.setdefault(node, [])
        if not any(seen is maker for _, seen in sources):
            sources.append((maker_function, maker))


def _binds(target: ast.expr, name: str) -> bool:
    while isinstance(target, ast.Subscript):
        target = target.value
    return isinstance(target, ast.Name) and target.id == name


def slice_ldj(
    functions: tuple[Function, ...], entries: Iterable[tuple[Function, int | None]]
) -> Slice:
    """Return the slice of the ldj that each entry function returns as `part`."""
    found = Slice(functions)
    for function, part in entries:
        found.returns(function, part)
    return found
