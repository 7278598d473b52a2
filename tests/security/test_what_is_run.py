"""Where text becomes code, where bytes become objects, and which programs are started."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from command import ldjcheck_in

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ldjcheck"
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
FLOW = """\
from torch import nn
import torch


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return x * self.a.exp(), self.a.sum().expand(len(x))
"""


def calls(*wanted: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of functions by their dotted ends, each with the file it stands in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in wanted:
                yield path.relative_to(ROOT).as_posix(), node


def on_the_page(heading: str) -> set[str]:
    """Return the files that the page lists under a heading."""
    _, _, rest = PAGE.partition(f"## {heading}\n")
    block = rest.partition("\n## ")[0]
    return set(re.findall(r"^\| `(ldjcheck/[^`]+\.py)`", block, re.MULTILINE))


@pytest.mark.slow
def test_the_page_lists_every_place_where_text_becomes_code() -> None:
    found = {file for file, _ in calls("exec", "eval")}
    # what is compiled to be executed by its caller, and no mere syntax tree
    found |= {
        file
        for file, call in calls("compile", "builtins.compile")
        if "PyCF_ONLY_AST" not in ast.unparse(call)
    }
    assert found == on_the_page("Where text becomes code")


@pytest.mark.slow
def test_the_page_lists_every_place_where_bytes_become_objects() -> None:
    found = {
        file
        for file, _ in calls("torch.load", "np.load", "pickle.loads", "pickle.load")
    }
    for path in sorted(PACKAGE.rglob("*.py")):
        if re.search(r"pickle\.Unpickler\b|\bmarshal\.|\bshelve\.|\bjoblib\.",
                     path.read_text(encoding="utf-8")):  # fmt: skip
            found.add(path.relative_to(ROOT).as_posix())
    assert found == on_the_page("Where bytes become objects")
    assert not any("/grading/" in file for file in found)


@pytest.mark.slow
def test_files_of_tensors_are_read_as_tensors_alone() -> None:
    loads = [call for _, call in calls("torch.load")]
    assert loads
    for call in loads:
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert given["weights_only"] == "True"
    for _, call in calls("np.load"):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert given["allow_pickle"] == "False"


@pytest.mark.slow
def test_the_page_lists_every_program_that_is_started() -> None:
    starts = list(calls("subprocess.run", "subprocess.Popen"))
    assert {file for file, _ in starts} == on_the_page("Which programs are started")
    assert not any(word.arg == "shell" for _, call in starts for word in call.keywords)
    others = (
        "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv", "os.startfile",
        "subprocess.call", "subprocess.check_call", "subprocess.check_output",
    )  # fmt: skip
    assert not list(calls(*others))


class Harm:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("option", ["--inputs", "--weights"])
@pytest.mark.parametrize("kind", ["pt", "npy", "npz"])
def test_a_file_of_data_runs_nothing(option: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    mark, file = tmp_path / "mark", tmp_path / f"data.{kind}"
    harm = np.array([Harm(mark)], dtype=object)
    if kind == "pt":
        torch.save({"x": torch.zeros(3, 3), "y": Harm(mark)}, file)
    elif kind == "npy":
        np.save(file, harm, allow_pickle=True)
    else:
        np.savez(file, x=harm)
    ran = ldjcheck_in(tmp_path, "flow.py:Scale", option, file.name)
    assert ran.returncode == 2, ran
    assert not mark.exists()
    assert "Traceback" not in ran.stderr


def test_a_check_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW.replace("sum()", "mean()"))
    before = state(tmp_path)
    assert ldjcheck_in(tmp_path, "flow.py:Scale", "--format", "json").returncode == 1
    assert state(tmp_path) == before


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of every file but what Python itself keeps of imports."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


NAMED = re.findall(r"`(tests/[^`:]+\.py)::(\w+)`", PAGE)


def test_the_page_names_a_test_of_each_threat() -> None:
    _, _, rest = PAGE.partition("## Threats\n")
    table = rest.partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][2:]
    assert len(rows) > 15
    assert all(re.search(r"`tests/[^`]+::\w+`", row) for row in rows)


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_a_test_that_the_page_names_is_there(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    assert name in functions
