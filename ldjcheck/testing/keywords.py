"""The options of a check, as keywords that are handed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ldjcheck.options.table import KEYWORDS
from ldjcheck.records.asked import Oracle

if TYPE_CHECKING:
    import torch
    from torch.distributions.constraints import Constraint


class CheckKeywords(TypedDict, total=False):
    """What `ldjcheck.check` takes besides the layer."""

    shape: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None
    batch: int
    domain: str | Constraint | None
    context: Mapping[str, int | Sequence[int] | str] | None
    inputs: Any
    weights: str | Path | Mapping[str, Any] | None
    kwarg: Mapping[str, Any] | None
    convention: str
    direction: Literal["both", "forward", "inverse"]
    params: Literal["random", "as-is"]
    params_scale: float
    dims_limit: int
    mode: Literal["eval", "train"]
    kind: Literal["auto", "bijection", "dequantization", "split", "flow", "model"]
    wrt: Literal["auto", "input", "noise"]
    seed: int
    search: int
    dtype: Literal["float64", "as-written"]
    device: str | torch.device | None
    atol: float | None
    rtol: float | None
    select: Sequence[str]
    ignore: Sequence[str] | Mapping[str, str]
    strict: bool
    timeout: float | None
    ledger: bool
    pictures: bool
    jacobian: Oracle | None
    adapter: Any


def unknown_keyword(names: Mapping[str, object], *also: str) -> str | None:
    """Return what to say about the first name that is no option, with the nearest one."""
    from difflib import get_close_matches

    known = [*KEYWORDS, *also]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"there is no option {name!r}{hint}"
    return None


def has_words(reason: object) -> bool:
    """Return whether a reason says anything."""
    return isinstance(reason, str) and bool(reason.strip())
