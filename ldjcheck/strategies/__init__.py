"""Hypothesis strategies: shapes, inputs, masks, parameters, seeds and whole flows.

Everything shrinks to the smallest shape, the smallest batch and the simplest numbers. They
need hypothesis (`pip install hypothesis`); nothing else of ldjcheck does.
"""

from ldjcheck.strategies.flow import Planted, RandomFlow, flows
from ldjcheck.strategies.tensors import (
    event_shapes,
    inputs,
    masks,
    numbers,
    parameters,
    seeds,
)

__all__ = [
    "Planted", "RandomFlow", "event_shapes", "flows", "inputs", "masks", "numbers",
    "parameters", "seeds",
]  # fmt: skip
