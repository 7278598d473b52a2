"""Probing: which inputs, sizes and parameters would make a mistake visible."""

from __future__ import annotations

from ldjcheck.probe.contexts import guess_contexts
from ldjcheck.probe.plan import (
    choose_batch,
    plan_as_built,
    plan_configs,
    plan_investigation,
)
from ldjcheck.probe.shapes import SMALL, ShapeGuess, as_image, guess_shapes, sizes_held
from ldjcheck.probe.sizes import resized

__all__ = [
    "SMALL",
    "ShapeGuess",
    "as_image",
    "choose_batch",
    "guess_contexts",
    "guess_shapes",
    "plan_as_built",
    "plan_configs",
    "plan_investigation",
    "resized",
    "sizes_held",
]
