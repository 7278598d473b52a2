"""Settings that must stand before torch is imported."""

from __future__ import annotations

import os

# Workers share the cores. Torch's threads wait for one another by spinning: with more of
# them than cores, a check of a second took a minute.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
