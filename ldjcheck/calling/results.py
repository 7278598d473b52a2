"""What a call hands back, taken apart: which of it is the output, which the ldj.

Two things are output and ldj. Of more, the names in the layer's own return statement
decide, then the forms; a list of log-dets is one ldj, as is a list of outputs one output.
In a mapping the key decides, and so does the name of a field.
"""

import ast
import functools
import inspect
import operator
import textwrap
import types
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ldjcheck.calling.parameter_names import (
    DENSITIES,
    is_beside,
    is_density,
    is_density_of_x,
    is_output,
    is_total,
    unit_of_method,
)
from ldjcheck.calling.signature import Signature, signature_of
from ldjcheck.records import Returned


def unpacked(result: Any, x: Any, function: Callable[..., Any]) -> Returned:
    """Return output and ldj of what `function` returned for the input `x`."""
    if _is_plain_pair(result, x):
        return Returned(y=result[0], ldj=result[1])
    held = _by_name(result)
    named = [key for key in filter(_is_text, held) if is_total(key)]
    rest = [(key, item) for key, item in held.items() if key not in named]
    if len(named) == 1 and rest:
        ldj = _one_number(held[named[0]], x)
        return Returned(y=_outputs(rest, x), ldj=ldj)
    if not isinstance(result, (tuple, list)) or not result:
        y, ldj = _by_form(held, x)
        if y is None and _holds_density(result, held, x):
            _, result = density_in(result)
        elif y is None and (isinstance(result, Mapping) or is_dataclass(result)):
            whole = _outputs(rest, x)  # beside it, what goes on as it came
            result = whole if _size(whole) == _size(x) else result
        return Returned(y=result if y is None else y, ldj=ldj, bare=y is None)
    handed = _handed_on(result, x, function)
    if handed:
        others = tuple(item for i, item in enumerate(result) if i not in handed)
        contexts = {name: result[i] for i, name in handed.items()}
        without = others[0] if len(others) == 1 else others
        return replace(unpacked(without, x, function), handed_on=contexts)
    if isinstance(result, list) and len(result) == 1:
        return unpacked(result[0], x, function)
    if isinstance(result, list) and all(_is_output(item, x) for item in result):
        return Returned(y=_last(result, x), ldj=None, bare=True)
    if len(result) == 1:
        return Returned(y=result[0], ldj=None, bare=True)
    if len(result) == 2 and isinstance(result[1], Mapping):
        return unpacked({"": result[0], **result[1]}, x, function)
    if len(result) == 2:
        y, ldj = _in_order(result, x, function)
        return Returned(y=_last(y, x), ldj=_one_number(ldj, x))
    where, doubted = _places_of_ldj(result, x, function)
    ldj = functools.reduce(operator.add, (_one_number(result[i], x) for i in where))
    names = returned_names(function)
    told = names if len(names) == len(result) else ("",) * len(result)
    both = zip(told, result, strict=True)
    rest = [pair for i, pair in enumerate(both) if i not in where]
    others = tuple(result[i] for i in doubted)
    return Returned(y=_outputs(rest, x), ldj=ldj, beside=others)


def _is_plain_pair(result: Any, x: Any) -> bool:
    """Return whether a result is what nearly all are: an output, and numbers for samples."""
    if type(result) is not tuple or len(result) != 2:
        return False
    if not all(type(item) is Tensor for item in (*result, x)):
        return False
    with torch._C.DisableTorchFunction():  # nobody need hear of this
        return bool(result[0].dim() <= x.dim() and result[1].dim() < 2)


def _by_form(held: Mapping[Any, Any], x: Any) -> tuple[Any, Any]:
    """Return the output and the one number for each sample that are held, by any names.

    None twice where there are other things than those two.
    """
    if len(held) != 2 or not all(isinstance(item, Tensor) for item in held.values()):
        return None, None
    y, ldj = sorted(held.values(), key=lambda item: -item.dim())
    is_pair = _is_output(y, x) and ldj.shape == y.shape[:1]
    return (y, ldj) if is_pair else (None, None)


def _by_name(result: Any) -> dict[Any, Any]:
    """Return what a mapping, a named tuple or an object made to hold results holds."""
    if isinstance(result, Mapping):
        return dict(result)
    if isinstance(result, tuple):
        return dict(zip(getattr(result, "_fields", ()), result, strict=False))
    if isinstance(result, Tensor):
        return {}
    if is_dataclass(result) and not isinstance(result, type):
        return {field.name: getattr(result, field.name) for field in fields(result)}
    held = getattr(result, "__dict__", None)
    return dict(held) if isinstance(held, dict) else {}


def _handed_on(result: Any, x: Any, function: Callable[..., Any]) -> dict[int, str]:
    """Return which of the results are contexts that go on with y, and their arguments.

    They bear the name of an argument, in the call and in what it returns. A total that is
    passed in does so too, and is an ldj; so do several inputs, which are output.
    """
    if len(result) > 3 or not any(_is_output(item, x) for item in result[1:]):
        return {}
    names = returned_names(function)
    called = getattr(function, "forward", function)
    signature = signature_of(called) if len(names) == len(result) else None
    if signature is None:
        return {}
    inputs = set(x) if isinstance(x, Mapping) else set()
    if _is_sequence(x):
        inputs = set(signature.names[: len(x)])
    others = set(signature.besides) - inputs
    taken = {n for n in others if not is_total(n) and not is_density(n)}
    places = range(1, len(result))
    return {
        i: names[i] for i in places if names[i] in taken and _is_output(result[i], x)
    }


def _in_order(result: Any, x: Any, function: Callable[..., Any]) -> tuple[Any, Any]:
    """Return output and ldj of two things, of which the ldj may come first."""
    first, second = result
    if not _is_output(second, x) or _size(second) != _size(x):
        return first, second
    names = returned_names(function)
    told = len(names) == 2 and is_total(names[0]) and not is_total(names[1])
    small = isinstance(first, Tensor) and _is_one_per_sample(first, x)
    small = small and _size(x) > _batch(x)
    return (second, first) if told or small else (first, second)


def _places_of_ldj(
    result: tuple[Any, ...] | list[Any], x: Any, function: Callable[..., Any]
) -> tuple[list[int], list[int]]:
    """Return which of three or more things are the ldj; the second, where in doubt.

    And which else may be, as no name tells them from it.
    """
    several = [i for i, item in enumerate(result) if i and _is_sequence(item)]
    lists = [i for i in several if all(map(_is_number, result[i]))]
    if lists and lists == list(range(1, len(result))):
        return lists, []
    returned = returned_expressions(function)
    names = [*map(_name, returned)]
    named = [i for i, name in enumerate(names) if is_total(name)]
    if len(named) == 1 and named[0] < len(result):
        return named, []
    alone = [i for i, item in enumerate(result) if i and _is_one_per_sample(item, x)]
    if len(names) == len(result):  # a density beside it is that of z
        alone = [i for i in alone if not is_density(names[i])] or alone
    if len(names) == len(result) and len(alone) > 1:
        at = made_of_densities(function), function
        plain = [i for i in alone if not is_made_of_densities(returned[i], *at)]
        alone = plain or alone
    where = alone[:1] if len(alone) == 1 or 1 not in alone else [1]
    return where, [i for i in alone if i not in where]


def returned_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names in the longest tuple that the source of a function returns.

    Empty where there is no source, or where nothing but expressions is returned.
    """
    return tuple(map(_name, returned_expressions(function)))


def returns_one_thing(function: Callable[..., Any]) -> bool:
    """Return whether a call returns no tuple, and so no ldj beside z, by its source."""
    returned = returned_alone(function)
    return bool(returned) and not any(isinstance(r, ast.Tuple) for r in returned)


def returned_alone(function: Callable[..., Any]) -> tuple[ast.expr, ...]:
    """Return all that a function returns, as its source writes that; () without one."""
    return tuple(
        node.value
        for node in written_in(function)
        if isinstance(node, ast.Return) and node.value
    )


def densities_beside(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of densities that a call returns beside an ldj, by its source.

    In a tuple, or in what is made of keywords: a dataclass, a dictionary.
    """
    records = _records(function)
    for node in written_in(function):
        if not isinstance(node, ast.Return):
            continue
        names: Collection[str] = _by_key(node, records)
        if isinstance(node.value, ast.Tuple):
            names = [*map(_name, node.value.elts)]
        if any(map(is_total, names)):
            return tuple(filter(is_density_of_x, names))
    return ()


def made_of_densities(function: Callable[..., Any]) -> set[str]:
    """Return the variables of a function that it makes of a base's answers.

    And those that are made of these; what a helper of its own answers for it counts.
    """
    made: list[tuple[Sequence[ast.expr], ast.expr]] = []
    for node in written_in(function):
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made.append((targets, node.value))
    found: set[str] = set()
    while True:
        new = {
            each.id
            for targets, value in made
            if is_made_of_densities(value, found, function)
            for each in targets
            if isinstance(each, ast.Name)
        }
        if new <= found:
            return found
        found |= new


def is_made_of_densities(
    value: ast.AST, made: set[str], function: Callable[..., Any]
) -> bool:
    """Return whether a value is made of a base's answers, of which others are `made`."""
    function = getattr(function, "forward", function)
    kind = type(getattr(function, "__self__", None))
    names = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
    return bool(names & made) or _asks_base_within(value, function, kind)


def _asks_base_within(
    tree: ast.AST,
    function: Callable[..., Any],
    kind: type,
    seen: frozenset[types.FunctionType] = frozenset(),
) -> bool:
    """Return whether a base is asked in a piece of a function, or in what that calls.

    Functions of the same module are followed, and methods of `kind`, of what is handed in.
    """
    if any(map(asks_base, ast.walk(tree))):
        return True
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return False
    scope, code = function.__globals__, function.__code__
    handed = code.co_varnames[: code.co_argcount]
    for node in ast.walk(tree):
        helper = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            helper = scope.get(node.func.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_handed = getattr(node.func.value, "id", None) in handed
            helper = getattr(kind, node.func.attr, None) if is_handed else None
        if isinstance(helper, types.FunctionType) and helper not in seen:
            inside = source_of(helper) if helper.__globals__ is scope else None
            if inside and _asks_base_within(inside, helper, kind, seen | {helper}):
                return True
    return False


def asks_base(node: ast.AST) -> bool:
    """Return whether a piece of source asks a distribution how probable something is."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in DENSITIES["nats"]
    )


def density_in(result: Any) -> tuple[Any, Any]:
    """Return the density that a method returns, beside what is kept for a log; and its key.

    Of several numbers that which is called one, or else the first; what is trained first:
    the others are cut from the graph. No key, None, where one thing is returned.
    """
    if isinstance(result, Tensor):
        return None, result
    held = _by_name(result) or dict(enumerate(result if _is_sequence(result) else ()))
    told = [
        (key, n) for key, n in held.items() if isinstance(n, Tensor) and n.dim() < 2
    ]
    named = [(key, n) for key, n in told if _is_text(key) and unit_of_method(key)]
    numbers = named or told
    trained = (each for each in numbers if each[1].requires_grad)
    return next(trained, numbers[0] if numbers else (None, result))


def taken_out_of_batch(method: Callable[..., Any]) -> int:
    """Return how many things a method takes its first argument for, by its source; or 0."""
    signature = signature_of(method)
    name = signature.names[0] if signature is not None and signature.names else None
    for node in written_in(method):
        held, count = getattr(node, "value", None), 0
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            count = len(node.targets[0].elts)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            count = 2
        if count and isinstance(held, ast.Name) and held.id == name:
            return count
    return 0


def held_in(result: Any) -> list[Any]:
    """Return what a call returned, in the order in which its source puts it together."""
    return [*(_by_name(result).values() or result)]


def returned_by_key(function: Callable[..., Any]) -> dict[str, ast.expr]:
    """Return what a function returns by names, as its source writes it; {} if it does not.

    In a dictionary, or in what is made of keywords: a dataclass, a named tuple.
    """
    records = _records(function)
    nodes = (node for node in written_in(function) if isinstance(node, ast.Return))
    return next(filter(None, (_by_key(node, records) for node in nodes)), {})


def _records(function: Callable[..., Any]) -> dict[str, tuple[str, ...]]:
    """Return the fields of the classes that a function knows and that hold results."""
    function = getattr(function, "forward", function)
    scope = getattr(getattr(function, "__func__", function), "__globals__", {})
    found: dict[str, tuple[str, ...]] = {}
    for name, value in scope.items():
        if isinstance(value, type) and is_dataclass(value):
            found[name] = tuple(field.name for field in fields(value))
        elif isinstance(value, type) and issubclass(value, tuple):
            found[name] = getattr(value, "_fields", ())
    return found


def _by_key(
    node: ast.Return, records: Mapping[str, tuple[str, ...]]
) -> dict[str, ast.expr]:
    if isinstance(node.value, ast.Call):
        known = records.get(getattr(node.value.func, "id", ""), ())
        placed = dict(zip(known, node.value.args, strict=False))
        by_name = {k.arg: k.value for k in node.value.keywords if k.arg is not None}
        return {**placed, **by_name}
    if isinstance(node.value, ast.Dict):
        return {
            key.value: value
            for key, value in zip(node.value.keys, node.value.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
    return {}


def returned_expressions(function: Callable[..., Any]) -> tuple[ast.expr, ...]:
    """Return the longest tuple that the source of a function returns, in its own words."""
    function = getattr(function, "forward", function)
    function = getattr(function, "__func__", function)
    if isinstance(function, types.FunctionType):
        return _longest_tuple(function)
    return _longest_tuple.__wrapped__(function)


def inputs_returned(signature: Signature, total: str | None) -> tuple[str, ...]:
    """Return the parameters that are several inputs: as many outputs come back, and an ldj.

    What goes on as it came, under its own name, is none where its name is that of a
    context, a mask or a time; nor is `total`. Empty where the source says nothing of the
    kind.
    """
    flag = signature.way_flag()
    known = (total, None if flag is None else flag.name)
    wanted = [name for name in signature.required if name not in known]
    returned = returned_names(signature.function)
    beside = {name for name in wanted if is_beside(name)}
    for others in (beside & {*returned}, beside):
        inputs = tuple(name for name in wanted if name not in others)
        came_back = sum(name not in others for name in returned)
        if 1 < len(inputs) == came_back - 1:
            return inputs
    return ()


def unnamed_total(signature: Signature) -> str | None:
    """Return the last parameter where it comes back last, with something added to it.

    So a total may have any name: behind several inputs, or where it is seen to be a term.
    """
    flag = signature.way_flag()
    wanted = [n for n in signature.required if flag is None or n != flag.name]
    returned = returned_expressions(signature.function)
    if len(wanted) < 2 or is_beside(wanted[-1]) or not returned:
        return None
    last = {node.id for node in ast.walk(returned[-1]) if isinstance(node, ast.Name)}
    if len(wanted) == 2:
        made = [returned[-1], *_assigned_to(last, signature.function)]
        # Of an input that goes on as it came, the other is moved: then both are inputs.
        goes_on = isinstance(returned[0], ast.Name) and returned[0].id == wanted[0]
        is_moved = any(_assigned_to({wanted[0]}, signature.function))
        is_total = any(_has_term(value, wanted[-1]) for value in made)
        is_total = is_total and (is_moved or not goes_on)
    else:
        is_total = bool(inputs_returned(signature, wanted[-1])) and wanted[-1] in last
    return wanted[-1] if is_total else None


def _assigned_to(names: set[str], function: Callable[..., Any]) -> Iterator[ast.expr]:
    """Yield what is assigned to some names in a function, an `a += b` as a + b."""
    for node in written_in(function):
        if isinstance(node, ast.Assign):
            if any(isinstance(t, ast.Name) and t.id in names for t in node.targets):
                yield node.value
        elif (
            isinstance(node, ast.AugAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id in names
        ):
            yield ast.BinOp(ast.Name(node.target.id), node.op, node.value)


def _has_term(value: ast.expr, name: str) -> bool:
    """Return whether a name is a term of a sum."""
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, (ast.Add, ast.Sub)):
        return False
    sides = (
        (value.left, value.right) if isinstance(value.op, ast.Add) else (value.left,)
    )
    return any(
        side.id == name if isinstance(side, ast.Name) else _has_term(side, name)
        for side in sides
    )


@functools.lru_cache(maxsize=64)
def _longest_tuple(function: Callable[..., Any]) -> tuple[ast.expr, ...]:
    records = _records(function)
    parts = (parts_of(value, records) for value in returned_alone(function))
    return max(parts, key=len, default=())


def parts_of(value: ast.expr, records: Collection[str]) -> tuple[ast.expr, ...]:
    """Return what is put together: in a tuple, or a named one, a dictionary, a dataclass.

    `records` are the names of the classes that hold what they are called with.
    """
    if isinstance(value, ast.Tuple):
        return tuple(value.elts)
    if isinstance(value, ast.Dict):
        return tuple(value.values)
    if isinstance(value, ast.Call) and getattr(value.func, "id", None) in records:
        return (*value.args, *(each.value for each in value.keywords))
    return ()


def written_in(function: Callable[..., Any]) -> Iterator[ast.AST]:
    """Yield all that stands in the source of a function; nothing where it has none."""
    tree = source_of(function)
    if tree is not None:
        yield from ast.walk(tree)


def source_of(function: Callable[..., Any]) -> ast.Module | None:
    """Return the source of a function, or of a module's forward; None where it has none."""
    function = getattr(function, "forward", function)
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None


_STILL = frozenset((
    "detach", "sum", "flatten", "reshape", "view", "squeeze", "expand", "to",
))  # fmt: skip
"""Methods of which what they come to is still called what they are asked of."""


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in _STILL or isinstance(node.func.value, ast.Constant):
            break
        node = node.func.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _outputs(named: list[tuple[Any, Any]], x: Any) -> Any:
    """Return the first thing where it is as large as the input, else all tensors.

    One that bears the name of an output comes before what it is made of.
    """
    inner = [not (_is_text(name) and is_output(name)) for name, _ in named]
    items = [named[i][1] for i in sorted(range(len(named)), key=inner.__getitem__)]
    first = _last(items[0], x)
    if isinstance(first, Tensor) and _size(first) == _size(x):
        return first
    several = [item for item in items if _is_output(item, x)]
    flat = [t for item in items for t in (item if _is_sequence(item) else [item])]
    nested = [t for t in flat if _is_output(t, x)]
    for choice in (several, nested):
        if sum(map(_size, choice)) == _size(x):
            return choice
    return first


def _last(y: Any, x: Any) -> Any:
    """Return the last of steps, listed or stacked, that start at x; else y as it is."""
    is_stack = isinstance(y, Tensor) and isinstance(x, Tensor) and y.dim() > x.dim()
    if not (is_stack or _is_sequence(y)) or len(y) < 2 or not isinstance(x, Tensor):
        return y
    if not all(isinstance(z, Tensor) and z.shape == x.shape for z in y):
        return y
    return y[-1] if torch.equal(y[0].detach(), x.detach()) else y


def _one_number(ldj: Any, x: Any) -> Any:
    """Return the sum of a list of log-dets, each over its own sample; else the ldj."""
    if not _is_sequence(ldj) or not ldj or not all(map(_is_number, ldj)):
        return ldj
    numbers = (i.flatten(1).sum(1) if _is_output(i, x) else i for i in ldj)
    return functools.reduce(operator.add, numbers)


def _is_output(item: Any, x: Any) -> bool:
    return isinstance(item, Tensor) and item.dim() > 1 and len(item) == _batch(x)


def _is_one_per_sample(item: Any, x: Any) -> bool:
    """Return whether something holds one number for each sample of `x`, or for all."""
    if isinstance(item, Tensor):
        return item.dim() == 0 or tuple(item.shape) in ((_batch(x),), (_batch(x), 1))
    return isinstance(item, (float, np.number))


def _is_number(item: Any) -> bool:
    numbers = (Tensor, int, float, np.number)
    return isinstance(item, numbers) and not isinstance(item, bool)


def _holds_density(result: Any, held: Mapping[Any, Any], x: Any) -> bool:
    """Return whether a record holds what is called a density, or no output at all."""
    is_record = isinstance(result, Mapping) or is_dataclass(result)
    is_named = any(map(unit_of_method, filter(_is_text, held)))
    return is_record and (is_named or not any(_is_output(v, x) for v in held.values()))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _held(x: Any) -> list[Tensor]:
    held = x.values() if isinstance(x, dict) else x if _is_sequence(x) else (x,)
    return [t for t in held if isinstance(t, Tensor)]


def _batch(x: Any) -> int:
    held = _held(x)
    return len(held[0]) if held and held[0].dim() else 0


def _size(x: Any) -> int:
    return sum(t.numel() for t in _held(x))
