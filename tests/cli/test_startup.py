"""What need not run a layer does not load what running layers needs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

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


def seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - started


def start_up(argument: str, runs: int) -> float:
    """Return how much longer than an empty program the command takes (medians)."""
    command, empty = [], []
    for _ in range(runs):  # side by side, so that a busy machine slows both
        command.append(seconds("-m", "ldjcheck", argument))
        empty.append(seconds("-c", "pass"))
    return statistics.median(command) - statistics.median(empty)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_starting_is_quick_even_on_a_busy_machine(argument: str) -> None:
    assert start_up(argument, runs=3) < 0.6  # loading torch alone takes longer


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_starting_takes_at_most_120_milliseconds(argument: str) -> None:
    assert start_up(argument, runs=10) <= 0.120
