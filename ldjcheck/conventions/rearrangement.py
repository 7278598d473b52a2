"""Modules that return y alone because they only move entries: permutations, squeezes.

They have no ldj to report: it is 0. That holds only where the entries of every sample come
out as they went in, in another order; whoever returns anything else says nothing of its
ldj, and follows another convention.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.stated_returns import volume_kept
from ldjcheck.records import Calls, Returned


def _recognise(layer: Any) -> Iterator[Calls]:
    found = volume_kept(
        layer,
        CONVENTION.name,
        _read,
        where="y holds the entries of x",
        because="it moves entries",
    )
    if found is not None:
        yield found[1]


def _read(x: Any, y: Any) -> Returned:
    if not isinstance(y, Tensor) or not _same_entries(x, y):
        return Returned(y=y, ldj=None, bare=True)
    return Returned(y=y, ldj=0.0)


def _same_entries(x: Tensor, y: Tensor) -> bool:
    if x.numel() != y.numel() or not y.dim() or len(x) != len(y):
        return False
    flat = (t.detach().reshape(len(t), -1).sort(dim=1).values for t in (x, y))
    return torch.equal(*flat)


CONVENTION = Convention(
    name="rearrangement",
    summary="f(x, reverse=False) -> y alone: it moves entries, and its ldj is 0",
    recognise=_recognise,
)
