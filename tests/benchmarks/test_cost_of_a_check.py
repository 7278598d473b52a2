"""What a check costs a user who waits for it at the command line."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNS = 3


def cpu_seconds(*arguments: str, folder: Path = ROOT) -> float:
    """Return the CPU time of one call of this Python, which no other program adds to."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, check=True, capture_output=True
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


LAYERS = """
from ldjcheck.classroom.zoo import right_ones

plain = [a for a in right_ones() if a.shape is not None and not a.options]
animals = plain[:: len(plain) // 20][:20]
"""
"""Twenty sound layers of many families."""
PLAIN = """
import ldjcheck
from layers import animals

for animal in animals:
    ldjcheck.check(animal.layer(), shape=animal.shape)
"""
SUITE = """
import ldjcheck
import pytest
from layers import animals

@ldjcheck.parametrize([
    pytest.param(a.layer(), marks=pytest.mark.ldj(shape=a.shape)) for a in animals
])
def test_layers(): pass
"""


@pytest.mark.slow
def test_a_suite_of_twenty_layers_costs_at_most_twice_their_plain_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"layers": LAYERS, "plain": PLAIN, "test_suite": SUITE}.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    plain = cpu_seconds("plain.py", folder=tmp_path)
    suite = cpu_seconds(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "--ldj-report=report.json",
        folder=tmp_path,
    )  # fmt: skip
    print(f"plain checks {plain:.2f} s, suite {suite:.2f} s")
    assert suite <= 2.0 * plain
    results = json.loads((tmp_path / "report.json").read_text())["results"]
    assert len(results) == 20
    assert all(result["seconds"] > 0 for result in results)
