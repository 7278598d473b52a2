"""What need not run a layer does not load what running layers needs."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.slow
def test_threads_of_a_check_do_not_spin_while_they_wait_for_one_another() -> None:
    if "GOMP_SPINCOUNT" not in told_by_openmp("-c", "import torch"):
        pytest.skip("torch computes with other threads here")
    check = told_by_openmp("-m", "ldjcheck", "math:floor", "-q")
    assert "GOMP_SPINCOUNT = '0'" in check


FILES = {
    "flows.py": """
import torch
from torch import nn

class Affine(nn.Module):
    def forward(self, x):
        return 2 * x, x.sum(dim=1)
""",
    "helpers.py": "import torch\n\ndef make_flow(dims):\n    return torch.nn.Identity()\n",
    "starred.py": "from flows import *\n",
}
NOTEBOOK = {
    "cells": [{"cell_type": "code", "metadata": {}, "source": FILES["flows.py"]}],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip
SLIPS = {
    "flow.py:Affine": "There is no file flow.py.",
    "flow.py": "flows.py",
    "nowhere/": "nowhere/ is neither a Python file, a notebook nor a module.",
    "flow:Affine": "There is no module flow.",
    "flows.py:Afine": "ldjcheck flows.py:Affine",
    "flows:Afine": "ldjcheck flows:Affine",
    "flows.ipynb:Afine": "ldjcheck flows.ipynb:Affine",
    "helpers.py:make_flw(4)": "There is no make_flw in helpers.py.",
    "flows.py:Affine(": "is no Python expression",
    "flows.py:Afine --domain unit --context t=2:positive --format json": "LDJ002",
    "flows.py:Affine --shpe 4": "--shape",
    "flows.py:Affine --shape four": "such as 1,4,4",
    "flows.py:Affine --domain unti": "one of auto, real, unit, positive",
    "flows.py:Affine --select sign": "sign-flipped",
    "flows.py:Affine --diff": "--fix --diff",
    "derive flows.py:Afine": "ldjcheck flows.py:Affine",
    "selftest flows.py:Afine": "ldjcheck flows.py:Affine",
    "quiz flipd": "There is no topic 'flipd'.",
    "demo sign-fliped": "sign-flipped",
}
"""What people type by mistake, and a part of the answer."""
ANSWERED = """
import json, sys
from click.testing import CliRunner
from ldjcheck.cli import main

told = {}
for typed in json.loads(sys.argv[1]):
    ran = CliRunner().invoke(main, typed.split(" "))
    told[typed] = [ran.exit_code, ran.output, sorted(HEAVY & set(sys.modules))]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def answers(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[int, str, list[str]]]:
    """Exit status, output and heavy modules of each slip, all typed into one process."""
    folder = tmp_path_factory.mktemp("slips")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "flows.ipynb").write_text(json.dumps(NOTEBOOK))
    code = f"HEAVY = {HEAVY!r}\n{ANSWERED}"
    ran = subprocess.run(
        [sys.executable, "-c", code, json.dumps([*SLIPS])],
        cwd=folder, text=True, capture_output=True, check=True,
    )  # fmt: skip
    found: dict[str, tuple[int, str, list[str]]] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("typed", SLIPS)
def test_a_slip_is_answered_before_torch_is_loaded(
    typed: str, answers: dict[str, tuple[int, str, list[str]]]
) -> None:
    status, output, heavy = answers[typed]
    assert (status, heavy) == (2, [])
    assert SLIPS[typed] in output


@pytest.mark.slow
def test_what_a_star_may_bring_is_looked_up_by_a_run(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "ldjcheck", "starred.py:Affine", "-q"]
    command += ["--direction", "forward"]
    ran = subprocess.run(
        command, cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert ran.stdout.startswith("starred.py:Affine "), ran.stderr
    assert ran.returncode == 1


def cpu_seconds(*arguments: str, status: int = 0, **environment: str) -> float:
    """Return the CPU time of one call of this Python, which no other program adds to."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert ran.returncode == status
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ("--help", 0),
        ("nowhere.py:Layer", 2),
        ("--version", 0),
        ("ldjcheck.errors:No", 2),
    ],
)
def test_starting_is_quick(typed: str, status: int, tmp_path: Path) -> None:
    # Side by side, so that a busy machine slows all alike; compiled, as what is installed.
    compiled = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    command = ("-m", "ldjcheck", typed)
    starts = [cpu_seconds(*command, status=status, **compiled) for _ in range(4)]
    empty = [cpu_seconds("-c", "pass") for _ in range(3)]
    torch = [cpu_seconds("-c", "import torch") for _ in range(2)]
    start = statistics.median(starts[1:]) - statistics.median(empty)
    assert start < 0.3 * min(torch)
