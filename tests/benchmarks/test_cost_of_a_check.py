"""What a check costs a user who waits for it at the command line."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNS = 7


def seconds(*arguments: str) -> float:
    """Return how long one call of this Python takes, from start to end."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True
    )
    return time.perf_counter() - started


@pytest.mark.slow
def test_a_check_takes_at_most_a_second_more_than_importing_torch() -> None:
    # Side by side, so that whatever else the machine does falls on both alike.
    pairs = [
        (
            seconds("-c", "import torch"),
            seconds(
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
    assert checking - importing <= 1.0
