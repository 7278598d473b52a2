"""Checks without end in one process: what does it take, after some, that it did not before?"""

from __future__ import annotations

import gc
import os
import tempfile
import threading
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch

import ldjcheck

from .layers import Source
from .running import of_file

SOURCES = (
    Source(),
    Source(convention="accumulator", map="coupling"),
    Source(map="dims forgotten"),
    Source(map="sign flipped", convention="two methods"),
    Source(act="raises", when="CALLS % 2 == 0"),
    Source(returns="(y, ldj * math.nan)"),
    Source(returns="None"),
    Source(convention="transform", base="torch.distributions.Transform"),
    Source(convention="density"),
    Source(map="dequantized", dtype="float16"),
    Source(act="hooks"),
    Source(oddity="no copy"),
)


def soak(checks: int, every: int = 25) -> list[dict[str, Any]]:
    """Return what the process holds after so many checks and so many, a row each.

    Every layer is built anew, from one of a dozen modules.
    """
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        kinds = []
        for number, source in enumerate(SOURCES):
            path = Path(folder, f"flow_{number}.py")
            path.write_text(source.text(), encoding="utf-8")
            kinds.append(of_file(path, path.stem).Layer)
        for done, kind in enumerate(islice(cycle(kinds), checks), 1):
            str(ldjcheck.check(kind(), shape=4, timeout=5))
            if done % every == 0:
                rows.append({"checks": done, **_held()})
    return rows


def _held() -> dict[str, Any]:
    gc.collect()
    hooks = vars(torch.nn.modules.module)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory, MiB": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "objects": len(gc.get_objects()),
        "tensors": sum(
            issubclass(type(each), torch.Tensor) for each in gc.get_objects()
        ),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "hooks": sum(len(v) for k, v in hooks.items() if k.startswith("_global_") if v),
    }
