"""The report that Python users hold, and the register of formats."""

from __future__ import annotations

import subprocess
import sys

import pytest
from report_runs import FAIL, PASS, run

import ldjcheck
from ldjcheck.report import FORMATS, Report, Style


def test_a_report_shows_the_one_result() -> None:
    report = Report(run(FAIL))

    assert report.status == "fail"
    assert report.result is FAIL
    assert report.findings[0].code == "LDJ101"
    assert report.checks[0].name == "ldj"


def test_printed_it_reads_like_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print(Report(run(FAIL)))
    assert capsys.readouterr().out == FORMATS[0].render(
        run(FAIL), Style(color=False, verbosity=0)
    )


def test_as_a_dict_it_is_the_json_document() -> None:
    document = Report(run(FAIL)).to_dict()

    assert document["schema"] == "ldjcheck-result-1"
    assert document["results"][0]["findings"][0]["code"] == "LDJ101"


def test_its_repr_is_short() -> None:
    assert (
        repr(Report(run(FAIL))) == "<Report deq.py:Dequantization: fail LDJ101 LDJ205>"
    )


@pytest.mark.parametrize("count", [0, 2])
def test_a_report_is_about_one_layer(count: int) -> None:
    with pytest.raises(ValueError, match="exactly one layer"):
        Report(run(*[PASS] * count))


def test_the_package_exports_the_report() -> None:
    assert ldjcheck.Report is Report


def test_formats_have_names_of_their_own_and_end_their_last_line() -> None:
    assert len({each.name for each in FORMATS}) == len(FORMATS)
    assert all(
        each.render(run(PASS), Style(color=False, verbosity=0)).endswith("\n")
        for each in FORMATS
    )


def loaded_by(statements: str) -> set[str]:
    """Return which heavy packages a fresh interpreter has loaded."""
    code = f"import sys; {statements}; print(*{{'torch', 'numpy'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_drawing_a_report_loads_neither_torch_nor_numpy() -> None:
    draw = (
        "from ldjcheck.records import Run; from ldjcheck.report import FORMATS, Style; "
        "r = Run(seed=0, exit_code=0, seconds=0.0, command='', results=()); "
        "[f.render(r, Style(False, 1)) for f in FORMATS]"
    )
    assert loaded_by(draw) == set()


def test_the_test_above_would_see_a_heavy_import() -> None:
    assert "numpy" in loaded_by("import numpy")
