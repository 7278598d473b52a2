"""What a check must tell of a model: one row of the table for each.

What is not decided yet stands here as what it is today, and a row that has become better
fails: then it is written anew, and stays so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

import ldjcheck


class Told(NamedTuple):
    """A verdict, the codes of what is wrong, and the function that is blamed first."""

    status: str
    codes: tuple[str, ...] = ()
    function: str | None = None


class Row(NamedTuple):
    """A model, how it is checked, and what must be told of it."""

    make: Callable[[], nn.Module]
    expected: Told
    options: dict[str, Any] = {}  # noqa: RUF012  # read only


def told(row: Row, seed: int = 0) -> Told:
    """Return what a check tells of a model that is built under a seed."""
    torch.manual_seed(seed)
    report = ldjcheck.check(row.make(), pictures=False, seed=seed, **row.options)
    grave = [f for f in report.findings if f.severity in ("error", "unproven")]
    at = grave[0].location if grave else None
    codes = tuple(dict.fromkeys(f.code for f in grave))
    return Told(report.status, codes, at.function if at else None)
