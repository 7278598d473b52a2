"""The plugin beside others, switched off, loaded by hand, and with pytest's options."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.conftest import IS_INSTALLED

if TYPE_CHECKING:
    from collections.abc import Callable

    Runs = Callable[..., pytest.RunResult]

WITHOUT_FIXTURE = """
def test_plain(): ldjcheck.assert_ldj(Scale(), shape=(3,))

@ldjcheck.parametrize([Scale()], shape=(3,))
def test_layers(): pass

@ldjcheck.parametrize([Flipped()], shape=(3,), expected={"LDJ104": "see #3"})
def test_expected(): pass
"""


@pytest.mark.slow
def test_without_the_plugin_asserting_and_parametrizing_go_on(
    flows: pytest.Pytester,
) -> None:
    flows.makepyfile(
        test_it=f"import ldjcheck, pytest\nfrom flows import *\n{WITHOUT_FIXTURE}"
    )
    result = flows.runpytest_inprocess("-p", "no:ldjcheck")
    result.assert_outcomes(passed=10, xfailed=1)
    assert "= ldjcheck =" not in result.stdout.str()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "ldjcheck.pytest_plugin",
        pytest.param(
            "ldjcheck",
            marks=pytest.mark.skipif(
                not IS_INSTALLED, reason="the entry point is not installed"
            ),
        ),
    ],
)
def test_it_can_be_loaded_by_name_where_nothing_is_loaded_by_itself(
    run: Runs, monkeypatch: pytest.MonkeyPatch, load: tuple[str, ...], name: str
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    arguments = () if load[-1] == name else ("-p", name)
    result = run("def test_it(ldj): ldj.assert_ok(Scale(), shape=(3,))", *arguments)
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_coverage_is_measured_of_the_layers_that_are_checked(
    run: Runs, flows: pytest.Pytester
) -> None:
    pytest.importorskip("pytest_cov")
    result = run("def test_it(ldj): ldj.assert_ok(OneWay(), shape=(3,))", "--cov=flows")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["flows.py * *%"])
    (percent,) = (line.split()[-1] for line in result.outlines if "flows.py" in line)
    assert 40 < int(percent.rstrip("%")) < 100


@pytest.mark.slow
def test_doctests_of_modules_stand_beside_tests_and_targets(
    run: Runs, flows: pytest.Pytester
) -> None:
    flows.makeini("[pytest]\nldj_targets = flows.py:Scale")
    flows.makepyfile(doc='"""\n>>> 1 + 1\n2\n"""')
    result = run(
        "def test_it(ldj): ldj.assert_ok(Scale(), shape=(3,))", "--doctest-modules"
    )
    result.assert_outcomes(passed=3)


@pytest.mark.slow
def test_stopping_at_the_first_failure_and_running_the_last_ones_again(
    run: Runs,
) -> None:
    source = """
@ldjcheck.parametrize([Flipped(), Scale()], shape=(3,))
def test_it(): pass
"""
    run(source, "-x").assert_outcomes(failed=1)
    run(source).assert_outcomes(failed=1, passed=9)
    again = run(source, "--lf")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["run-last-failure: rerun previous 1 failure"])


def test_the_mark_is_known_where_marks_are_strict(run: Runs) -> None:
    source = "@pytest.mark.ldj(shape=(3,))\ndef test_it(ldj): ldj.assert_ok(Scale())"
    run(source, "--strict-markers").assert_outcomes(passed=1)


HEAVY = {"torch", "numpy", "hypothesis"}


def test_loading_the_plugin_loads_nothing_heavy(
    flows: pytest.Pytester, load: tuple[str, ...]
) -> None:
    flows.makeconftest(
        "import sys\n"
        "def pytest_unconfigure():\n"
        f"    print('heavy:', *{HEAVY!r} & set(sys.modules))\n"
    )
    flows.makepyfile(test_empty="def test_it(): pass")
    arguments = (*load, "-p", "no:hypothesispytest", "-q")
    done = flows.runpytest_subprocess(*arguments)
    assert "heavy:" in [line.strip() for line in done.outlines]


COUNTED = """
import sys
from itertools import count

events = count()
sys.setprofile(lambda *event: next(events))
import pytest

pytest.main(sys.argv[1:])
sys.setprofile(None)
print(next(events))
"""


@pytest.mark.slow
def test_collecting_an_empty_file_takes_at_most_a_tenth_more(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in calls of functions, which are the same on any machine at any load.

    The yardstick is a plugin that does nothing: what pytest itself does for any
    plugin that is named is not ours.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_empty="", nothing="")

    def calls(plugin: str) -> int:
        command = [sys.executable, "-c", COUNTED, "--co", "-q", "-p", plugin]
        done = subprocess.run(
            command, cwd=pytester.path, capture_output=True, check=True
        )
        return int(done.stdout.split()[-1])

    ours = "ldjcheck.pytest_plugin"
    calls(ours), calls("nothing")  # byte code is written once
    assert calls(ours) <= 1.1 * calls("nothing")
