"""What need not run a layer does not load what running layers needs."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "hypothesis"}


def heavy_modules_loaded_by(code: str) -> set[str]:
    """Return the heavy modules that a fresh interpreter loads when it runs `code`."""
    show = f"import sys; print(*{HEAVY!r} & set(sys.modules), file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"],
        text=True,
        capture_output=True,
        check=True,
    )
    return set(ran.stderr.split())


@pytest.mark.thinned(2)
@pytest.mark.parametrize("argument", ["--help", "-h", "--version", "codes"])
def test_help_version_and_codes_load_nothing_heavy(argument: str) -> None:
    code = f"from ldjcheck.cli import main; main([{argument!r}], standalone_mode=False)"
    assert heavy_modules_loaded_by(code) == set()


def test_explaining_a_mistake_loads_nothing_heavy() -> None:
    run = "main(['explain', 'sign-flipped'], standalone_mode=False)"
    code = f"from ldjcheck.cli import main; {run}"
    assert heavy_modules_loaded_by(code) == set()


def test_importing_ldjcheck_loads_nothing_heavy() -> None:
    assert heavy_modules_loaded_by("import ldjcheck") == set()


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", sorted(HEAVY))
def test_a_heavy_import_would_have_been_seen(name: str) -> None:
    assert name in heavy_modules_loaded_by(f"import {name}")


def told_by_openmp(*arguments: str) -> str:
    """Return what GNU's OpenMP says of itself where it is loaded."""
    told = {**os.environ, "OMP_DISPLAY_ENV": "verbose"}
    told.pop("OMP_WAIT_POLICY", None)
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=told).stderr


def test_threads_of_a_check_do_not_spin_while_they_wait_for_one_another() -> None:
    if "GOMP_SPINCOUNT" not in told_by_openmp("-c", "import torch"):
        pytest.skip("torch computes with other threads here")
    check = told_by_openmp("-m", "ldjcheck", "math:floor", "-q")
    assert "GOMP_SPINCOUNT = '0'" in check


def cpu_seconds(*arguments: str) -> float:
    """Return the CPU time of one call of this Python, which no other program adds to."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.thinned(2)
@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_starting_is_quick(argument: str) -> None:
    # Side by side, so that a busy machine slows all alike.
    command = [cpu_seconds("-m", "ldjcheck", argument) for _ in range(3)]
    empty = [cpu_seconds("-c", "pass") for _ in range(3)]
    torch = [cpu_seconds("-c", "import torch") for _ in range(2)]
    starts = statistics.median(command) - statistics.median(empty)
    assert starts < 0.3 * min(torch)
