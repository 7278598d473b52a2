"""What is left where the system confines nothing, and where it does not fork."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
import torch

from ldjcheck.grading.confined.confinement import (
    Job,
    Warden,
    enforced_here,
    readable_files,
)
from ldjcheck.grading.confined.fork_server import loaded_elsewhere
from ldjcheck.grading.sandbox import Limits
from ldjcheck.grading.sandbox.measured import Enforced

WATCHED = """
import os, sys
from ldjcheck.grading.sandbox import watch_operations
own, other = sys.argv[1:]
watch_operations(own)
open(os.path.join(own, "mine.txt"), "w").write("mine")
open(os.path.join(other, "theirs.txt")).read()
import socket, subprocess
attempts = (
    lambda: open(os.path.join(other, "theirs.txt"), "w"),
    lambda: open(os.path.join(own, "..", "theirs.txt"), "a"),
    lambda: os.remove(os.path.join(other, "theirs.txt")),
    lambda: os.rename(os.path.join(own, "mine.txt"), os.path.join(other, "m.txt")),
    lambda: socket.socket(),
    lambda: subprocess.run(["true"]),
    lambda: os.kill(os.getppid(), 0),
    lambda: os.system("true"),
)
for number, attempt in enumerate(attempts):
    try:
        attempt()
    except PermissionError:
        continue
    print("could do", number)
os.remove(os.path.join(own, "mine.txt"))
print("done")
"""


def test_the_hook_stops_what_leaves_the_folder(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (other / "theirs.txt").write_text("theirs")
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, own, other],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "done\n", done
    assert (other / "theirs.txt").read_text() == "theirs"


def test_what_is_not_enforced_is_said_first_to_the_teacher() -> None:
    some = Enforced(
        network=True, writing=False, reading=False, signals=True, processes=True,
        memory=True,
    )  # fmt: skip
    assert some.missing == ("writing", "reading")
    assert some.sentence() == (
        "Enforced here: time, no network, no other process stopped, no processes started, "
        "memory. NOT enforced on this system: nothing written outside of its own folder, "
        "no other files read."
    )


@pytest.mark.slow  # torch is loaded again for each job
def test_a_process_is_confined_as_well_where_nothing_forks(tmp_path: Path) -> None:
    limits = Limits(seconds=60, memory=2**29)
    with Warden(forks=False) as warden:
        assert enforced_here(warden, limits).missing == ()
        (tmp_path / "flows.py").write_text(
            dedent(
                """
                import torch
                class Bend(torch.nn.Module):
                    def forward(self, x):
                        return torch.sinh(x), torch.cosh(x).log().sum(1)
                """
            )
        )
        arguments = {"target": "flows.py:Bend", "keywords": {"shape": [2]}, "seed": 0}
        job = Job(
            name="answer", folder=str(tmp_path), arguments=arguments, limits=limits
        )
        done = warden.run(job, lambda said: said.hear())
    assert done.value["directions"] == ["forward"]


def test_what_is_loaded_from_elsewhere_can_load_more_of_itself() -> None:
    """Packages named by a `.pth` file lie beside others, which stay out of reach."""
    at = Path(torch.__file__).parent
    others = [path for path in readable_files() if not at.is_relative_to(path)]
    assert str(at) not in loaded_elsewhere(readable_files())
    found = loaded_elsewhere(others)
    assert str(at) in found
    assert str(at.parent) not in found


def test_a_file_that_has_a_path_as_packages_have_opens_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `six` does; beside it lies what a submission has no need of."""
    alone = ModuleType("alone")
    alone.__file__, alone.__path__ = str(tmp_path / "alone.py"), []
    monkeypatch.setitem(sys.modules, "alone", alone)
    found = loaded_elsewhere(readable_files())
    assert str(tmp_path / "alone.py") in found
    assert str(tmp_path) not in found


COMPUTES = """
import time, torch
class Bend(torch.nn.Module):
    def forward(self, x):
        began = time.process_time()
        while time.process_time() - began < 0.3:
            pass
        return torch.sinh(x), torch.cosh(x).log().sum(1)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="is not told")
def test_time_that_others_have_the_processor_is_no_layers_fault(tmp_path: Path) -> None:
    """Beside eight others on each core it takes longer than alone, and is not charged."""
    (tmp_path / "flows.py").write_text(COMPUTES)
    arguments = {"target": "flows.py:Bend", "keywords": {"shape": [2]}, "seed": 0}
    limits = Limits(seconds=60, memory=2**29)
    job = Job(name="answer", folder=str(tmp_path), arguments=arguments, limits=limits)

    def seconds(warden: Warden, job: Job) -> tuple[float, Any]:
        started = time.monotonic()
        done = warden.run(job, lambda said: said.hear())
        return time.monotonic() - started, done

    with Warden() as warden:
        alone, _ = seconds(warden, job)
    limit = 1.5 * alone
    job = replace(job, limits=replace(limits, seconds=limit))
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(8 * len(os.sched_getaffinity(0)))
    ]
    try:
        with Warden() as warden:
            took, done = seconds(warden, job)
    finally:
        for each in others:
            each.kill()
    if took <= limit:
        pytest.skip("the others did not keep it from the processor")
    assert done.value["directions"] == ["forward"], done
