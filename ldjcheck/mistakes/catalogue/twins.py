"""A wrong layer and its right twin, written down once: a text with marks before its lines.

`-` is in the wrong layer, `+` in the right one, and a space, or nothing, in both.
"""

from __future__ import annotations

from typing import Literal


def twin(text: str, mark: Literal["-", "+"]) -> str:
    """Return the wrong layer of a text, `-`, or the right one, `+`."""
    return "\n".join(
        line[1:] for line in text.splitlines() if line[:1] in (mark, " ", "")
    )
