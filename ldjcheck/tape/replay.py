"""Running a tape, or a part of it, again with some values replaced.

Replay is functional: what an operation writes in place, it writes into a copy.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ldjcheck.tape.node import Node, Position, is_differentiable
from ldjcheck.torch_ops import TRANSPARENT
from ldjcheck.tracing import Args, Named, Operation

Edge = tuple[Node, Position]
"""A use of a value: the node that uses it, and as which argument."""


def evaluate(
    node: Node,
    value_of: Callable[[Node], Tensor],
    replaced: Mapping[Edge, Any] | None = None,
) -> Tensor:
    """Return the node's value computed anew from its arguments' values."""
    edges = replaced or {}

    def resolved(argument: Any, position: Position) -> Any:
        if isinstance(argument, Node):
            if (node, position) in edges:
                return edges[node, position]
            return value_of(argument)
        if type(argument) in (list, tuple):
            return type(argument)(
                resolved(item, (position, j))  # type: ignore[arg-type]  # nested once
                for j, item in enumerate(argument)
            )
        return argument

    args = tuple(resolved(argument, i) for i, argument in enumerate(node.args))
    kwargs = {key: resolved(value, key) for key, value in node.kwargs.items()}
    if node.name in TRANSPARENT:
        seen: Tensor = args[0]
        return seen
    assert node.function is not None, "a source is not computed"
    if node.in_place:
        return _written(node, node.function, args, kwargs)
    result = node.function(*args, **kwargs)
    value: Tensor = result if node.part is None else result[node.part]
    return value


def _written(node: Node, function: Operation, args: Args, kwargs: Named) -> Tensor:
    target: Tensor = args[0].clone()
    if node.name == "__setitem__":
        function(target, args[1], args[2])
        return target
    other = args[1] if len(args) > 1 and isinstance(args[1], Tensor) else None
    if other is not None and node.name != "copy_" and other.shape != target.shape:
        shape = np.broadcast_shapes(target.shape, other.shape)
        if shape != target.shape:
            target = target.expand(shape).clone()
    function(target, *args[1:], **kwargs)
    return target


def dependents(order: Iterable[Node], source: Node) -> set[Node]:
    """Return the nodes through which a derivative with respect to `source` passes."""
    found = {source}
    for node in order:
        if node is source or node.function is None or not is_differentiable(node):
            continue
        if any(parent in found for parent in node.operands):
            found.add(node)
    return found


def descendants(order: Iterable[Node], source: Node) -> set[Node]:
    """Return the nodes whose values `source` has a part in, steps of rounding included."""
    found = {source}
    for node in order:
        if node.function is not None and any(
            parent in found for parent in node.operands
        ):
            found.add(node)
    return found


def rerun(
    order: Iterable[Node],
    depending: set[Node],
    source: Node,
    value: Tensor,
    target: Node,
) -> Tensor:
    """Return `target` with `source` set to `value`; `order` runs from one to the other."""
    values = {source: value}
    for node in order:
        if node in depending and node is not source:
            values[node] = evaluate(node, lambda n: values.get(n, n.value))
    return values[target]
