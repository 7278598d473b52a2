"""What the user may have meant."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ldjcheck.targets.source import Source

_MOST_NAMES = 6
_LIKENESS = 0.7  # below, `opcode` would be offered for `nope`


def near_misses(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three of `names` that look like `name`, the likeliest first."""
    spelled = {candidate.lower(): candidate for candidate in names}
    matches = get_close_matches(name.lower(), spelled, cutoff=_LIKENESS)
    return [spelled[match] for match in matches]


def likely_layers(source: Source) -> list[str]:
    """Return names of classes in `source` that could be flow layers, in its order.

    Its own classes come before those it imports. A layer is run through `forward`
    (modules) or `_call` (transforms), which plain helpers rarely have.
    """
    classes = [
        (value.__module__ != source.module, name)
        for name, value in source.namespace.items()
        if inspect.isclass(value)
        and not name.startswith("_")
        and (hasattr(value, "forward") or hasattr(value, "_call"))
    ]
    return [name for _, name in sorted(classes, key=lambda pair: pair[0])][:_MOST_NAMES]
