"""Words of a source say that an ldj is one of entries: then both readings are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ldjcheck

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
import torch

def stretch(x):
    '''{words}'''
    y = torch.sinh(2 * x)
    return y, torch.log(2 * torch.cosh(2 * x)){times}
"""


def told(words: str, folder: Path, times: str = "") -> ldjcheck.Report:
    file = folder / "stretching.py"
    file.write_text(SOURCE.format(words=words, times=times))
    return ldjcheck.check(f"{file}:stretch")


@pytest.mark.parametrize(
    "words",
    [
        "Log-det given per pixel.",
        "Elementwise, returns (y, log|dy/dx|) with the shape of x.",
        "Returns y and the unreduced ldj.",
        "Returns y and the elementwise log-derivative; whoever calls it sums.",
    ],
)
def test_words_of_entries_make_it_no_slip_and_no_pass(
    words: str, tmp_path: Path
) -> None:
    report = told(words, tmp_path)
    assert report.status == "unproven", report
    (finding,) = report.findings
    assert finding.code == "LDJ405"
    assert finding.evidence[-2:] == (
        "pass as one of each entry, as its source says:",
        "  ignore=['LDJ202']",
    )


@pytest.mark.parametrize(
    "words",
    [
        "An elementwise layer, with its log-det.",
        "The log-det is a sum of one term per pixel.",
        "Returns y and the ldj. Elementwise.",
    ],
)
def test_words_of_something_else_say_nothing(words: str, tmp_path: Path) -> None:
    report = told(words, tmp_path)
    assert [f.code for f in report.findings] == ["LDJ202"], report


def test_a_wrong_value_is_wrong_whatever_words_say(tmp_path: Path) -> None:
    report = told("Log-det per pixel.", tmp_path, times=" * 2")
    assert report.status == "fail", report
