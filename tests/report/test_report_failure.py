"""What a failing test says, word for word."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from report_runs import FAIL, RESULT, run

from ldjcheck.records import Finding, Result
from ldjcheck.report import failure
from ldjcheck.report.blocks.layout import cells


def message(result: Result) -> str:
    return failure.render(run(result))


def test_code_and_mistake_come_first_then_numbers_line_cure_and_law() -> None:
    assert message(FAIL) == (
        "LDJ101 missing-dims-factor\n"
        "The log-determinant counts log(quants) once, not once per dimension.\n"
        "\n"
        "Dequantization() forward, 3 samples of shape (1, 4, 4) = 16 dims, noise\n"
        "  frozen, float64, seed 0\n"
        "  sample     exact    reported    difference    allowed\n"
        "       0  -55.3462    +27.8315      +83.1777      3e-12\n"
        "       1  -60.1846    +22.9931      +83.1777      3e-12\n"
        "       2  -56.0315    +27.1462      +83.1777      3e-12\n"
        "\n"
        "--> deq.py:41, in dequant\n"
        "fix, run: all samples then agree to 2e-15\n"
        "  41 -  ldj -= np.log(self.quants)\n"
        "  41 +  ldj -= np.log(self.quants) * np.prod(z.shape[1:])\n"
        "\n"
        "difference = (dims - 1) * log(self.quants) at every size I tried:\n"
        "dims 1: 0   dims 4: +16.6355   dims 9: +44.3614   dims 16: +83.1777\n"
        "\n"
        "more: ldjcheck explain LDJ101"
    )


def test_the_first_line_survives_the_cut_of_a_summary() -> None:
    first = message(FAIL).splitlines()[0]
    assert first == "LDJ101 missing-dims-factor"
    assert failure.in_short(run(FAIL)) == (
        f"{first}: The log-determinant counts log(quants) once, not once per dimension."
    )
    nameless = dataclasses.replace(FAIL, status="unproven", findings=())
    assert failure.in_short(run(nameless)).startswith("unproven: forward wrong")


def test_a_layer_that_cannot_be_called_shows_its_own_traceback() -> None:
    finding = Finding(
        code="LDJ005",
        name="layer-raised",
        severity="error",
        message="The layer raised ZeroDivisionError: division by zero",
        evidence=('  File "flow.py", line 3, in forward', "    return 1 / 0"),
    )
    result = Result(target="F()", layer="F()", status="error", findings=(finding,))
    assert message(result) == (
        "LDJ005 layer-raised\n"
        "The layer raised ZeroDivisionError: division by zero\n"
        "\n"
        '  File "flow.py", line 3, in forward\n'
        "    return 1 / 0\n"
        "\n"
        "more: ldjcheck explain LDJ005"
    )


def test_without_a_law_the_smallest_shape_that_failed_is_named() -> None:
    check = dataclasses.replace(FAIL.checks[0], smallest_failing=(1, 2, 3))
    bare = dataclasses.replace(FAIL.findings[0], law=None)
    shown = message(dataclasses.replace(FAIL, checks=(check,), findings=(bare,)))
    assert "smallest failing shape of those tried: (1, 2, 3)" in shown.splitlines()


def test_a_probe_that_was_searched_for_is_told_with_a_way_to_repeat_it() -> None:
    told = "the smallest failing probe: ldjcheck.check(layer, shape=(2,), batch=1)"
    found = dataclasses.replace(FAIL, inferred={"search": told})
    assert "".join(told.split()) in "".join(message(found).split())


@settings(max_examples=15, deadline=None)
@given(RESULT)
def test_every_line_fits_behind_the_margin_of_a_test_runner(result: Result) -> None:
    assert all(cells(line) <= 72 for line in message(result).split("\n")[1:])
