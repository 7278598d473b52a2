"""Long lists of layers, of which a part is run always and the rest with the slow tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def every(nth: int, values: Iterable[Any]) -> list[Any]:
    """Return parameters: each n-th runs by default, the others with `-m slow` only."""
    return [
        value if number % nth == 0 else pytest.param(value, marks=pytest.mark.slow)
        for number, value in enumerate(values)
    ]
