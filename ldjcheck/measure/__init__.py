"""Measuring: the only stage that runs the layer."""

from __future__ import annotations

from ldjcheck.measure.counting import counted, with_numbers
from ldjcheck.measure.departures import with_departures
from ldjcheck.measure.devices import said_of_device
from ldjcheck.measure.direction import are_all_apart
from ldjcheck.measure.everywhere import measure_everywhere, measure_values
from ldjcheck.measure.failures import Lessons
from ldjcheck.measure.investigate import record_directions
from ldjcheck.measure.isolate import learnable, undisturbed, unharmed
from ldjcheck.measure.levels import with_levels
from ldjcheck.measure.namespace import Namespace
from ldjcheck.measure.padding import padding_told
from ldjcheck.measure.parts import record_parts
from ldjcheck.measure.prepare import Workshop
from ldjcheck.measure.rehearsal import Rehearsal, measure_again
from ldjcheck.measure.settle import (
    Settled,
    is_the_same_map,
    listens_to_context,
    looks_for_axes,
    otherwise,
    parts_contexts,
    returned_shapes,
    runs,
    settle,
)
from ldjcheck.measure.sides import is_apart
from ldjcheck.measure.way_back import with_way_back
from ldjcheck.tape.frames import is_torchs

__all__ = [
    "Lessons",
    "Namespace",
    "Rehearsal",
    "Settled",
    "Workshop",
    "are_all_apart",
    "counted",
    "is_apart",
    "is_the_same_map",
    "is_torchs",
    "learnable",
    "listens_to_context",
    "looks_for_axes",
    "measure_again",
    "measure_everywhere",
    "measure_values",
    "otherwise",
    "padding_told",
    "parts_contexts",
    "record_directions",
    "record_parts",
    "returned_shapes",
    "runs",
    "said_of_device",
    "settle",
    "undisturbed",
    "unharmed",
    "with_departures",
    "with_levels",
    "with_numbers",
    "with_way_back",
]
