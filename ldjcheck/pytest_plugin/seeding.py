"""Tests that start from the same random numbers, wherever and whenever they run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start the generators of Python, NumPy and torch at `seed`; put them back after.

    What is not loaded yet is left alone: a test that makes layers at random has loaded
    it with its module.
    """
    import random

    state = random.getstate()
    random.seed(seed)
    np, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if np is not None:
        np_state = np.random.get_state()
        np.random.seed(seed)
    if torch is not None:
        torch_state = torch.get_rng_state()
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
        if np is not None:
            np.random.set_state(np_state)
        if torch is not None:
            torch.set_rng_state(torch_state)
