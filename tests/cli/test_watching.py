"""`--watch`: what a saved file touches is checked again, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from busy import busy, needs_one_processor

from ldjcheck.cli.commands.check import rounds
from ldjcheck.targets.static_check import files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    (tmp_path / "nets").mkdir()
    write("nets/__init__.py", "")
    write("nets/mlp.py", "from . import init")
    write("nets/init.py", "import math")
    write("flows.py", "import torch\nfrom nets.mlp import MLP")
    write("other.py", "import helpers")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ldjcheck.cli.commands.check._GLANCE", 0.01)
    return tmp_path


def names(target: str) -> set[str]:
    return {path.name for path in files_of(target)}


def test_a_target_is_made_of_what_it_imports_of_the_users() -> None:
    nets = {"__init__.py", "mlp.py", "init.py"}
    assert names("flows.py:Affine") == {"flows.py", *nets}
    assert names("flows:Affine") == {"flows.py", *nets}
    assert names("nets.mlp") == nets
    assert names("other.py") == {"other.py"}
    assert names("missing.py") == {"missing.py"}


def saved(path: Path) -> None:
    later = time.time_ns() + 10**9
    os.utime(path, ns=(later, later))


def test_only_what_is_touched_is_checked_again(folder: Path) -> None:
    seen = rounds(["flows.py:Affine", "other.py:Shift"])
    assert next(seen) == ("flows.py:Affine", "other.py:Shift")
    saved(folder / "nets" / "init.py")
    assert next(seen) == ("flows.py:Affine",)
    saved(folder / "other.py")
    assert next(seen) == ("other.py:Shift",)


def test_a_file_that_is_made_later_is_noticed(folder: Path) -> None:
    seen = rounds(["late.py:Affine"])
    assert next(seen) == ("late.py:Affine",)
    (folder / "late.py").write_text("import torch")
    assert next(seen) == ("late.py:Affine",)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals as on Unix")
def test_it_goes_on_until_it_is_interrupted(folder: Path) -> None:
    with watching("flows.py:Afine") as process:
        assert "ERROR  LDJ002" in next_line(process)
        saved(folder / "flows.py")
        assert "ERROR  LDJ002" in next_line(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


@contextmanager
def watching(target: str) -> Iterator[subprocess.Popen[str]]:
    """Start `--watch` as a shell does, and end it whatever comes."""
    with subprocess.Popen(
        [sys.executable, "-m", "ldjcheck", target, "--watch", "-q"],
        stdout=subprocess.PIPE,
        text=True,
        # in the background, shells have it ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


LAYER = """
import torch

class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.s = torch.nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return x * self.s.exp(), self.s.sum().expand(len(x))
"""


@pytest.mark.slow
@needs_one_processor
def test_each_saving_is_answered_on_a_busy_machine_as_on_a_quiet_one(
    folder: Path,
) -> None:
    right, wrong = LAYER, LAYER.replace("self.s.sum()", "-self.s.sum()")
    file = folder / "scale.py"
    file.write_text(right)
    told = []
    with busy(3), watching("scale.py:Scale") as process:
        told.append(next_line(process))
        for text in (wrong, right, wrong):
            draft = folder / "draft"
            draft.write_text(text)
            saved(draft)
            draft.replace(file)  # at once, as editors do
            told.append(next_line(process))
    assert [("PASS" in line, "LDJ104" in line) for line in told] == [
        (True, False),
        (False, True),
        (True, False),
        (False, True),
    ]
