"""No report is wider than the page, whatever stands in it."""

from __future__ import annotations

import io
import sys
import unicodedata
from typing import TYPE_CHECKING

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_runs import FAIL, RUN, TEXT, run

from ldjcheck.cli.output import write_reports
from ldjcheck.report import FORMATS, Style
from ldjcheck.report.blocks.layout import (
    indented,
    one_line,
    shorten,
    shorten_middle,
    wrap,
)
from ldjcheck.report.text import render

if TYPE_CHECKING:
    from ldjcheck.records import Run

any_run = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def columns(line: str) -> int:
    """Return the columns that a terminal gives a line."""
    wide = sum(unicodedata.east_asian_width(char) in ("W", "F") for char in line)
    accents = sum(unicodedata.category(char) in ("Mn", "Me") for char in line)
    narrow = sum(
        unicodedata.category(char) in ("Mn", "Me")
        and unicodedata.east_asian_width(char) in ("W", "F")
        for char in line
    )
    return len(line) + wide - accents - narrow


@any_run
@given(
    run=RUN,
    verbosity=st.sampled_from([-1, 0, 1]),
    width=st.sampled_from([60, 80, 97, 120]),
)
def test_text_stays_within_the_page(run: Run, verbosity: int, width: int) -> None:
    text = render(run, Style(color=False, verbosity=verbosity, width=width))

    for line in text.removesuffix("\n").split("\n"):
        assert columns(line) <= width, line
        assert line.isprintable()


@pytest.mark.slow
@any_run
@given(run=RUN, verbosity=st.sampled_from([-1, 0, 1]))
def test_every_format_reads_the_same_without_colour(run: Run, verbosity: int) -> None:
    for each in FORMATS:
        plain = each.render(run, Style(color=False, verbosity=verbosity))
        painted = each.render(run, Style(color=True, verbosity=verbosity))
        assert click.unstyle(painted) == plain


@given(text=TEXT, width=st.integers(8, 100))
def test_a_wrapped_text_loses_no_character(text: str, width: int) -> None:
    clean = one_line(text)
    rows = wrap(clean, width, "> ", "  ")

    assert all(columns(row) <= width for row in rows)
    assert "".join(rows).replace(" ", "") == "> ".strip() + clean.replace(" ", "")


@given(text=TEXT, width=st.integers(8, 100), rows=st.integers(1, 4))
def test_a_cut_text_says_so(text: str, width: int, rows: int) -> None:
    clean = one_line(text)
    full, cut = wrap(clean, width), wrap(clean, width, rows=rows)

    assert len(cut) <= rows
    assert all(columns(row) <= width for row in cut)
    assert cut == full or cut[-1].endswith("...")


@given(text=TEXT, width=st.integers(0, 100))
def test_a_shortened_text_fits_and_keeps_what_fits(text: str, width: int) -> None:
    clean = one_line(text)
    for short in (shorten(clean, width), shorten_middle(clean, width)):
        assert columns(short) <= width
        assert short == clean or columns(clean) > width


@given(text=TEXT, width=st.integers(20, 100))
def test_indented_lines_fit(text: str, width: int) -> None:
    assert all(columns(row) <= width for row in indented(text, width, "    "))


def test_marks_of_a_traceback_stay_under_what_they_mark() -> None:
    line = "    self.log_scale = nn.Parameter(torch.randn(count) * 0.3)"
    marks = " " * line.index("count") + "^^^^^"
    shown = [*indented(line, 80, "  "), *indented(marks, 80, "  ")]
    assert shown == ["  " + line, "  " + marks]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("page", "columns_told", "used"),
    [
        (Terminal, "100", 100),
        (Terminal, "40", 60),
        (Terminal, "300", 120),
        (io.StringIO, "100", 80),
    ],
)
def test_a_terminal_is_filled_and_a_pipe_has_80_columns(
    monkeypatch: pytest.MonkeyPatch,
    page: type[io.StringIO],
    columns_told: str,
    used: int,
) -> None:
    out = page()
    monkeypatch.setenv("COLUMNS", columns_told)
    monkeypatch.setattr(sys, "stdout", out)
    write_reports(run(FAIL), [(FORMATS[0], None)], color="never", verbosity=0)
    assert max(map(columns, out.getvalue().splitlines())) == used
