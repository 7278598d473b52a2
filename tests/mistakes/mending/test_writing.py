"""`--fix` writes the verified edits and nothing else, into files that are as they were."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING

import pytest
from command import ldjcheck_in

from ldjcheck.records import Edit, Fix
from ldjcheck.revision.disk import plan_fixes, write_fixes

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """\
import torch


class Layer(torch.nn.Module):
    def forward(self, x):
        ldj = torch.log(torch.cosh(x)).mean(dim=1)
        return torch.sinh(x), ldj
"""
NEVER = 1e12


def fix(file: Path, line: int, before: str, after: str, cell: int | None = None) -> Fix:
    edit = Edit(file=str(file), line=line, before=before, after=after, cell=cell)
    return Fix(applicability="verified", residual_after=0.0, edits=(edit,))


def test_a_fix_is_written_and_a_second_run_passes(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(MODULE)
    first = ldjcheck_in(tmp_path, "flow.py:Layer", "--shape", "4", "--fix")
    assert first.returncode == 1
    assert "fix, run: all samples then agree to" in first.stdout
    assert "    6 -  ldj = torch.log(torch.cosh(x)).mean(dim=1)\n" in first.stdout
    assert "    6 +  ldj = torch.log(torch.cosh(x)).sum(dim=1)\n" in first.stdout
    assert first.stderr == (
        "Wrote flow.py, line 6.\nCheck again to see the layer pass.\n"
    )
    assert path.read_text() == MODULE.replace("mean", "sum")
    second = ldjcheck_in(tmp_path, "flow.py:Layer", "--shape", "4", "--fix")
    assert (second.returncode, second.stderr) == (0, "Nothing is left to write.\n")


def test_without_the_option_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(MODULE)
    before = path.stat()
    assert ldjcheck_in(tmp_path, "flow.py:Layer", "--shape", "4").returncode == 1
    assert path.read_text() == MODULE
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_with_json_standard_output_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(MODULE)
    done = ldjcheck_in(tmp_path, "flow.py:Layer", "--shape=4", "--fix", "--format=json")
    fix = json.loads(done.stdout)["results"][0]["findings"][0]["fix"]
    assert fix["applicability"] == "verified"
    assert fix["edits"] == [
        {
            "file": "flow.py",
            "line": 6,
            "before": "        ldj = torch.log(torch.cosh(x)).mean(dim=1)",
            "after": "        ldj = torch.log(torch.cosh(x)).sum(dim=1)",
            "cell": None,
        }
    ]


def notebook_in(folder: Path) -> tuple[Path, str]:
    """Write a notebook whose second cell is the module; return it and its text."""
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Größe"]},
        {
            "cell_type": "code", "execution_count": None, "metadata": {},
            "outputs": [], "source": MODULE.splitlines(keepends=True),
        },
    ]  # fmt: skip
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    path = folder / "flow.ipynb"
    path.write_text(text, encoding="utf-8")
    return path, text


@pytest.mark.slow
def test_a_cell_of_a_notebook_is_shown_and_written(tmp_path: Path) -> None:
    path, text = notebook_in(tmp_path)
    command = ("flow.ipynb:Layer", "--shape", "4", "--fix")
    shown = ldjcheck_in(tmp_path, *command, "--diff", "-q")
    assert shown.stdout.partition("\n\n")[2] == diff_in("flow.ipynb, cell 2")
    assert shown.stderr == "Would write flow.ipynb, cell 2, line 6.\n"
    assert path.read_text(encoding="utf-8") == text
    done = ldjcheck_in(tmp_path, *command)
    assert done.returncode == 1, done
    assert "Wrote flow.ipynb, cell 2, line 6." in done.stderr
    assert path.read_text(encoding="utf-8") == text.replace(".mean(", ".sum(")
    assert ldjcheck_in(tmp_path, "flow.ipynb:Layer", "--shape", "4").returncode == 0


def diff_in(name: str) -> str:
    """Return what is changed of the module, which stands in a file or cell."""
    return f"""\
--- {name}
+++ {name}
@@ -3,5 +3,5 @@
{" "}
 class Layer(torch.nn.Module):
     def forward(self, x):
-        ldj = torch.log(torch.cosh(x)).mean(dim=1)
+        ldj = torch.log(torch.cosh(x)).sum(dim=1)
         return torch.sinh(x), ldj
"""


@pytest.mark.slow
def test_what_would_be_written_is_shown_under_the_report(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(MODULE)
    command = ("flow.py:Layer", "--shape", "4")
    plain = ldjcheck_in(tmp_path, *command, "-q")
    shown = ldjcheck_in(tmp_path, *command, "-q", "--fix", "--diff")
    assert shown.returncode == plain.returncode == 1
    assert shown.stdout == f"{plain.stdout}\n{diff_in('flow.py')}"
    assert shown.stderr == "Would write flow.py, line 6.\n"
    assert path.read_text() == MODULE


@pytest.mark.slow
def test_beside_json_the_diff_is_on_standard_error(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(MODULE)
    command = ("flow.py:Layer", "--shape=4", "--fix", "--diff", "--format=json")
    shown = ldjcheck_in(tmp_path, *command)
    assert json.loads(shown.stdout)["run"]["exit_code"] == 1
    assert diff_in("flow.py") in shown.stderr


@pytest.mark.parametrize("command", ["check", "derive"])
def test_a_diff_of_what_is_not_to_be_written_is_a_slip(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "flow.py").write_text(MODULE)
    ran = ldjcheck_in(tmp_path, command, "flow.py:Layer", "--diff")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.endswith(
        "Error: --diff shows what --fix would write: type both, --fix --diff.\n"
    )


@pytest.mark.slow
def test_several_mistakes_of_a_file_are_one_diff(tmp_path: Path) -> None:
    other = MODULE.partition("\n\n\n")[2].replace("Layer", "Other")
    (tmp_path / "flow.py").write_text(f"{MODULE}\n\n{other}")
    command = ("flow.py", "--shape", "4", "--format=concise", "--fix")
    shown = ldjcheck_in(tmp_path, *command, "--diff")
    assert shown.stderr.count("--- flow.py\n") == 1
    assert shown.stderr.count("+        ldj = torch.log(torch.cosh(x)).sum(dim=1)") == 2
    assert shown.stderr.endswith("Would write flow.py, lines 6, 12.\n")


def test_a_diff_can_be_applied_to_a_last_line_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(MODULE.removesuffix("\n"))
    shown = ldjcheck_in(tmp_path, "flow.py:Layer", "--shape=4", "-q", "--fix", "--diff")
    assert shown.stdout.endswith(f"{diff_in('flow.py')}\\ No newline at end of file\n")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
def test_encoding_line_ends_and_mode_stay(
    end: str, encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "flow.py"
    lines = [f"# coding: {encoding.removesuffix('-sig')}", "größe = 1", "last = 2"]
    path.write_bytes(end.join(lines).encode(encoding))
    path.chmod(0o750)
    write_fixes([fix(path, 2, "größe = 1", "größe = 2\nneu = 3")], NEVER)
    after = end.join([lines[0], "größe = 2", "neu = 3", "last = 2"])
    assert path.read_bytes() == after.encode(encoding)
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert os.listdir(tmp_path) == ["flow.py"]


def test_a_line_can_go_and_the_last_one_stays_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text("a = 1\nb = 2\nc = 3")
    both = (fix(path, 2, "b = 2", ""), fix(path, 3, "c = 3", "c = 4\nd = 5"))
    write_fixes(both, NEVER)
    assert path.read_text() == "a = 1\nc = 4\nd = 5"


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text("a = 1\n")
    (done,) = write_fixes([fix(path, 1, "a = 1", "a = 2")], time.time() - 60)
    assert done.refused == "it was changed while it was checked"
    (done,) = write_fixes([fix(path, 1, "a = 3", "a = 2")], NEVER)
    assert done.refused == "line 1 is no longer what was checked"
    assert plan_fixes([fix(path, 1, "a = 3", "a = 2")], NEVER) == (done,)
    assert path.read_text() == "a = 1\n"


def test_of_two_fixes_of_one_line_the_second_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text("a = 1\n")
    two = (fix(path, 1, "a = 1", "a = 2"), fix(path, 1, "a = 1", "a = 3"))
    refused, written = write_fixes(two, NEVER)
    assert (
        refused.refused == "two fixes change the same line; write one, and check again"
    )
    assert [change.lines for change in written.changes] == [(1,)]
    assert path.read_text() == "a = 2\n"


def test_the_same_fix_of_two_targets_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text("a = 1\n")
    (done,) = write_fixes([fix(path, 1, "a = 1", "a = 2")] * 2, NEVER)
    assert [change.lines for change in done.changes] == [(1,)]
    assert path.read_text() == "a = 2\n"


def test_files_of_one_fix_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("a = 1\n")
    bad.write_text("b = 9\n")
    edits = fix(good, 1, "a = 1", "a = 2").edits + fix(bad, 1, "b = 1", "b = 2").edits
    both = Fix(applicability="verified", residual_after=0.0, edits=edits)
    assert all(each.refused for each in write_fixes([both], NEVER))
    assert good.read_text() == "a = 1\n"


def test_a_suggestion_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text("a = 1\n")
    edits = fix(path, 1, "a = 1", "a = 2").edits
    suggested = Fix(applicability="suggested", residual_after=0.0, edits=edits)
    assert write_fixes([suggested], NEVER) == ()
    assert path.read_text() == "a = 1\n"
