"""Layers of ini `ldj_targets`, checked by a plain `pytest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ldjcheck.pytest_plugin.targets import find_place

if TYPE_CHECKING:
    from collections.abc import Callable

    Runs = Callable[..., pytest.RunResult]

INI = """
[pytest]
testpaths = tests
ldj_targets =
    flows.py:Scale
    flows.py:Flipped
"""


@pytest.fixture
def project(flows: pytest.Pytester) -> pytest.Pytester:
    """A project with tests in a folder, and two targets."""
    flows.makeini(INI)
    flows.mkdir("tests").joinpath("test_it.py").write_text("def test_it(): pass")
    return flows


def ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


TARGETS = ["tox.ini::flows.py:Scale", "tox.ini::flows.py:Flipped"]
ALL = ["tests/test_it.py::test_it", *TARGETS]


@pytest.mark.parametrize(
    ("arguments", "collected"),
    [
        ((), ALL),
        ((".",), ALL),
        (("tests",), ALL[:1]),
        (("tests/test_it.py",), ALL[:1]),
        (("tox.ini",), TARGETS),
        (("tox.ini::flows.py:Flipped",), TARGETS[1:]),
        (("-k", "Flipped"), TARGETS[1:]),
    ],
)
def test_a_plain_pytest_and_whoever_asks_collects_them(
    project: pytest.Pytester,
    load: tuple[str, ...],
    arguments: tuple[str, ...],
    collected: list[str],
) -> None:
    result = project.runpytest_inprocess(*load, "--co", "-q", *arguments)
    assert sorted(ids(result)) == sorted(collected)


def test_folders_of_addopts_keep_no_target_away(
    project: pytest.Pytester, load: tuple[str, ...]
) -> None:
    project.makeini("[pytest]\naddopts = tests\nldj_targets = flows.py:Scale")
    assert sorted(ids(project.runpytest_inprocess(*load, "--co", "-q"))) == [
        ALL[0], TARGETS[0],
    ]  # fmt: skip
    project.makeini("[pytest]\naddopts = -q\nldj_targets = flows.py:Scale")
    typed = project.runpytest_inprocess(*load, "--co", "tests")
    assert ids(typed) == ALL[:1]


@pytest.mark.slow
def test_workers_check_them_where_testpaths_are_set(
    project: pytest.Pytester, load: tuple[str, ...]
) -> None:
    pytest.importorskip("xdist")
    done = project.runpytest_subprocess(*load, "-n2")
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(
        ["FAILED tox.ini::flows.py:Flipped - LDJ104 sign-flipped"]
    )


@pytest.mark.slow
def test_their_modules_are_found_where_pythonpath_says(
    flows: pytest.Pytester, load: tuple[str, ...]
) -> None:
    flows.mkdir("src").joinpath("inner.py").write_text("from flows import *")
    flows.makeini("[pytest]\npythonpath = src\nldj_targets = inner:Scale")
    flows.runpytest_inprocess(*load).assert_outcomes(passed=1)


@pytest.mark.slow
def test_they_fail_with_the_message_and_the_line_of_the_layer(
    project: pytest.Pytester, load: tuple[str, ...]
) -> None:
    result = project.runpytest_inprocess(*load, "-v", "-n0", "--ldj-report=o.json")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "ldjcheck *: seed 0, float64, 3 samples",
            "tox.ini::flows.py:Scale PASSED*",
            "tox.ini::flows.py:Flipped FAILED*",
            "*_ target flows.py:Flipped _*",
            "LDJ104 sign-flipped",
            "The whole log-determinant has the wrong sign.",
            "flows.py:19: LdjMismatch",
            "*= ldjcheck =*",
            "2 layers checked: 1 pass, 1 mistake",
            "LDJ104 sign-flipped  flows.py:Flipped",
        ]
    )
    assert '"target": "flows.py:Flipped"' in (project.path / "o.json").read_text()


@pytest.mark.slow
def test_of_a_whole_file_each_failure_says_which_layer_it_is_about(
    flows: pytest.Pytester, load: tuple[str, ...]
) -> None:
    flows.makepyfile(
        two="import flows\n"
        "class Raises(flows.Scale):\n"
        "    def forward(self, x): raise ValueError('out of order')\n"
        "class Wrong(flows.Flipped): pass\n"
    )
    flows.makeini("[pytest]\nldj_targets = two.py")
    result = flows.runpytest_inprocess(*load)
    result.stdout.fnmatch_lines(
        [
            "LDJ005 layer-raised",
            "two.py:Raises",
            "LDJ104 sign-flipped",
            "two.py:Wrong",
        ]
    )


@pytest.mark.slow
def test_a_target_is_no_option_and_what_the_command_refuses_is_told(
    flows: pytest.Pytester, load: tuple[str, ...]
) -> None:
    flows.makeini("[pytest]\nldj_targets = --help")
    result = flows.runpytest_inprocess(*load)
    result.stdout.fnmatch_lines(["*--help is neither a Python file*"])
    flows.makeini("[pytest]\nldj_targets = flows.py:Scale")
    flows.makepyprojecttoml("[tool.ldjcheck]\njobs = 'many'")
    refused = flows.runpytest_inprocess(*load)
    refused.stdout.fnmatch_lines(["*[[]tool.ldjcheck[]] jobs: *"])
    for each in (result, refused):
        each.assert_outcomes(failed=1)
        assert "ldjcheck itself failed" not in each.stdout.str()


@pytest.mark.slow
def test_a_target_that_ends_its_process_ends_alone(
    flows: pytest.Pytester, load: tuple[str, ...]
) -> None:
    flows.makepyfile(bad="import os\nclass Layer:\n    def __init__(self): os._exit(3)")
    flows.makeini("[pytest]\nldj_targets =\n    bad.py:Layer\n    flows.py:Idle")
    result = flows.runpytest_inprocess(*load)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "LDJ005 layer-raised",
            "bad.py:2: LdjError",
            "LDJ401 vacuous-check",
        ]
    )


@pytest.mark.parametrize(
    ("source", "expr", "place"),
    [
        ("flows.py", "Scale(3)", ("flows.py", 4)),
        ("flows.py", "Flipped().layers[2]", ("flows.py", 18)),
        ("flows", "Scale", ("flows.py", 4)),
        ("package", "Renamed(2)", ("package/inner.py", 1)),
        ("package.inner", "CONSTANT", ("package/inner.py", 0)),
        ("flows.py", "[Scale()]", ("flows.py", None)),
        ("flows.py", "Missing", ("flows.py", None)),
        ("flows.py", None, ("flows.py", None)),
        ("nowhere.py", "X", None),
        ("no.such.module", "X", None),
        ("flows.py", "not (", ("flows.py", None)),
    ],
)
def test_the_place_of_a_layer_is_read_without_running_anything(
    flows: pytest.Pytester,
    source: str,
    expr: str | None,
    place: tuple[str, int | None] | None,
) -> None:
    package = flows.mkpydir("package")
    (package / "inner.py").write_text("CONSTANT = 1\nclass Layer: pass\n1 / 0\n")
    (package / "__init__.py").write_text("from .inner import Layer as Renamed\n")
    found = find_place(source, expr, flows.path)
    if place is None:
        assert found is None
    else:
        assert found is not None
        assert (found.file, found.line) == (flows.path / place[0], place[1])
