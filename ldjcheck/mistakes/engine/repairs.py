"""Which value of the ldj's own arithmetic, made right, makes every number agree.

What no mistake explains may still stand on one line: a value that another operation should
have made, or another value of the same call. Of such repairs the plainest is meant, and of
equals the first: what is made of a wrong value is innocent. So is what the map runs as
well, for the map is what it computes.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ldjcheck import torch_ops as ops
from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.case import (
    Case,
    Item,
    Target,
    edited,
    operand,
    user_node,
    value_node,
)
from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.engine.places import (
    argument_text,
    assigned_at,
    beyond_map,
    callers_name,
    name_given,
    place_of,
    renamed_at,
    source_text,
)
from ldjcheck.records import Explanation
from ldjcheck.tape import (
    Node,
    Place,
    Trace,
    ancestors,
    dependents,
    in_order,
    location_of,
)

_WORK = 120_000  # operations that are run again in all
_VALUES = 48  # other values that are tried in the place of one

Form = Callable[..., Tensor]

# What one other value may do to a value, the plainest first, as Python has it.
_INSTEAD = "{other}"
_WITH: tuple[tuple[float, str, Form], ...] = (
    (0.0, _INSTEAD, lambda value, other: other),
    (0.1, "{log}", lambda value, other: other.abs().log()),
    (0.2, "{value} + {log}", lambda value, other: value + other.abs().log()),
    (0.2, "{value} - {log}", lambda value, other: value - other.abs().log()),
    (0.3, "{value} * {other}", operator.mul),
    (0.3, "{value} / {other}", operator.truediv),
    (0.3, "{value} + {other}", operator.add),
    (0.3, "{value} - {other}", operator.sub),
)
# What a map asks before it moves an entry may be left out of the ldj.
_WHERE: tuple[tuple[float, str, Form], ...] = (
    (0.25, "torch.where({other}, {value}, 0.0)", lambda v, o: torch.where(o, v, 0.0)),
    (0.25, "torch.where({other}, 0.0, {value})", lambda v, o: torch.where(o, 0.0, v)),
)
_CONDITIONS = tuple(text for _, text, _ in _WHERE)
_STEP: tuple[tuple[float, str, Form], ...] = (
    (0.25, "{value} + {slope}", operator.add),
    (0.25, "{value} - {slope}", operator.sub),
)
_LACKING = tuple(
    text
    for _, text, _ in (*_WITH, *_STEP)
    if text.startswith("{value}") and text.endswith(("{log}", "{slope}"))
)

# What may be meant instead of an operation on two values.
_OF_TWO: tuple[tuple[float, str, Form], ...] = (
    (0.05, "{first} - {second}", operator.sub),
    (0.05, "{first} + {second}", operator.add),
    (0.06, "{first}", lambda first, second: first),
    (0.06, "{second}", lambda first, second: second),
    (0.1, "{first} * {second}", operator.mul),
    (0.1, "{first} / {second}", operator.truediv),
    (0.1, "{second} - {first}", lambda first, second: second - first),
    (0.1, "{second} / {first}", lambda first, second: second / first),
)

_FUNCTIONS = (
    "sin",
    "cos",
    "sinh",
    "cosh",
    "tanh",
    "sigmoid",
    "exp",
    "log",
    "sqrt",
    "abs",
)

# What may be meant instead of a function of one value.
_OF_ONE: tuple[tuple[float, str, Form], ...] = (
    (0.1, "{first}**2", torch.square),
    *((0.1, f"torch.{name}({{first}})", getattr(torch, name)) for name in _FUNCTIONS),
)

# What may have been left out around a value.
_AROUND: tuple[tuple[float, str, Form], ...] = (
    (0.15, "{value}**2", torch.square),
    (0.15, "torch.sqrt({value})", lambda value: value.abs().sqrt()),
    (0.15, "-{value}", torch.neg),
    (0.15, "torch.abs({value})", torch.abs),
    (0.2, "torch.log({value})", lambda value: value.abs().log()),
    (0.2, "torch.exp({value})", torch.exp),
    (0.2, "1 / {value}", torch.reciprocal),
    (0.2, "2 * {value}", lambda value: 2 * value),
    (0.2, "{value} / 2", lambda value: value / 2),
    (0.25, "1 - {value}", lambda value: 1 - value),
    (0.25, "1 + {value}", lambda value: 1 + value),
)
_LATER = 0.05  # more, where the other value is not made yet


@dataclass(frozen=True, slots=True, eq=False)
class _Repair:
    """One way to make a value right: `edit(value, others)`, the others of that trace."""

    cost: float
    text: str
    target: Target
    edit: Callable[[Item, Sequence[Tensor]], Tensor | None]
    others: tuple[
        tuple[Node, ...], ...
    ] = ()  # by trace, one for each execution, or one
    is_slope: bool = False  # it is the log-derivative of the others, not their values


def repaired_within(case: Case) -> tuple[Explanation, ...]:
    """Return the plainest repair of one value with which every number agrees, or nothing.

    Raises:
        TimeIsUpError: the case's deadline came first.
    """
    first = case.traces[0]
    innocent = first.spans_of_map
    found: list[_Repair] = []
    left = _WORK
    for repair in _repairs(case, innocent):
        if left <= 0:
            break
        if found and repair.cost >= min(each.cost for each in found):
            continue
        if case.deadline is not None:
            case.deadline.check()
        left -= 1 + len(first.own_from(map(user_node, repair.target.items[0])))
        if all(_agrees(repair, case, number) for number in range(len(case.traces))):
            found.append(repair)
    best = min(found, key=lambda each: each.cost, default=None)
    return () if best is None else (_explained(best, first),)


def _agrees(repair: _Repair, case: Case, number: int) -> bool:
    trace, items = case.traces[number], repair.target.items[number]
    if not items:
        return case.agree[number]
    others: list[Tensor] = []
    for node in repair.others[number] if repair.others else ():
        other = _log_slope(node) if repair.is_slope else node.value
        if other is None:
            return False
        others.append(other)
    turns = {id(item): index for index, item in enumerate(items)}

    def edit(_: Trace, item: Item) -> Tensor | None:
        turn = turns.get(id(item), 0)
        return repair.edit(item, others[turn : turn + 1] or others[:1])

    now = edited(trace, items, edit)
    return now is not None and fits(trace, now, trace.exact)


def _repairs(case: Case, innocent: frozenset[object]) -> Iterator[_Repair]:
    """Yield the repairs of all values, the first that is made first."""
    values = _values(case.traces)
    targets = [
        target
        for target in case.targets
        if not target.single
        and value_node(target.first).name != "number"
        and value_node(target.first).value.is_floating_point()
        and _is_guilty(user_node(target.first), innocent)
    ]
    targets.sort(key=lambda target: user_node(target.items[0][0]).index)
    asked = [nodes for nodes in values if nodes[0][0].value.dtype == torch.bool]
    for target in reversed(targets):  # what is asked holds for all that is made of it
        yield from _with_others(target, asked)
    values = [nodes for nodes in values if nodes not in asked]
    for target in targets:
        item = target.items[0][0]
        if isinstance(item, Node):
            yield from _of_operation(target, item)
        for cost, text, form in _AROUND if isinstance(item, Node) else ():
            yield _Repair(cost, text, target, _around(form))
        yield from _with_others(target, values)


def _is_guilty(node: Node, innocent: frozenset[object]) -> bool:
    return node.place is not None and node.place.span not in innocent


def _of_operation(target: Target, node: Node) -> Iterator[_Repair]:
    numbers = [a for a in node.args[:2] if isinstance(a, (Node, int, float))]
    if len(node.args) >= 2 and len(numbers) == 2:
        for cost, text, form in _OF_TWO:
            yield _Repair(cost, text, target, _instead(form, 2))
    elif len(node.args) == 1 and numbers:
        for cost, text, form in _OF_ONE:
            yield _Repair(cost, text, target, _instead(form, 1))


def _instead(form: Form, count: int) -> Callable[[Item, Sequence[Tensor]], Tensor]:
    def edit(item: Item, _: Sequence[Tensor]) -> Tensor:
        node = value_node(item)
        given = (a.value if isinstance(a, Node) else a for a in node.args[:count])
        value = torch.as_tensor(form(*given), dtype=node.value.dtype)
        return value.expand(node.value.shape)

    return edit


def _around(form: Form) -> Callable[[Item, Sequence[Tensor]], Tensor]:
    return lambda item, _: form(value_node(item).value)


def _with_others(
    target: Target, values: Sequence[tuple[tuple[Node, ...], ...]]
) -> Iterator[_Repair]:
    """Yield what other values of the same call may do to this one, the nearest first."""
    now = value_node(target.items[0][0])
    near = sorted(values, key=lambda nodes: abs(nodes[0][0].index - now.index))
    shape, tried = now.value.shape, 0
    for nodes in near:
        other = nodes[0][0]
        if _is_again(other, now):
            continue
        # `2 * a + a` says nothing that `3 * a` does not
        alone = any(_is_again(other, parent) for parent in now.parents)
        if alone and isinstance(target.items[0][0], Node):
            continue
        turns = [
            _turns(n, len(items)) for n, items in zip(nodes, target.items, strict=True)
        ]
        if not all(turns):
            continue
        nodes = tuple(turns)
        if not _fits_into(other.value.shape, shape) or tried == _VALUES:
            continue
        tried += 1
        user = user_node(target.items[0][0])
        later = _LATER * (other.index > user.index)
        # what a helper makes on its way is not known where it was called
        frames = {place.call for place in user.places}
        alone = alone or all(p.call not in frames for p in other.places[:1])
        asks = other.value.dtype == torch.bool
        for cost, text, form in _WHERE if asks else _WITH[: 1 if alone else None]:
            if text != _INSTEAD or _differ(other, now):
                yield _Repair(cost + later, text, target, _with(form), nodes)
        told = not alone and _log_slope(other) is not None
        for cost, text, form in _STEP if told else ():
            yield _Repair(cost + later, text, target, _with(form), nodes, is_slope=True)


def _turns(nodes: tuple[Node, ...], count: int) -> tuple[Node, ...]:
    """Return so many values of one place, or one; none where there are others.

    What an ldj computes once more, as the map before a step, has the same value again.
    """
    if len(nodes) not in (1, count):
        pairs = ((node, nodes[:i]) for i, node in enumerate(nodes))
        nodes = tuple(n for n, known in pairs if all(_differ(n, m) for m in known))
    return nodes if len(nodes) in (1, count) else ()


def _is_again(one: Node, other: Node) -> bool:
    """Return whether two nodes are one, or of one value: a term that is written twice."""
    try:
        return one is other or one.value.equal(other.value)
    except RuntimeError:  # within a `vmap`
        return False


def _differ(one: Node, other: Node) -> bool:
    """Return whether one of two values of one shape may stand for the other, and is another."""
    try:
        same_shape = one.value.shape == other.value.shape
        return same_shape and not one.value.equal(other.value)
    except RuntimeError:  # within a `vmap`, where values have no numbers
        return False


def _fits_into(shape: torch.Size, whole: torch.Size) -> bool:
    if shape.numel() == whole.numel():
        return True
    try:
        return tuple(torch.broadcast_shapes(shape, whole)) == tuple(whole)
    except RuntimeError:
        return False


def _with(form: Form) -> Callable[[Item, Sequence[Tensor]], Tensor]:
    def edit(item: Item, others: Sequence[Tensor]) -> Tensor:
        value, other = value_node(item).value, others[0]
        alike = value.numel() == other.numel()
        return form(value, other.reshape(value.shape) if alike else other)

    return edit


def _log_slope(node: Node) -> Tensor | None:
    """Return the log-derivative of a function of single entries; None of anything else."""
    if len(node.args) != 1 or node.name not in ops.UNDOES or node.function is None:
        return None
    given = node.args[0]
    if not isinstance(given, Node) or given.value.shape != node.value.shape:
        return None
    point = given.value.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(node.function(point).sum(), point)
    return slope.abs().log()


def _values(traces: Sequence[Trace]) -> list[tuple[tuple[Node, ...], ...]]:
    """Return the values that every trace makes at the same places: by trace, in order."""
    seen = [_by_place(trace) for trace in traces]
    return [
        tuple(tuple(each[key]) for each in seen)
        for key in seen[0]
        if all(key in each for each in seen)
    ]


def _by_place(trace: Trace) -> dict[object, list[Node]]:
    found: dict[object, list[Node]] = {}
    for node in trace.nodes:
        tells = node.value.is_floating_point() or node.value.dtype == torch.bool
        moves = node.name not in ops.TRANSPARENT and tells
        if node.place is not None and node.function is not None and moves:
            spans = tuple(
                place.span for place in node.places
            )  # a helper's, by its call
            found.setdefault((spans, node.name, node.part), []).append(node)
    return found


def _explained(repair: _Repair, trace: Trace) -> Explanation:
    """Return a repair under the name of a mistake, where it is one's law by its kind."""
    item = repair.target.items[0][0]
    now, user = value_node(item), user_node(item)
    other = repair.others[0][0] if repair.others else None
    place, value = _place(item, trace)
    value = value or operand(repair.target) or source_text(now.place) or "the value"
    name = "" if other is None else _words(trace, other, place)
    positive = other is not None and bool((other.value > 0).all())
    inside = name if positive else f"{name}.abs()"
    log = f"torch.log({inside})"
    if other is not None and other.name == "exp" and name_given(other) is None:
        log = _atom(argument_text(other, 0) or log)
    texts = {
        "value": _atom(value),
        "other": _atom(name),
        "log": log,
        "slope": name,
        "first": _atom(argument_text(now, 0) or ""),
        "second": _atom(argument_text(now, 1) or ""),
    }
    known: dict[str, Any] = {"location": location_of(place), "size": repair.target.size}
    used = [part for part in texts if f"{{{part}}}" in repair.text]
    if all(texts[part] for part in used):
        known["instead"] = value, repair.text.format(**texts)
    if repair.text in _LACKING:
        told = f"log|{name}|"
        if repair.is_slope and other is not None:
            known["location"] = location_of(place_of(trace, other))
            told = source_text(other.place) or name
        return kinds.PART_UNACCOUNTED.explanation(operand=told, **known)
    if repair.text in _CONDITIONS:
        return kinds.OTHER_CONDITION.explanation(operand=value, **known)
    if repair.text == _INSTEAD and other and _is_other_point(other, now, trace):
        known["rank"] = -user.index
        return kinds.OTHER_POINT.explanation(operand=value, detail=f"`{name}`", **known)
    return kinds.VALUE.explanation(operand=value, **known)


def _is_other_point(other: Node, now: Node, trace: Trace) -> bool:
    """Return whether the map goes on from one of two values, and comes by the other."""
    depend = dependents(in_order(set(trace.nodes)), trace.source)
    on_one_way = other in ancestors(now) or now in ancestors(other)
    return on_one_way and other in depend and now in depend and now not in trace.own_set


def _words(trace: Trace, other: Node, place: Place | None) -> str:
    """Return how a value is written at a place: by its name there, or as it is made."""
    name = name_given(other) or callers_name(trace, other, place)
    return name or source_text(other.place) or ""


def _atom(text: str) -> str:
    """Return an expression's source, in brackets where it is a sum or a product."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return text
    return f"({text})" if isinstance(tree, ast.BinOp | ast.UnaryOp) else text


def _place(item: Item, trace: Trace) -> tuple[Place | None, str | None]:
    """Return where a value is given, and what stands there.

    That is where it is made, or where it gets the name by which it is used.
    """
    if isinstance(item, Node):
        return renamed_at(item) or (beyond_map(trace, item), None)
    node, position = item
    place = beyond_map(trace, node)
    text = argument_text(node, position)
    given = assigned_at(place, text) if text and place == node.place else None
    return given or (place, text)
