"""A small class, graded from the command line; `class_of_200` has many more kinds."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from command import ldjcheck_in

from grading.made_class import (
    AT_CALL,
    ATTEMPTS,
    FORGES_BY_PATCHING,
    MEAN,
    RENAMED,
    SOLUTION,
    Traps,
    notebook,
    slipped,
    tries,
    write_class,
    zipped,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="not all is enforced on other systems"
)

SUBMITTED = {
    "anna": SOLUTION,
    "bert": MEAN,
    "carl": RENAMED,
    "forges by patching": FORGES_BY_PATCHING,
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graded")
    write_class(folder, SUBMITTED)
    (folder / "secret").mkdir()
    (folder / "secret" / "answers.txt").write_text("the answers")
    traps = Traps(folder / "secret" / "answers.txt", folder / "mark")
    (folder / "class" / "tries everything.py").write_text(tries(traps, *ATTEMPTS))
    (folder / "class" / "notebook.ipynb").write_text(
        notebook("import torch\nfrom torch import nn", SOLUTION, "raise RuntimeError")
    )
    (folder / "class" / "archive.zip").write_bytes(
        zipped({"sheet/flows.py": SOLUTION, "sheet/notes.txt": "mine"})
    )
    (folder / "class" / "reaches out.zip").write_bytes(
        zipped({"../../flows.py": SOLUTION})
    )
    done = subprocess.run(
        [sys.executable, "-m", "ldjcheck", "grade", "class", "--rubric", "rubric.toml",
         *("-j", "1"), *(f"--format={f}" for f in ("json", "csv", "html", "feedback"))],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    (folder / "said.txt").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def layers(graded: Path) -> dict[str, Any]:
    document = json.loads((graded / "grades" / "grades.json").read_text())
    return {each["name"]: each["layers"][0] for each in document["submissions"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", "carl"])
def test_a_mistake_is_named_and_its_mending_confirmed(
    layers: dict[str, Any], name: str
) -> None:
    assert (layers[name]["standing"], layers[name]["points"]) == ("wrong", 1.5)
    (cause,) = layers[name]["causes"]
    assert cause["code"] == "LDJ105"
    assert cause["confirmed"]


@pytest.mark.parametrize("name", ["notebook", "archive"])
def test_notebooks_and_archives_are_graded_like_files(
    layers: dict[str, Any], name: str
) -> None:
    assert layers[name]["points"] == 2


def test_who_tries_to_read_write_kill_fork_or_connect_does_not_succeed(
    graded: Path, layers: dict[str, Any]
) -> None:
    assert layers["tries everything"]["standing"] == "right"
    secret = graded / "secret" / "answers.txt"
    assert secret.read_text() == "the answers"
    assert secret.stat().st_mode & 0o400
    assert not (graded / "mark").exists()
    assert not (graded / "class" / "mark").exists()


def test_an_archive_that_reaches_outside_is_not_unpacked(
    graded: Path, layers: dict[str, Any]
) -> None:
    assert layers["reaches out"]["points"] == 0
    assert "outside of itself" in layers["reaches out"]["why"]
    assert not (graded / "flows.py").exists()


def test_the_teacher_is_told_where_the_two_checks_part_ways(graded: Path) -> None:
    rows = csv.DictReader((graded / "grades" / "grades.csv").read_text().splitlines())
    review = {row["submission"]: row["review"] for row in rows}
    assert "the check beside its code says pass" in review["forges by patching"]
    assert "imports ldjcheck" in review["forges by patching"]
    assert review["bert"] == ""


def test_wrong_answers_that_differ_in_names_are_shown_side_by_side(
    graded: Path,
) -> None:
    document = json.loads((graded / "grades" / "grades.json").read_text())
    group = document["alike"][0]
    assert group["function"] == "Scale.ldj"
    assert {"bert", "carl"} <= set(group["submissions"])
    page = (graded / "grades" / "overview.html").read_text()
    assert "That tells nothing about who wrote them" in page


def test_the_student_gets_a_question_and_not_the_answer(graded: Path) -> None:
    page = (graded / "grades" / "feedback" / "bert.md").read_text()
    assert "# bert: 1.5 of 2 points" in page
    assert "What does the logarithm make of a product?" in page
    for answer in (".sum()", "mean", "LDJ105", "line 16"):
        assert answer not in page


def test_the_summary_names_what_was_made_most(graded: Path) -> None:
    said = (graded / "said.txt").read_text()
    assert "8 submissions graded" in said
    most = "made LDJ105 mean-not-sum: averaged over dims instead of summed"
    assert most in said.splitlines()[1]
    assert "For you to look at: forges by patching\n" in said


@pytest.mark.slow
def test_a_hang_names_its_line(tmp_path: Path) -> None:
    hangs = slipped(AT_CALL, f"        while len(x):\n            pass\n{AT_CALL}")
    write_class(tmp_path, {"hugo": hangs}, seconds=3)
    words = (
        "grade",
        "class",
        "--rubric",
        "rubric.toml",
        "--format=json",
        "--format=html",
    )
    ldjcheck_in(tmp_path, *words)
    document = json.loads((tmp_path / "grades" / "grades.json").read_text())
    (layer,) = document["submissions"][0]["layers"]
    page = (tmp_path / "grades" / "overview.html").read_text()
    number = hangs[: hangs.index("while len(x)")].count("\n") + 1
    assert layer["standing"] == "stopped"
    assert re.search(
        rf"It was in line ({number}|{number + 1}) of .*\.py, in forward", page
    )
