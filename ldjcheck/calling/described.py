"""Conventions of the user's own: described, as `f(z, ldj, reverse) -> z, ldj`, or adapted.

One call, or one for each way, `f(x) -> y, ldj; g(y) -> x`: `f` is the layer, any other name a
method. The first argument is the input; a name such as `ldj` or `logp` is a running total;
a flag's bare name (`reverse`) goes both ways, with a value (`inverse=True`) it is the
way back; other names are contexts, or fixed where a value stands beside them. Of the
results, `_` and a density beside the ldj are dropped, and a name such as `ldj` or `-ldj` is
the log-determinant. A call may give it alone: `f(x) -> y; f.log_det(x, y) -> ldj`.

An adapter is an object with `forward(layer, x) -> (y, ldj)` and, where there is a way back,
`inverse(layer, y) -> (x, ldj)`; or a pair of such functions; or the forward one alone.
Either may take further keyword arguments, and return None for an ldj that is not reported.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from ldjcheck.calling.convention import taken
from ldjcheck.calling.parameter_names import (
    REVERSE_FLAGS,
    is_density,
    is_total,
    is_way_back,
)
from ldjcheck.calling.signature import caller
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way

NAME = "as described"
_LAYER = ("f", "forward", "layer", "m", "self")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One call as it was written."""

    method: str | None  # None: the layer itself
    inputs: int  # how many tensors the input is; 0: one, and no tuple
    arguments: tuple[tuple[str | None, Any], ...]  # after the input, in order
    total: str | None
    flag: str | None  # a bare name, which runs both ways
    back: bool  # this clause is the way back
    contexts: tuple[str, ...]
    output: tuple[int, ...]  # where among the results; nowhere: it gives the ldj alone
    ldj: int | None
    sign: Literal[1, -1]
    several: bool  # more than one thing is returned
    given: tuple[str, ...]  # the arguments' names, the input's first
    returned: str  # the output's name
    spread: tuple[str, ...] = ()  # inputs that are arguments of their own


def parse_description(text: str) -> tuple[Clause, ...]:
    """Return the calls that a description holds: one or two, and one that gives the ldj.

    Raises:
        ValueError: it cannot be read; the text says what is missing.
    """
    clauses = tuple(_clause(part.strip()) for part in text.split(";") if part.strip())
    beside = tuple(clause for clause in clauses if not clause.output)
    clauses = tuple(clause for clause in clauses if clause.output)
    if beside and not clauses:
        raise ValueError("no result is the output")
    if not 1 <= len(clauses) <= 2 or len(beside) > 1:
        raise ValueError("one call, or two with ';' between them, are expected")
    if len(clauses) == 2 and not clauses[1].back:
        first, second = clauses
        turned = (first, replace(second, back=True))
        clauses = (second, first) if first.back else turned
    if len(clauses) == 2 and clauses[0].back:
        raise ValueError("both calls are the way back")
    forward = [clause for clause in clauses if not clause.back]
    if forward and forward[0].ldj is None and not beside:
        raise ValueError("no result is called ldj, log_det or logp")
    return clauses + beside


def describe_calls(text: str) -> tuple[Calls, ...]:
    """Return how to call a layer as a description says.

    Raises:
        ValueError: it cannot be read.
    """
    clauses = parse_description(text)
    beside = next((c for c in clauses if not c.output), None)
    clauses = tuple(c for c in clauses if c.output)
    there = next((c for c in clauses if not c.back), None)
    back = next((c for c in clauses if c.back), None)
    if there is None:  # only the way back is out of the ordinary
        there = _clause("f(x) -> y, ldj")
    elif there.flag is not None and back is None:
        back = there
    calls = Calls(
        convention=NAME,
        signature=text,
        forward=Way(call=_call(there, back=False, beside=beside)),
        inverse=None
        if back is None
        else Way(call=_call(back, back=True), tracked=back.ldj is not None),
        accumulates=there.total is not None,
        sign=-1 if there.total is not None and is_density(there.total) else 1,
        inputs=there.spread,
        context_names=tuple(dict.fromkeys(there.contexts)),
        inferred=(("convention", "as you described it"),),
    )
    if calls.sign == -1:
        return replace(calls, column=True), calls
    return (calls,)


def _clause(text: str) -> Clause:
    call_text, arrow, result_text = text.partition("->")
    if not arrow:
        raise ValueError("'->' is missing, as in 'f(x) -> y, ldj'")
    call, result = _parsed(call_text), _parsed(result_text)
    if not isinstance(call, ast.Call) or not call.args:
        raise ValueError(f"{call_text.strip()!r} is no call with an input")
    if any(isinstance(arg, ast.Starred) for arg in call.args):
        raise ValueError("'*' is not understood: write the tensors in brackets, (a, b)")
    source, *others = call.args
    inputs = len(source.elts) if isinstance(source, ast.Tuple) else 0
    arguments: list[tuple[str | None, Any]] = []
    total = flag = None
    contexts: list[str] = []
    back = False
    for node in others:
        if not isinstance(node, ast.Name):
            arguments.append((None, (_constant(node),)))
        elif is_total(node.id) or is_density(node.id):
            total = node.id
            arguments.append((node.id, "total"))
        elif node.id in REVERSE_FLAGS:
            flag = node.id
        else:
            contexts.append(node.id)
            arguments.append((node.id, "context"))
    fixed: list[tuple[str | None, Any]] = []
    for keyword in call.keywords:
        if keyword.arg is None:
            raise ValueError("'**' is not understood")
        value = _constant(keyword.value)
        fixed.append((keyword.arg, (value,)))
        back = back or is_way_back(keyword.arg, value)
        back = back or value in ("inverse", "reverse", "backward", "decode")
    where, ldj, sign, several, returned = _results(result, total)
    spread: tuple[str, ...] = ()
    if isinstance(source, ast.Name) and 1 < len(where) == 1 + len(contexts):
        # As many outputs come back as tensors are given: all of these are inputs.
        spread = (source.id, *contexts)
        kinds: dict[tuple[str | None, Any], tuple[str | None, Any]]
        kinds = {(name, "context"): (name, "input") for name in contexts}
        arguments, contexts = [kinds.get(each, each) for each in arguments], []
    return Clause(
        method=_method(call.func),
        inputs=inputs,
        arguments=(*arguments, *fixed),
        total=total,
        flag=flag,
        back=back,
        contexts=tuple(contexts),
        output=where,
        ldj=ldj,
        sign=sign,
        several=several,
        given=tuple(a.id for a in call.args if isinstance(a, ast.Name)),
        returned=returned,
        spread=spread,
    )


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise ValueError(f"{text.strip()!r} cannot be read") from None


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"{ast.unparse(node)!r} is neither name nor value") from None


def _method(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.attr
    if isinstance(function, ast.Name):
        return None if function.id in _LAYER else function.id
    raise ValueError(f"{ast.unparse(function)!r} is no name of a call")


def _results(
    result: ast.expr, total: str | None
) -> tuple[tuple[int, ...], int | None, Literal[1, -1], bool, str]:
    """Return where the output and the ldj stand among the results, and the output's name."""
    nodes = result.elts if isinstance(result, ast.Tuple) else [result]
    told = any(is_total(n.id) for n in ast.walk(result) if isinstance(n, ast.Name))
    outputs: list[int] = []
    returned = ""
    ldj: int | None = None
    sign: Literal[1, -1] = 1
    for index, node in enumerate(nodes):
        minus = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) else node
        name = inner.id if isinstance(inner, ast.Name) else None
        if name is not None and is_density(name) and told and total is None:
            continue  # that of the output, beside the ldj
        if name is not None and (is_total(name) or is_density(name)):
            if ldj is not None:
                raise ValueError("two results are called like a log-determinant")
            if is_density(name) and total is None:
                raise ValueError(f"{name!r} comes back, and none is passed in")
            ldj, sign = index, -1 if minus else 1
        elif minus:
            raise ValueError(f"{ast.unparse(node)!r} is not called like an ldj")
        elif name != "_":
            outputs.append(index)
            returned = returned or name or ""
    if not outputs and (ldj is None or isinstance(result, ast.Tuple)):
        raise ValueError("no result is the output")
    return tuple(outputs), ldj, sign, isinstance(result, ast.Tuple), returned


def _call(clause: Clause, *, back: bool, beside: Clause | None = None) -> CallFunction:
    """Return what runs a clause; `beside` gives the ldj where it does not do so itself."""

    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        function = caller(layer, clause.method)
        given: list[Any] = [x]
        inputs: list[Any] = []
        if clause.spread and isinstance(x, (dict, list, tuple)):
            inputs = [*(x.values() if isinstance(x, dict) else x)]
        if inputs:
            given = [inputs.pop(0)]
        elif clause.inputs:
            given = [tuple(x) if isinstance(x, (list, tuple)) else (x,)]
        named = dict(kwargs)
        for name, value in clause.arguments:
            if value == "total":
                given.append(start)
            elif value == "input" and inputs:
                given.append(inputs.pop(0))
            elif value == "context":
                if name in named:
                    given.append(named.pop(name))
            elif name is None:
                given.append(value[0])
            else:
                named[name] = value[0]
        if clause.flag is not None:
            named[clause.flag] = back
        returned = _taken_apart(clause, function(*given, **named), start)
        if beside is None or beside.method is None:
            return returned
        of = {clause.given[0]: x, clause.returned: returned.y}
        arguments = (of[name] for name in beside.given if name in of)
        ldj = beside.sign * getattr(layer, beside.method)(*arguments)
        return replace(returned, ldj=ldj, bare=False)

    return call


def _taken_apart(clause: Clause, result: Any, start: Tensor | None) -> Returned:
    if not clause.several:
        return Returned(y=result, ldj=None, bare=True)
    if not isinstance(result, (tuple, list)) or len(result) <= max(clause.output):
        return Returned(y=None, ldj=None)
    ys = [_opened(result[index]) for index in clause.output]
    ldj = None if clause.ldj is None else result[clause.ldj]
    if ldj is not None:
        ldj = clause.sign * ldj
        if start is not None and clause.total is None:
            ldj = start + ldj  # it reports its own alone
    return Returned(y=ys[0] if len(ys) == 1 else ys, ldj=ldj, bare=clause.ldj is None)


def _opened(value: Any) -> Any:
    alone = isinstance(value, (tuple, list)) and len(value) == 1
    return value[0] if alone else value


# --- adapters -------------------------------------------------------------------------

ADAPTER = "adapter"


def adapted_calls(adapter: Any) -> tuple[Calls, ...]:
    """Return how a layer is called by an adapter, or as calls say that were found before.

    Raises:
        ValueError: it is none.
    """
    if isinstance(adapter, Calls):
        return (adapter,)
    if isinstance(adapter, (tuple, list)):
        there, back = (*adapter, None)[:2] if 1 <= len(adapter) <= 2 else (None, None)
    elif callable(getattr(adapter, "forward", None)):
        there, back = adapter.forward, getattr(adapter, "inverse", None)
    else:
        there, back = adapter, None
    if not callable(there) or not (back is None or callable(back)):
        raise ValueError(
            "an adapter is an object with forward(layer, x) -> (y, ldj) and perhaps "
            f"inverse(layer, y) -> (x, ldj), or a pair of functions; not {adapter!r}"
        )
    calls = Calls(
        convention=ADAPTER,
        signature="adapter.forward(layer, x) -> y, ldj",
        forward=Way(call=_adapted_call(there)),
        inverse=None if back is None else Way(call=_adapted_call(back)),
        inferred=(("convention", "as your adapter calls it"),),
    )
    return (calls,)


def _adapted_call(function: Callable[..., Any]) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        result = function(layer, x, **taken(function, kwargs))
        if isinstance(result, (tuple, list)) and len(result) == 2:
            return Returned(y=result[0], ldj=result[1])
        return Returned(y=result, ldj=None, bare=True)

    return call
