"""The tape's data: operations in order, what all flows through, and where one is linear."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ldjcheck.torch_ops import (
    ADD,
    DIVIDE,
    FLAT,
    JOIN,
    LIKE,
    LINEAR,
    MULTIPLY,
    PRODUCTS,
    SPLIT,
    SUBTRACT,
)
from ldjcheck.tracebacks import nearest_own

Position = int | str | tuple[int | str, int]
"""Where an argument stands: its index or keyword, and its index in a list there."""


@dataclass(frozen=True, slots=True)
class Place:
    """One user frame at the time of an operation: source span, function, and call.

    `call` tells apart two executions of the same function.
    """

    file: str
    line: int
    end_line: int
    column: int
    end_column: int
    function: str
    call: int

    @property
    def span(self) -> tuple[str, int, int, int, int]:
        """The source range, the same for every execution of the expression."""
        return self.file, self.line, self.end_line, self.column, self.end_column


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """One operation and its value.

    `args` and `kwargs` hold nodes where the call had tensors, and the numbers of sums and
    differences. `places` are the user's frames, innermost first. A node without `function`
    is a source: an input, a parameter, a constant, a random draw or a number.
    """

    name: str
    value: Tensor
    index: int
    function: Callable[..., Any] | None = None
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    in_place: bool = False
    part: int | None = None  # which entry of a tuple result this is
    learnable: bool = False
    random: bool = False
    parents: tuple[Node, ...] = field(init=False, repr=False)
    """The nodes that this one was computed from, repeated as often as used."""
    _fixed: bool | None = field(default=None, init=False)
    _place: Place | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.parents = tuple(node for _, node in self.inputs())

    def __repr__(self) -> str:
        """Return a word on it; with all that it was computed from there would be no end."""
        return f"<{self.name} {self.index}, {tuple(self.value.shape)}>"

    @property
    def place(self) -> Place | None:
        """The innermost frame of the target's own sources, or None for a source."""
        if self._place is None and self.places:
            own = nearest_own(tuple(place.file for place in self.places))
            self._place = self.places[own]
        return self._place

    @property
    def operands(self) -> tuple[Node, ...]:
        """The nodes whose numbers it was computed from: some give a form alone."""
        return self.parents[:1] if self.name in LIKE else self.parents

    def inputs(self) -> Iterator[tuple[Position, Node]]:
        """Yield each node argument with its position."""
        held: list[tuple[int | str, Any]] = [*enumerate(self.args)]
        held += self.kwargs.items()
        for key, value in held:
            if isinstance(value, Node):
                yield key, value
            elif isinstance(value, (list, tuple)):
                for j, item in enumerate(value):
                    if isinstance(item, Node):
                        yield (key, j), item

    def argument(self, position: Position) -> Any:
        """Return the argument at a position."""
        if isinstance(position, tuple):
            return self.argument(position[0])[position[1]]
        return (
            self.args[position] if isinstance(position, int) else self.kwargs[position]
        )


def ancestors(*roots: Node | None, beyond: Iterable[Node] = ()) -> set[Node]:
    """Return the nodes and everything that they were computed from.

    Some nodes are given, `beyond` which nothing is looked for.
    """
    seen = set(beyond)
    stack = [root for root in roots if root is not None]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.parents)
    return seen


def users_among(nodes: Iterable[Node]) -> dict[Node, tuple[Node, ...]]:
    """Return which of the nodes are computed from each value, in the order given."""
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for parent in dict.fromkeys(node.parents):
            users.setdefault(parent, []).append(node)
    return {parent: tuple(found) for parent, found in users.items()}


def in_order(nodes: set[Node]) -> list[Node]:
    """Return nodes in the order in which they ran."""
    return sorted(nodes, key=lambda node: node.index)


def is_differentiable(node: Node) -> bool:
    """Return whether derivatives pass through the node: no rounding, no integers."""
    return (
        isinstance(node.value, torch.Tensor)
        and (node.value.is_floating_point() or node.value.is_complex())
        and node.name.rstrip("_") not in FLAT
    )


# --- in which arguments an operation is linear ----------------------------------------

ONES = frozenset({"ones", "new_ones", "ones_like"})


def linear_positions(node: Node) -> list[Position]:
    """Return the arguments in which the node is linear, the others held fixed."""
    name, args = node.name, node.args
    if name in ADD | SUBTRACT:
        return [i for i in (0, 1) if i < len(args) and isinstance(args[i], Node)]
    if name in MULTIPLY or name in PRODUCTS:
        return _factor(node, (0, 1))
    if name == "einsum":
        return _factor(node, tuple(range(1, len(args))))
    if name in DIVIDE:
        above, below = args[0], args[1] if len(args) > 1 else None
        if isinstance(above, Node) and (not isinstance(below, Node) or is_fixed(below)):
            return [0]
        return []
    if name in LINEAR or name in SPLIT:
        return [0] if args and isinstance(args[0], Node) else []
    if name in JOIN:
        parts = args[0] if args else node.kwargs.get("tensors", ())
        return [(0, j) for j, part in enumerate(parts) if isinstance(part, Node)]
    if name == "where" and len(args) == 3:
        chosen = args[0]  # `x.where(c, other)` has it behind
        first = 1 if chosen.value.dtype == torch.bool else 0
        return [i for i in (first, 2) if isinstance(args[i], Node)]
    if name == "__setitem__":
        return [i for i in (0, 2) if isinstance(args[i], Node)]
    if name == "scatter" and len(args) == 2:
        return [0, 1]
    return []


def _factor(node: Node, positions: tuple[int, ...]) -> list[Position]:
    """Return the one factor that carries the data; two that do are no linear use."""
    args = node.args
    found = [i for i in positions if i < len(args) and isinstance(args[i], Node)]
    if len(found) < 2:
        return list(found)
    varying = [i for i in found if not is_fixed(args[i])]
    if varying:
        return [varying[0]] if len(varying) == 1 else []
    if len(found) > 2:
        return [found[0]]
    first, second = args[found[0]], args[found[1]]
    smaller = first.value.numel() <= second.value.numel()
    return [found[0 if smaller and first.name not in ONES else 1]]


def is_fixed(node: Node) -> bool:
    """Return whether a value depends on no input, noise or parameter."""
    stack, seen = [node], set[Node]()
    while stack and node._fixed is None:
        current = stack.pop()
        if current in seen or current._fixed:
            continue
        seen.add(current)
        is_given = current.name in ("input", "incoming")
        if current._fixed is False or is_given or current.random or current.learnable:
            node._fixed = current._fixed = False
        stack.extend(current.parents)
    if node._fixed is None:
        for each in seen:
            each._fixed = True
    return bool(node._fixed)


# --- what everything flows through ----------------------------------------------------


class _Made(Protocol):
    """A value of a graph, and what it was made of."""

    @property
    def parents(self) -> Iterable[Any]: ...


Value = TypeVar("Value", bound=_Made)


def dominators(
    order: Iterable[Value], depending: Collection[Value], source: Value
) -> dict[Value, Value]:
    """Return, of each value that depends on the source, the last one before it.

    That is the last of those that every path from the source to it goes through.
    """
    above: dict[Value, Value] = {}
    depth = {source: 0}
    for node in order:
        if node is source or node not in depending:
            continue
        ways = [parent for parent in node.parents if parent in depth]
        if not ways:
            continue
        meet = ways[0]
        for other in ways[1:]:
            while meet is not other:
                if depth[meet] >= depth[other]:
                    meet = above[meet]
                else:
                    other = above[other]  # both climb to where they meet
        above[node] = meet
        depth[node] = depth[meet] + 1
    return above


def chain(node: Value, above: Mapping[Value, Value]) -> Iterator[Value]:
    """Yield a value and, backwards, all that everything on its way flows through."""
    yield node
    while node in above:
        node = above[node]
        yield node
