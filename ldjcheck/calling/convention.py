"""What a calling convention is: a name, and a way to recognise layers that follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ldjcheck.records import Calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """One way in which layers are called and hand back their ldj.

    `recognise(layer)` yields the ways of calling this layer, the likeliest first; none
    when the layer's type and signature say that it does not follow the convention. It
    never runs the layer.
    """

    name: str
    summary: str  # one line for `--convention` and the docs
    recognise: Callable[[Any], Iterable[Calls]]

    def says(self, why: str) -> tuple[tuple[str, str], ...]:
        """Return what is concluded of a layer that is called so, and from what."""
        return (("convention", f"{self.name}: {why}"),)
