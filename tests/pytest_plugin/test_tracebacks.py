"""What pytest shows of a failing assertion, in each of its styles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Runs = Callable[..., pytest.RunResult]

WRONG = """
def test_flipped():
    ldjcheck.assert_ldj(Flipped(), shape=(4,))
"""
SCALE_OF_FOUR = "Scale.__init__.__defaults__ = (4,)\n"

FAILURE = """
=================================== FAILURES ===================================
_________________________________ test_flipped _________________________________

    def test_flipped():
>       ldjcheck.assert_ldj(Flipped(), shape=(4,))
E       ldjcheck.LdjMismatch: LDJ104 sign-flipped
E       The whole log-determinant has the wrong sign.
E       
E       Flipped() forward, 3 samples of shape (4,) = 4 dims, float64, seed 0
E         sample    exact    reported    difference    allowed
E              0  -0.7768     +0.7768      +1.55357      4e-13
E              1  -0.7768     +0.7768      +1.55357      4e-13
E              2  -0.7768     +0.7768      +1.55357      4e-13
E       
E       --> flows.py:22, in forward
E       fix, run: all samples then agree to 2e-16
E         22 -  return y, -ldj
E         22 +  return y, ldj
E       
E       difference = 2 * reported at every size I tried:
E       dims 4: +1.55357
E       
E       smallest failing shape of those tried: (4,)
E       
E       more: ldjcheck explain LDJ104

test_it.py:6: LdjMismatch
=================================== ldjcheck ===================================
1 layer checked: 1 mistake
LDJ104 sign-flipped  test_it.py::test_flipped
explain a code: ldjcheck explain LDJ104
=========================== short test summary info ============================
FAILED test_it.py::test_flipped - LDJ104 sign-flipped: The whole log-determin...
"""  # noqa: W291


@pytest.mark.slow
def test_a_failure_word_for_word(run: Runs) -> None:
    result = run(SCALE_OF_FOUR + WRONG)
    start = result.outlines.index(FAILURE.splitlines()[1])
    shown = result.outlines[start : start + len(FAILURE.splitlines()) - 1]
    assert shown == FAILURE.splitlines()[1:]


@pytest.mark.parametrize(
    "workers", ["-n0", pytest.param("-n2", marks=pytest.mark.slow)]
)
def test_the_line_of_a_summary_begins_with_the_code(
    run: Runs, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")  # where pytest cuts no line
    result = run(
        """
@ldjcheck.parametrize([Flipped()], shape=(3,))
def test_layers(): pass

def test_broken(ldj): ldj.assert_ok(Broken(), shape=(3,))

def test_idle(): ldjcheck.assert_ldj(Idle(), shape=(3,))

def test_other(): raise ValueError("LDJ104 of its own")
""",
        workers,
    )
    start = result.outlines.index(f"{' short test summary info ':=^80}")
    assert sorted(result.outlines[start + 1 : start + 5]) == [
        "FAILED test_it.py::test_broken - LDJ005 layer-raised: The layer raised "
        "ValueError: out of order",
        "FAILED test_it.py::test_idle - LDJ401 vacuous-check: Here ldj = 0 is right "
        "whatever the layer's formula says.",
        "FAILED test_it.py::test_layers[Flipped-forward] - LDJ104 sign-flipped: The "
        "whole log-determinant has the wrong sign.",
        "FAILED test_it.py::test_other - ValueError: LDJ104 of its own",
    ]


@pytest.mark.thinned(18)
@pytest.mark.parametrize("style", ["auto", "long", "short", "line"])
@pytest.mark.parametrize(
    "source",
    [
        "def test_it(): ldjcheck.assert_ldj(Flipped(3), shape=(3,))",
        "def test_it(ldj): ldj.assert_ok(Flipped(3), shape=(3,))",
        "def test_it(): ldjcheck.assert_ldj(Broken(), shape=(3,))",
        "@ldjcheck.parametrize([Flipped(3)], shape=(3,))\ndef test_it(): pass",
    ],
)
def test_no_frame_of_ours_is_shown(run: Runs, style: str, source: str) -> None:
    shown = run(source, f"--tb={style}").stdout.str()
    assert "LDJ104 sign-flipped" in shown or "LDJ005 layer-raised" in shown
    assert "ldjcheck/assertion.py" not in shown
    assert "ldjcheck/casework.py" not in shown
    assert "ldjcheck/parametrizing.py" not in shown
    assert "ldjcheck/pytest_plugin" not in shown


@pytest.mark.parametrize("option", ["--tb=native", "--full-trace"])
def test_whoever_wants_every_frame_sees_the_raise_and_not_the_measuring(
    run: Runs, option: str
) -> None:
    shown = run(WRONG, option).stdout.str()
    assert "raise failure" in shown
    assert "test_it.py" in shown
    assert "ldjcheck/running" not in shown
    assert "During handling" not in shown
