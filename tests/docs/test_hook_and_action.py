"""The pre-commit hook, the GitHub Action and the editor's task, as far as no network goes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from command import ldjcheck_in

from ldjcheck.cli import main

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_hook_calls_the_command_on_python_and_notebooks() -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    assert hook["id"] == hook["entry"] == "ldjcheck"
    assert hook["types_or"] == ["python", "jupyter"]
    assert hook["language"] == "system"


FORGOTTEN = """
import torch

class Twice(torch.nn.Module):
    def forward(self, x):
        return 2 * x, torch.zeros(len(x))
"""
RIGHT = FORGOTTEN.replace("torch.zeros(len(x))", "torch.full_like(x, 2).log().sum(1)")


@pytest.mark.slow
def test_the_hook_stops_a_commit_of_what_is_wrong_and_no_other(tmp_path: Path) -> None:
    """As pre-commit runs it: the entry, with the names of the files that changed."""
    (hook,) = read(".pre-commit-hooks.yaml")
    _, *arguments = shlex.split(hook["entry"])
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(FORGOTTEN)
    assert ldjcheck_in(tmp_path, *arguments, "right.py").returncode == 0
    ran = ldjcheck_in(tmp_path, *arguments, "right.py", "wrong.py")
    assert (ran.returncode, "wrong.py:Twice" in ran.stdout) == (1, True)


def test_the_action_hands_on_each_line_as_one_word(tmp_path: Path) -> None:
    action = read("action.yml")
    assert action["runs"]["using"] == "composite"
    _, step = action["runs"]["steps"]
    assert set(action["inputs"]) == {"targets", "arguments", "junit"}
    told = tmp_path / "ldjcheck"
    told.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    told.chmod(0o755)
    given = {
        "LDJCHECK_TARGETS": "flows.py\nflows.py:Affine(4, $(touch harm))\n",
        "LDJCHECK_ARGUMENTS": "",
        "LDJCHECK_JUNIT": "out.xml",
    }
    assert set(given) == set(step["env"])
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", step["run"]],
        env={**os.environ, **given, "PATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        "flows.py",
        "flows.py:Affine(4, $(touch harm))",
        "--format",
        "github",
        "--format",
        "junit=out.xml",
    ]
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ldjcheck --sha", "--shape"),
        ("ldjcheck exp", "explain"),
        ("ldjcheck flows.py --inp", "--inputs"),
        ("ldjcheck flows.py --direction inv", "inverse"),
    ],
)
def test_a_shell_completes_options_and_commands(typed: str, offered: str) -> None:
    words = shlex.split(typed)
    setting = {
        "_LDJCHECK_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    ran = CliRunner().invoke(
        main, env=setting, prog_name="ldjcheck", complete_var="_LDJCHECK_COMPLETE"
    )
    assert f"plain,{offered}" in ran.output.splitlines()


def test_the_line_of_the_docs_gives_a_shell_completion() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"`(eval .*COMPLETE.*)`", page)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if shutil.which("ldjcheck", path=path) is None:
        pytest.skip("the command is not installed")
    ran = subprocess.run(
        ["bash", "-c", f"{line}; complete -p ldjcheck"],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "ldjcheck_completion ldjcheck" in ran.stdout


def test_a_shell_offers_files_as_targets() -> None:
    setting = {
        "_LDJCHECK_COMPLETE": "bash_complete",
        "COMP_WORDS": "ldjcheck flo",
        "COMP_CWORD": "1",
    }
    ran = CliRunner().invoke(
        main, env=setting, prog_name="ldjcheck", complete_var="_LDJCHECK_COMPLETE"
    )
    assert "file,flo" in ran.output.splitlines()


@pytest.mark.slow
def test_an_editor_reads_place_code_and_message_of_each_line() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```json\n(.+?)^```", page, re.MULTILINE | re.DOTALL)
    (task,) = json.loads(block)["tasks"]
    pattern = task["problemMatcher"]["pattern"]
    wrong = "examples/coupling_mistakes.py:FlippedSign"
    command = [task["command"], str(ROOT / wrong), *task["args"][1:]]
    ran = CliRunner().invoke(main, command[1:], prog_name="ldjcheck")
    found = [
        m
        for line in ran.output.splitlines()
        if (m := re.match(pattern["regexp"], line))
    ]
    first = found[0]
    file, line = first[pattern["file"]], int(first[pattern["line"]])
    assert first[pattern["code"]] == "LDJ104"
    assert "wrong sign" in first[pattern["message"]]
    assert "ldj" in Path(file).read_text(encoding="utf-8").splitlines()[line - 1]
