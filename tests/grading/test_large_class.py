"""Two hundred submissions: every grade as planned, however they are graded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from grading.made_class import (
    HOSTILE,
    IDENTITY,
    MEAN,
    SOLUTION,
    TURNED,
    UNLOGGED,
    Planned,
    slipped,
    write_class,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="confines by Linux"
    ),
]

COUNT = 200
KINDS = (
    Planned("right", SOLUTION, "right", 2),
    Planned("right, other names", slipped("log_a", "s"), "right", 2),
    Planned("mean", MEAN, "wrong", 1.5, "LDJ105"),
    Planned("right again", slipped("dims=2", "dims = 2"), "right", 2),
    Planned("turned", TURNED, "wrong", 0, "LDJ104"),
    Planned("unlogged", UNLOGGED, "wrong", 0, "LDJ108"),
    Planned("identity", IDENTITY, "wrong", 0),
    Planned("broken", "import nothing_of_this_name\n" + SOLUTION, "broken", 0),
    Planned("absent", "import torch\n", "absent", 0),
    *(each for each in HOSTILE if each.name != "hangs"),
)
HANGS = next(each for each in HOSTILE if each.name == "hangs")


def planned() -> dict[str, Planned]:
    """Return the class: kinds in turn, each text its own, and four that hang."""
    found = {}
    for number in range(COUNT - 4):
        kind = KINDS[number % len(KINDS)]
        text = f"{kind.text}\n# submission {number}\n"
        found[f"s{number:03} {kind.name}"] = Planned(
            kind.name, text, kind.standing, kind.points, kind.code
        )
    for number in range(4):
        text = f"{HANGS.text}\n# {number}\n"
        found[f"t{number} hangs"] = Planned("hangs", text, "stopped", 0)
    return found


PLANNED = planned()


def grade(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ldjcheck", "grade", *words, "--rubric", "rubric.toml",
         "--format", "json", "-q"],
        cwd=folder, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip


def results(folder: Path, out: str) -> dict[str, Any]:
    document = json.loads((folder / out / "grades.json").read_text())
    return {each["name"]: each for each in document["submissions"]}


@pytest.fixture(scope="module")
def class_of_200(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade the class, killed on the way and resumed."""
    folder = tmp_path_factory.mktemp("large")
    write_class(folder, {name: p.text for name, p in PLANNED.items()}, seconds=30)
    first = grade(folder, "class", "-j", "2")
    facts = folder / "grades" / "facts"
    while not facts.is_dir() or len(os.listdir(facts)) < 20:
        assert first.poll() is None
        time.sleep(0.2)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    done = {path.name: path.stat().st_mtime_ns for path in facts.glob("*.json")}
    second = grade(folder, "class", "-j", "2")
    _, said = second.communicate()
    assert second.returncode == 3, said
    kept = {name: (facts / name).stat().st_mtime_ns for name in done}
    assert kept == done, "what was graded before the kill is not graded again"
    return folder


def test_every_grade_is_as_planned(class_of_200: Path) -> None:
    found = results(class_of_200, "grades")
    assert len(found) == COUNT
    off = {}
    for name, each in found.items():
        layer, plan = each["layers"][0], PLANNED[name]
        codes = [c["code"] for c in layer["causes"] if c["severity"] == "error"]
        as_planned = (layer["standing"], layer["points"]) == (
            plan.standing,
            plan.points,
        )
        if not as_planned or (plan.code and codes != [plan.code]):
            off[name] = layer
    assert off == {}


@pytest.mark.parametrize("how", ["-j 1", "dask"])
def test_the_same_comes_out_however_it_is_graded(class_of_200: Path, how: str) -> None:
    some = [f"class/{name}.py" for name in list(PLANNED)[::11]]
    if how == "dask":
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster:
            where = f"dask:{cluster.scheduler_address}"
            graded = grade(class_of_200, *some, "--out", how, "--executor", where)
            _, said = graded.communicate()
    else:
        graded = grade(class_of_200, *some, "--out", how, "-j", "1")
        _, said = graded.communicate()
    assert graded.returncode in (0, 3), said
    whole, part = results(class_of_200, "grades"), results(class_of_200, how)
    assert part
    assert {name: whole[name] for name in part} == part
