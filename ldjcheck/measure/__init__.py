"""Measuring: the only stage that runs the layer."""

from __future__ import annotations

from ldjcheck.measure.configuration import measure_config
from ldjcheck.measure.isolate import learnable, undisturbed, unharmed
from ldjcheck.measure.prepare import Workshop
from ldjcheck.measure.settle import Settled, runs, settle

__all__ = [
    "Settled",
    "Workshop",
    "learnable",
    "measure_config",
    "runs",
    "settle",
    "undisturbed",
    "unharmed",
]
