"""What everything flows through on its way from a source to a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar


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
