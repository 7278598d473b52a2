"""Functions that hand an ldj back: where derived terms belong, in which name and form."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from ldjcheck.calling.parameter_names import is_density, is_total
from ldjcheck.derivation.reading.execution import Execution, Recorded
from ldjcheck.revision.text import FunctionNode
from ldjcheck.tape import Node

Slot = Literal["name", "expression", "absent", "attribute"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Home:
    """One execution of a function that hands back its output and an ldj.

    `slot` says how: under a name that the function has, as an expression of the return, or
    not at all so far. `name` is what the ldj is called in there; with `is_total` it is a
    running total that was passed in.
    """

    execution: Execution
    function: FunctionNode
    returns: ast.Return
    slot: Slot
    name: str
    is_total: bool
    ldj: ast.expr | None  # as the return writes it
    output: ast.expr  # likewise


def home_of(call: Recorded, execution: Execution, batch: int) -> Home | None:
    """Return a function as the home of terms; None where it hands back no ldj."""
    function = call.sources.function(
        execution.file, execution.function, execution.code.co_firstlineno
    )
    if function is None or isinstance(function, ast.Lambda):
        return None
    returns = _reached(function, execution)
    if returns is None or returns.value is None:
        return None
    where = _position(execution.returned, returns.value, batch)
    if where is None:
        return None
    assert isinstance(returns.value, ast.Tuple)
    ldj, output = returns.value.elts[where], returns.value.elts[0]
    name, slot = fresh_name(function), "expression"
    total = _total_in(ldj, execution, batch)
    if isinstance(ldj, ast.Name):
        name, slot = ldj.id, "name"
    elif total is not None:
        name = total
    return Home(
        execution=execution,
        function=function,
        returns=returns,
        slot=slot,  # type: ignore[arg-type]  # one of the two
        name=name,
        is_total=name in execution.arguments,
        ldj=ldj,
        output=output,
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
    function = call.sources.function(
        execution.file, execution.function, execution.code.co_firstlineno
    )
    if function is None or isinstance(function, ast.Lambda):
        return None
    returns = _reached(function, execution)
    if returns is None or returns.value is None:
        return None
    return Home(
        execution=execution,
        function=function,
        returns=returns,
        slot="absent",
        name=fresh_name(function),
        is_total=False,
        ldj=None,
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


def fresh_name(function: FunctionNode) -> str:
    """Return a name for the ldj that the function does not use for anything else."""
    used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    used |= {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
    names = ("ldj", "log_det", "logdet", "log_abs_det", "log_det_jacobian")
    return next((name for name in names if name not in used), "derived_ldj")


def _reached(function: FunctionNode, execution: Execution) -> ast.Return | None:
    """Return the statement at which a function returned."""
    line = execution.returned_at
    for node in ast.walk(function):
        if (isinstance(node, ast.Return)) and node.lineno <= line <= (
            node.end_lineno or node.lineno
        ):
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
    return next(iter((*named, *likely)), None)


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


def _is_called_ldj(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return is_total(name) or is_density(name)
