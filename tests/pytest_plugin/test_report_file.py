"""`--ldj-report`, the header and the summary: what a session tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Runs = Callable[..., pytest.RunResult]

SCHEMA = Path(__file__).parents[2] / "docs" / "result.schema.json"

SESSION = """
import torch

def test_fixture(ldj): ldj.assert_ok(Random(), shape=(3,))

def test_plain(): ldjcheck.assert_ldj(Random(), shape=(3,))

def test_two(ldj):
    ldj.check(Flipped(), shape=(3,))
    ldj.check(Idle(), shape=(3,))

@ldjcheck.parametrize([Random, OneWay()], shape=(3,))
def test_layers(): pass

def test_wrong(): ldjcheck.assert_ldj(Flipped(), shape=(3,))

def test_other(): torch.rand(3)
"""


def written(flows: pytest.Pytester, name: str = "out.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((flows.path / name).read_text())
    return document


def without_seconds(text: str) -> str:
    return re.sub(r'"seconds": [0-9.e-]+', '"seconds": 0', text)


@pytest.mark.slow
def test_the_report_is_the_document_of_the_command_line(
    run: Runs, flows: pytest.Pytester
) -> None:
    run(SESSION, "--ldj-report=out.json", "--ldj-seed=3").assert_outcomes(
        passed=12, failed=1, skipped=2
    )
    document = written(flows)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["run"]["seed"] == 3
    assert document["run"]["exit_code"] == 1
    assert document["summary"] == {
        "layers": 7, "pass": 4, "fail": 2, "unproven": 1, "error": 0,
    }  # fmt: skip
    assert [result["target"] for result in document["results"]] == [
        "test_it.py::test_fixture",
        "test_it.py::test_layers[OneWay]",
        "test_it.py::test_layers[Random]",
        "test_it.py::test_plain",
        "test_it.py::test_two",
        "test_it.py::test_two",
        "test_it.py::test_wrong",
    ]


@pytest.mark.slow
def test_two_processes_write_what_one_writes(
    run: Runs, flows: pytest.Pytester, load: tuple[str, ...]
) -> None:
    pytest.importorskip("xdist")
    run(SESSION, "--ldj-report=one.json", "-n0")
    done = flows.runpytest_subprocess(*load, "--ldj-report=two.json", "-n2")
    done.assert_outcomes(passed=12, failed=1, skipped=2)
    one, two = (
        without_seconds((flows.path / f"{name}.json").read_text())
        for name in ("one", "two")
    )
    assert one == two
    done.stdout.fnmatch_lines(
        [
            "7 layers checked: 4 pass, 1 mistake, 2 not right in a test that passes",
            "LDJ104 sign-flipped  *",
        ]
    )


def test_results_do_not_leak_into_other_reports(
    run: Runs, flows: pytest.Pytester
) -> None:
    run("def test_it(ldj): ldj.check(Scale(), shape=(3,))", "--junitxml=junit.xml")
    assert "ldjcheck" not in (flows.path / "junit.xml").read_text()


@pytest.mark.parametrize("name", ["out.html", "out"])
def test_a_format_that_is_not_there_is_refused(run: Runs, name: str) -> None:
    result = run("def test_it(): pass", f"--ldj-report={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--ldj-report={name}: FILE has to end in .json"])


@pytest.mark.parametrize(
    ("name", "said"),
    [("folder.json", "folder.json is a folder"), ("file/a.json", "file is no folder")],
)
def test_a_place_where_no_report_can_be_is_refused_at_the_start(
    run: Runs, flows: pytest.Pytester, name: str, said: str
) -> None:
    flows.mkdir("folder.json")
    (flows.path / "file").touch()
    result = run("def test_it(): pass", f"--ldj-report={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--ldj-report: *{said}"])
    result.stdout.no_fnmatch_line("*passed*")


def test_a_report_that_fails_at_the_end_takes_no_result_with_it(run: Runs) -> None:
    source = """
import pathlib

def test_it(ldj):
    ldj.assert_ok(Scale(), shape=(3,))
    pathlib.Path("a").touch()  # where the folder of the report would be
"""
    result = run(source, "--ldj-report=a/b/out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        ["1 layer checked: 1 pass", "ERROR: --ldj-report: *a*", "*1 passed*"]
    )


@pytest.mark.slow
def test_collecting_alone_leaves_the_last_report_as_it_is(
    run: Runs, flows: pytest.Pytester
) -> None:
    source = "def test_it(ldj): ldj.check(Scale(), shape=(3,))"
    run(source, "--ldj-report=out.json")
    run(source, "--ldj-report=out.json", "--co")
    assert written(flows)["summary"]["layers"] == 1


def test_the_folder_of_the_report_is_made(run: Runs, flows: pytest.Pytester) -> None:
    run("def test_it(): pass", "--ldj-report=a/b/out.json")
    assert written(flows, "a/b/out.json")["results"] == []


def test_without_use_there_is_no_word_of_us(run: Runs) -> None:
    result = run("def test_it(): pass")
    result.assert_outcomes(passed=1)
    assert "ldjcheck 0" not in result.stdout.str()
    assert "= ldjcheck =" not in result.stdout.str()


HEADER = "ldjcheck *: seed {seed}, float64, 3 samples"


def test_the_header_tells_the_settings(run: Runs) -> None:
    used = run("def test_it(ldj): pass")
    used.stdout.fnmatch_lines(["collected 1 item", HEADER.format(seed=0)])
    seeded = run("def test_it(ldj): pass", "--ldj-seed=4")
    seeded.stdout.fnmatch_lines([HEADER.format(seed=4), "rootdir*", "collected*"])
    assert seeded.stdout.str().count("float64, 3 samples") == 1


@pytest.mark.slow
def test_the_summary_word_for_word(run: Runs) -> None:
    result = run(
        """
def test_right(ldj): ldj.assert_ok(Scale(), shape=(3,))
def test_flipped(ldj): ldj.assert_ok(Flipped(), shape=(3,))
def test_again(ldj): ldj.assert_ok(Flipped(), shape=(3,))
def test_idle(ldj): ldj.assert_ok(Idle(), shape=(3,))
def test_broken(ldj): ldj.assert_ok(Broken(), shape=(3,))
"""
    )
    start = result.outlines.index(f"{' ldjcheck ':=^80}")
    assert result.outlines[start + 1 : start + 6] == [
        "5 layers checked: 1 pass, 2 mistakes, 1 unproven, 1 not checked",
        "LDJ005 layer-raised  test_it.py::test_broken",
        "LDJ104 sign-flipped  test_it.py::test_again and 1 more",
        "LDJ401 vacuous-check (unproven)  test_it.py::test_idle",
        "explain a code: ldjcheck explain LDJ005",
    ]


@pytest.mark.slow
def test_a_mistake_that_a_test_looks_for_is_no_mistake_of_the_session(
    run: Runs,
) -> None:
    result = run("def test_it(ldj): assert ldj.check(Flipped(), shape=(3,)).findings")
    result.stdout.fnmatch_lines(["1 layer checked: 1 not right in a test that passes"])
    result.stdout.no_fnmatch_line("LDJ104*")
