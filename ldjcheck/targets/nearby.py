"""What the user may have meant."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from difflib import SequenceMatcher

from ldjcheck.targets.sources.source import Source

_MOST_NAMES = 6
_LEAST_LIKENESS = 0.7  # below, `opcode` would be offered for `nope`


def near_misses(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three of `names` that look like `name`, the likeliest first.

    Upper and lower case count for little, but they decide between `Layer` and `layer`.
    """
    scores = {
        candidate: (
            _likeness(name.lower(), candidate.lower()),
            _likeness(name, candidate),
        )
        for candidate in names
    }
    near = [
        candidate for candidate in scores if scores[candidate][0] >= _LEAST_LIKENESS
    ]
    return sorted(near, key=lambda candidate: scores[candidate], reverse=True)[:3]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def likely_layers(source: Source) -> list[str]:
    """Return names of classes in `source` that could be flow layers, in its order.

    Its own classes come before those it imports. A layer is run through `forward`
    (modules) or `_call` (transforms), which plain helpers rarely have.
    """
    if source.layers:
        return list(source.layers[:_MOST_NAMES])
    classes = [
        (value.__module__ != source.module, name)
        for name, value in source.namespace.items()
        if inspect.isclass(value)
        and not name.startswith("_")
        and (hasattr(value, "forward") or hasattr(value, "_call"))
    ]
    return [name for _, name in sorted(classes, key=lambda pair: pair[0])][:_MOST_NAMES]
