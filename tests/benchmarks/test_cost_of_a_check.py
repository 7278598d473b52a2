"""What a check costs a user who waits for it at the command line."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNS = 3


def cpu_seconds(*arguments: str) -> float:
    """Return the CPU time of one call of this Python, which no other program adds to."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.slow
def test_a_check_costs_at_most_twice_of_importing_torch_beyond_it() -> None:
    # Side by side, so that whatever else the machine does falls on both alike.
    pairs = [
        (
            cpu_seconds("-c", "import torch"),
            cpu_seconds(
                "-m", "ldjcheck", "examples/dequantization.py:Dequantization",
                "--shape", "1,4,4",
            ),
        )
        for _ in range(RUNS)
    ]  # fmt: skip
    importing, checking = (
        statistics.median(column) for column in zip(*pairs, strict=False)
    )
    print(f"import torch {importing:.2f} s, check {checking:.2f} s")
    assert checking - importing <= 2.0 * importing
