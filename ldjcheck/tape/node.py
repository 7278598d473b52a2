"""The tape's data: every tensor operation of one call, in order, with its source place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ldjcheck.torch_ops import FLAT, LIKE
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

    def __post_init__(self) -> None:
        self.parents = tuple(node for _, node in self.inputs())

    def __repr__(self) -> str:
        """Return a word on it; with all that it was computed from there would be no end."""
        return f"<{self.name} {self.index}, {tuple(self.value.shape)}>"

    @property
    def place(self) -> Place | None:
        """The innermost frame of the target's own sources, or None for a source."""
        if not self.places:
            return None
        return self.places[nearest_own(tuple(p.file for p in self.places))]

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


def ancestors(*roots: Node | None) -> set[Node]:
    """Return the nodes and everything that they were computed from."""
    seen: set[Node] = set()
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
        and node.value.is_floating_point()
        and node.name.rstrip("_") not in FLAT
    )
