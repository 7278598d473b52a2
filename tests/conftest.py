"""Settings that must stand before torch is imported, and which tests run by default."""

from __future__ import annotations

import os
from collections import Counter

import pytest

# Workers share the cores. Torch's threads wait for one another by spinning: with more of
# them than cores, a check of a second took a minute.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

# Layers that are built while tests are collected have the same weights in every run.
torch.manual_seed(0)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what `thinned(nth)` leaves out: all but each n-th of a test's parameters."""
    seen: Counter[str] = Counter()
    for item in items:
        thinned = item.get_closest_marker("thinned")
        if thinned is None or item.get_closest_marker("slow"):
            continue
        test = item.nodeid.partition("[")[0]
        if seen[test] % thinned.args[0]:
            item.add_marker(pytest.mark.slow)
        seen[test] += 1
