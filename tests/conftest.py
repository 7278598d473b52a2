"""Settings that must stand before torch is imported, and before any layer is built."""

from __future__ import annotations

import os

# Workers share the cores. Torch's threads wait for one another by spinning: with more of
# them than cores, a check of a second took a minute.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

# Layers that are built while tests are collected have the same weights in every run.
torch.manual_seed(0)
