"""What a table of library layers holds: how each is built, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Entry:
    """One layer, built as the users of its library build it.

    `flags` are what a check needs besides the layer. `known` says what is truly wrong with
    it by the code of the finding, or is "unproven"; `why` says it in plain words.
    """

    build: Callable[[], Any]
    flags: dict[str, Any] = field(default_factory=dict)
    known: str | None = None
    why: str = ""


def entries(**layers: Callable[[], Any] | Entry) -> dict[str, Entry]:
    """Return a table in which what is no entry is a builder."""
    return {
        name: layer if isinstance(layer, Entry) else Entry(layer)
        for name, layer in layers.items()
    }
