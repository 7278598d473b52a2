"""Calling conventions: how a layer is called and hands back its ldj.

Adding one is one file with a `CONVENTION`, and its line in `CONVENTIONS`. The order is the
order of trying: the most particular first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldjcheck.conventions import (
    accumulator,
    freia,
    lazy_transform,
    mode,
    pair,
    transform,
)
from ldjcheck.conventions.convention import Convention

if TYPE_CHECKING:
    from ldjcheck.records import Calls

CONVENTIONS: tuple[Convention, ...] = (
    transform.CONVENTION,
    lazy_transform.CONVENTION,
    freia.CONVENTION,
    mode.CONVENTION,
    accumulator.CONVENTION,
    pair.CONVENTION,
)

__all__ = ["CONVENTIONS", "Convention", "recognise_conventions"]


def recognise_conventions(layer: Any, wanted: str = "auto") -> tuple[Calls, ...]:
    """Return how the layer may be called, the most likely way first.

    `wanted` is `auto` or the name of one convention; only a trial run decides.

    Raises:
        KeyError: `wanted` names no convention.
    """
    names = {convention.name for convention in CONVENTIONS}
    if wanted != "auto" and wanted not in names:
        raise KeyError(wanted)
    asked = (c for c in CONVENTIONS if wanted in ("auto", c.name))
    return tuple(calls for convention in asked for calls in convention.recognise(layer))
