"""Functions that hand an ldj back: where derived terms belong, in which name and form."""

import ast
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from ldjcheck.calling.parameter_names import is_density, is_total
from ldjcheck.derivation.reading.execution import Execution, Recorded
from ldjcheck.revision import SourceText
from ldjcheck.revision.text import MethodNode, span_of
from ldjcheck.tape import Node, Place

Slot = Literal["name", "expression", "absent", "attribute"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Home:
    """One execution of a function that hands back its output and an ldj.

    `slot` says how: under a name that the function has, as an expression of the return, or
    not at all so far. `name` is what the ldj is called in there; with `is_total` it is a
    running total that was passed in.
    """

    execution: Execution
    source: SourceText
    function: MethodNode
    returns: ast.Return
    output: ast.expr  # as the return writes it
    name: str
    slot: Slot = "absent"
    is_total: bool = False
    ldj: ast.expr | None = None  # likewise

    @property
    def position(self) -> int:
        """Where among the things returned the ldj stands."""
        value = self.returns.value
        assert isinstance(value, ast.Tuple)
        return next(i for i, part in enumerate(value.elts) if part is self.ldj)

    @property
    def said(self) -> Any:
        """The ldj that was returned: a node of the tape, a tensor, or a number."""
        return self.execution.returned[self.position]

    def place(self, statement: ast.stmt) -> Place:
        """Return a statement of the function as a place of the tape."""
        line, column, end_line, end_column = span_of(statement)
        return Place(
            file=self.execution.file,
            line=line,
            end_line=end_line,
            column=column,
            end_column=end_column,
            function=self.execution.function,
            call=self.execution.call,
        )


def home_of(call: Recorded, execution: Execution) -> Home | None:
    """Return a function as the home of terms; None where it hands back no ldj."""
    bare, batch = bare_home(call, execution), call.trace.batch
    where = None if bare is None else _position(execution.returned, bare.output, batch)
    if bare is None or where is None:
        return None
    assert isinstance(bare.output, ast.Tuple)
    output, ldj = bare.output.elts[0], bare.output.elts[where]
    slot: Slot = "name" if isinstance(ldj, ast.Name) else "expression"
    if isinstance(ldj, ast.Name):
        name = ldj.id
    else:
        name = _total_in(ldj, execution, batch) or bare.name
    is_total = name in execution.arguments
    return replace(
        bare, slot=slot, name=name, is_total=is_total, ldj=ldj, output=output
    )


def _total_in(ldj: ast.expr, execution: Execution, batch: int) -> str | None:
    """Return the running total that an expression adds to, if one was passed in."""
    for node in ast.walk(ldj):
        if isinstance(node, ast.Name) and node.id in execution.arguments:
            held = execution.moments[0].held.get(node.id)
            named = is_total(node.id) or is_density(node.id)
            if named and _is_ldj(held, batch) and not isinstance(held, bool):
                return node.id
    return None


def bare_home(call: Recorded, execution: Execution) -> Home | None:
    """Return a function that hands back its output alone, as the home of terms."""
    function = call.sources.function(execution)
    returns = None if function is None else _reached(function, execution)
    if function is None or returns is None or returns.value is None:
        return None
    return Home(
        execution=execution,
        source=call.sources.of(execution),
        function=function,
        returns=returns,
        name=fresh_name(function),
        output=returns.value,
    )


def keeping_home(call: Recorded, execution: Execution) -> Home | None:
    """Return a function that keeps its ldj in an attribute, or under a key of a dict."""
    found = bare_home(call, execution)
    if found is None:
        return None
    for node in ast.walk(found.function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if is_total(_kept_as(target)):
                name = ast.unparse(target)
                return replace(found, slot="attribute", name=name, ldj=node.value)
    return None


def _kept_as(target: ast.expr) -> str:
    """Return the name under which an object keeps what is assigned to it, or nothing."""
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return ""


def fresh_name(function: MethodNode) -> str:
    """Return a name for the ldj that the function does not use for anything else."""
    used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    used |= {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
    names = ("ldj", "log_det", "logdet", "log_abs_det", "log_det_jacobian")
    return next((name for name in names if name not in used), "derived_ldj")


def _reached(function: MethodNode, execution: Execution) -> ast.Return | None:
    """Return the statement at which a function returned."""
    line = execution.returned_at
    for node in ast.walk(function):
        if isinstance(node, ast.Return):
            last = node.end_lineno or node.lineno
            if node.lineno <= line <= last:
                return node
    return None


def _position(returned: Any, value: ast.expr, batch: int) -> int | None:
    """Return where among the things returned the ldj is."""
    if not isinstance(returned, tuple) or not isinstance(value, ast.Tuple):
        return None
    if len(returned) != len(value.elts) or len(returned) < 2:
        return None
    if not _holds_batch(returned[0], batch):
        return None
    places = range(1, len(returned))
    likely = [i for i in places if _is_ldj(returned[i], batch)]
    named = [i for i in likely if _is_called_ldj(value.elts[i])]
    # what was not summed has one number for each entry
    entries = [i for i in places if any(map(_is_called_ldj, ast.walk(value.elts[i])))]
    return next(iter((*named, *likely, *entries)), None)


def _holds_batch(value: Any, batch: int) -> bool:
    if isinstance(value, tuple):
        return any(_holds_batch(item, batch) for item in value)
    tensor = value.value if isinstance(value, Node) else value
    return isinstance(tensor, Tensor) and tensor.dim() > 1 and len(tensor) == batch


def _is_ldj(value: Any, batch: int) -> bool:
    """Return whether a value may be an ldj: a number, or one for each sample, or none."""
    tensor = value.value if isinstance(value, Node) else value
    if isinstance(tensor, Tensor):
        shape = tuple(tensor.shape)
        return shape in ((), (1,), (batch,), (batch, 1))
    return tensor is None or (
        isinstance(tensor, (int, float)) and not isinstance(tensor, bool)
    )


def _is_called_ldj(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return is_total(name) or is_density(name)
