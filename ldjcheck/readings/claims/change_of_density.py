"""A number that its source's caller adds to the log-density of what goes in.

`log_prob(u) + correction` is the density of what comes out, so that the correction is the ldj
with its sign turned. So it is where it is added to a loss, which is to be small. The layer
alone does not tell; who calls it does.
"""

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import FunctionType
from typing import Any

from ldjcheck.calling.parameter_names import DENSITIES, unit_of_method
from ldjcheck.calling.results import source_of
from ldjcheck.mistakes.proof import direction_ambiguous
from ldjcheck.object_graph import module_of
from ldjcheck.readings.reading import (
    NEARER,
    Measured,
    Outcome,
    Reading,
    largest_off,
    look_at,
    worst_of,
)
from ldjcheck.readings.what_runs import counted_in
from ldjcheck.records import Result


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield a wrong layer with its sign turned, where its caller turns it as well."""
    subject, result = outcome.subject, outcome.result
    calls, layer = subject.bench.calls, subject.layer.obj
    is_open = calls.sign == 1 and not calls.accumulates and calls.convention == "pair"
    if result.status != "fail" or subject.asked.convention != "auto" or not is_open:
        return
    where = next(_added_in(type(layer)), None)
    if where is not None:
        why = f"{where[0]} adds it to {where[1]}"
        bench = replace(subject.bench, calls=replace(calls, sign=-1))
        turned = Reading(subject=subject, adopt=_adopted)
        yield turned.assuming("sign", -1, "declared", why, bench=bench)


def propose_taken_off(seen: Measured) -> Iterator[Reading]:
    """Yield it with its sign turned where that is nearer, and its own density takes it off."""
    subject, calls = seen.subject, seen.subject.bench.calls
    turned = replace(calls, sign=-1)
    is_open = calls.sign == 1 and not calls.accumulates and calls.convention == "pair"
    if not seen.is_wrong or subject.asked.convention != "auto" or not is_open:
        return
    name = counted_in(subject.bench, subject.probes()[0], -1)
    if name is not None:
        why, bench = f"its {name} takes it off", replace(subject.bench, calls=turned)
        there = seen.reading.assuming("sign", -1, "declared", why, bench=bench)
        if worst_of(look_at(there)) < NEARER * worst_of(seen):
            yield there


def _adopted(before: Result, again: Result | None) -> Result:
    """Return what it is so read where it is right, or nearer to it than as it stands."""
    if again is None or again.status not in ("pass", "fail"):
        return before
    if again.status == "fail":
        return again if largest_off(again) < largest_off(before) else before
    note = direction_ambiguous.of_a_change(again.inferred["sign"])
    return replace(again, findings=(*again.findings, note))


def _added_in(kind: type) -> Iterator[tuple[str, str]]:
    """Yield which functions beside a class add what it returns to what, if they do."""
    home = kind.__module__
    if home.startswith(("torch.", "builtins")):
        return
    beside = vars(sys.modules.get(home, ast)).items()
    for name, value in [each for each in beside if module_of(each[1]) == home]:
        methods = vars(value) if inspect.isclass(value) else {name: value}
        functions = [f for f in methods.values() if isinstance(f, FunctionType)]
        written = {f: tree for f in functions if (tree := source_of(f)) is not None}
        held = {kind.__name__, *_held(written.values(), kind.__name__)}
        for function, tree in written.items():
            if _adds(tree, held):
                yield function.__qualname__, "the log-density of what goes in"
            asked = {*held, *(("self", "forward") if value is kind else ())}
            is_loss = unit_of_method(function.__name__) == "-nats"
            if is_loss and _raises(tree, asked):
                yield function.__qualname__, "what is to be small"


def _held(trees: Iterable[ast.Module], kind: str) -> Iterator[str]:
    """Yield under which attributes a class holds objects of a kind."""
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Assign) and _called(node.value) == kind:
            yield from (t.attr for t in node.targets if isinstance(t, ast.Attribute))


def _called(node: ast.AST) -> str | None:
    """Return the last name of what is called: `squash` of `self.squash(u)`."""
    if not isinstance(node, ast.Call):
        return None
    function: Any = node.func
    return getattr(function, "attr", getattr(function, "id", None))


def _adds(tree: ast.Module, held: set[str]) -> bool:
    """Return whether `y, c = held(u)` is followed by a sum of `log_prob(u)` and `c`."""
    statements = [n for n in ast.walk(tree) if isinstance(n, ast.Assign)]
    for node in statements:
        (target,) = node.targets[:1]
        given = node.value.args[:1] if isinstance(node.value, ast.Call) else []
        if not (
            isinstance(target, ast.Tuple) and given and _called(node.value) in held
        ):
            continue
        u, number = ast.unparse(given[0]), ast.unparse(target.elts[-1])
        made = [s for s in statements if _is_density(s.value, u)]
        densities = {ast.unparse(s.targets[0]) for s in made}
        sums = (_added(n) for n in ast.walk(tree))
        for terms in sums:
            others = [t for t in terms if ast.unparse(t) != number]
            if len(others) < len(terms) and any(
                ast.unparse(t) in densities or _is_density(t, u) for t in others
            ):
                return True
    return False


def _raises(tree: ast.Module, asked: set[str]) -> bool:
    """Return whether `y, n = asked(x)` is followed by a loss that `n` raises."""
    made = [n for n in ast.walk(tree) if isinstance(n, ast.Assign)]
    numbers = {
        ast.unparse(target.elts[-1])
        for node in made
        for target in node.targets
        if isinstance(target, ast.Tuple) and _called(node.value) in asked
    }
    named = {ast.unparse(n.targets[0]): n.value for n in made}
    losses = (n.value for n in ast.walk(tree) if isinstance(n, ast.Return) and n.value)
    signs = {s for loss in losses for text, s in _terms(loss, named) if text in numbers}
    return signs == {1}


def _terms(
    node: ast.expr, named: dict[str, ast.expr], sign: int = 1
) -> Iterator[tuple[str, int]]:
    """Yield the terms of a sum, or of its mean, with their signs; names stand for theirs."""
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
            yield from _terms(left, named, sign)
            yield from _terms(right, named, -sign if isinstance(op, ast.Sub) else sign)
        case ast.BinOp(left, ast.Div(), _):
            yield from _terms(left, named, sign)
        case ast.UnaryOp(ast.USub(), operand):
            yield from _terms(operand, named, -sign)
        case ast.Call(ast.Attribute(ast.Name("torch"), "mean" | "sum"), [inner, *_]):
            yield from _terms(inner, named, sign)
        case ast.Call(ast.Attribute(inner, "mean" | "sum"), _):
            yield from _terms(inner, named, sign)
        case ast.Name(name) if name in named:
            others = {each: value for each, value in named.items() if each != name}
            yield from _terms(named[name], others, sign)
        case _:
            yield ast.unparse(node), sign


def _is_density(node: ast.AST, of: str) -> bool:
    """Return whether a log-density of a value is somewhere in an expression."""
    return any(
        isinstance(call, ast.Call)
        and _called(call) in DENSITIES["nats"]
        and [ast.unparse(each) for each in call.args[:1]] == [of]
        for call in ast.walk(node)
    )


def _added(node: ast.AST) -> list[ast.expr]:
    """Return what a sum, or `total += term`, adds up; nothing of any other."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        return [node.target, *(_added(node.value) or [node.value])]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [
            part for side in (node.left, node.right) for part in _added(side) or [side]
        ]
    return []
