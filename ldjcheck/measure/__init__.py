"""Measuring: the only stage that runs the layer."""

from __future__ import annotations

from ldjcheck.measure.everywhere import measure_everywhere
from ldjcheck.measure.isolate import learnable, undisturbed, unharmed
from ldjcheck.measure.prepare import Workshop
from ldjcheck.measure.settle import Settled, runs, settle

__all__ = [
    "Settled",
    "Workshop",
    "learnable",
    "measure_everywhere",
    "runs",
    "settle",
    "undisturbed",
    "unharmed",
]
