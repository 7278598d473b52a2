"""Where processes are spawned, limits of the system are missing, and no terminal has colours.

No such system is here: a start-up file takes away from Python what it has on this one.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from command import RIGHT_AND_WRONG, in_changed_python

WITHOUT = """
import multiprocessing, os, sys

sys.modules["resource"] = sys.modules["termios"] = sys.modules["fcntl"] = None
multiprocessing.get_all_start_methods = lambda: ["spawn"]
for name in ("fork", "forkpty", "getuid", "geteuid"):
    delattr(os, name)
with open(os.path.join(os.path.dirname(__file__), "started"), "a") as started:
    started.write("a Python\\n")
"""
FLOWS = f"""{RIGHT_AND_WRONG}
import os
import time


class Dies(nn.Module):
    def forward(self, x):
        os._exit(3)


class Hangs(nn.Module):
    def forward(self, x):
        time.sleep(1000)
        return x, 0 * x.sum(1)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command there; each target is seen to have a Python of its own."""
    (folder / "flows.py").write_text(FLOWS)
    ran = in_changed_python(folder, WITHOUT, *arguments)
    started = (folder / "changed" / "started").read_text().splitlines()
    assert len(started) > sum(word.startswith("flows.py") for word in arguments)
    return ran


@pytest.mark.slow
def test_layers_that_end_or_hang_are_told_from_others_where_nothing_forks(
    tmp_path: Path,
) -> None:
    names = ("Right", "Wrong", "Dies", "Hangs")
    targets = [f"flows.py:{name}" for name in names]
    ran = run(tmp_path, *targets, "--shape", "3", "--timeout", "20", "--format", "json")
    assert ran.returncode == 2, ran.stderr
    results = json.loads(ran.stdout)["results"]
    assert [each["status"] for each in results] == ["pass", "fail", "error", "error"]
    codes = [[finding["code"] for finding in each["findings"]] for each in results]
    assert "LDJ105" in codes[1]
    assert (codes[2], codes[3]) == (["LDJ005"], ["LDJ007"])
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_a_fix_is_written_where_nothing_forks(tmp_path: Path) -> None:
    ran = run(tmp_path, "flows.py:Wrong", "--shape", "3", "--fix")
    assert ran.returncode == 1, ran.stderr
    assert (tmp_path / "flows.py").read_text() == FLOWS.replace("mean", "sum")


@pytest.mark.slow
@pytest.mark.parametrize("color", ["auto", "always"])
def test_colours_follow_what_was_asked_for(color: str, tmp_path: Path) -> None:
    ran = run(tmp_path, "flows.py:Right", "--shape", "3", "--color", color)
    assert ran.returncode == 0, ran.stderr
    assert ("\x1b[" in ran.stdout) is (color == "always")


def test_a_python_without_torch_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(RIGHT_AND_WRONG, encoding="utf-8")
    bare = 'import sys\n\nsys.modules["torch"] = None\n'
    ran = in_changed_python(tmp_path, bare, "flows.py:Right")
    assert ran.returncode == 2
    assert "There is no torch in" in ran.stderr
    assert "Traceback" not in ran.stderr
