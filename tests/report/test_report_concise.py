"""One line a finding, word for word."""

from __future__ import annotations

import dataclasses
import math
from textwrap import dedent

import click
from report_runs import DIMS_FACTOR, ERROR, FAIL, FAILED, PASS, UNPROVEN, run, samples

from ldjcheck.records import Location, Run
from ldjcheck.records.result import Skipped
from ldjcheck.report import Style
from ldjcheck.report.concise import render

PLAIN = Style(color=False, verbosity=0)


def drawn(run: Run, style: Style = PLAIN) -> str:
    return "\n" + render(run, style)


def test_every_finding_has_one_line_then_comes_the_count() -> None:
    clean = dataclasses.replace(PASS, findings=())

    assert drawn(run(FAIL, clean, ERROR)) == dedent("""
        deq.py:41:9: LDJ101 The log-determinant counts log(quants) once, not once per \
dimension (+83.1777)
        deq.py:Dequantization: LDJ205 note: `ldj` is changed in place; the tensor you \
pass is altered
        flows.ipynb:Coupling: LDJ003 Coupling cannot be built: it needs network and mask
        3 layers: 1 pass, 1 fail, 1 error (0.4 s)
        """)


def test_a_layer_without_a_finding_is_silent_only_if_it_passes() -> None:
    quiet = Style(color=False, verbosity=-1)
    unsaid = dataclasses.replace(UNPROVEN, target="a.py:\nLayer", findings=())

    assert render(run(dataclasses.replace(PASS, findings=())), quiet) == ""
    assert render(run(unsaid), quiet) == "a.py: Layer: unproven\n"


def test_a_place_in_a_notebook_names_the_cell() -> None:
    place = Location(file="flows.ipynb", cell=27, line=3)
    finding = dataclasses.replace(DIMS_FACTOR, location=place)
    text = drawn(run(dataclasses.replace(FAIL, findings=(finding,))))

    assert text.startswith("\nflows.ipynb:cell 27:3: LDJ101 The log-determinant ")


def test_the_worst_difference_of_its_own_direction_is_shown() -> None:
    forward = dataclasses.replace(FAILED, samples=samples((1.0, 1.5), (5.0, 8.0)))
    inverse = dataclasses.replace(
        FAILED, direction="inverse", samples=samples((9.0, 0.0), (math.nan, 1.0))
    )
    both = (DIMS_FACTOR, dataclasses.replace(DIMS_FACTOR, direction="inverse"))
    result = dataclasses.replace(FAIL, checks=(forward, inverse), findings=both)
    first, second, _ = render(run(result), PLAIN).splitlines()

    assert first.startswith("deq.py:41:9: LDJ101 The ")
    assert first.endswith(" (-3.00000)")
    assert second.startswith("deq.py:41:9: LDJ101 inverse: The ")
    assert second.endswith(" (nan)")


def test_when_nothing_was_checked_the_reasons_are_shown() -> None:
    skipped = Skipped(target="deq.py:Net", why="it needs arguments")

    assert drawn(run(skipped=(skipped,))) == dedent("""
        deq.py:Net: skipped: it needs arguments
        No layers were checked, 1 skipped (0.4 s)
        """)


def test_a_code_is_painted_where_colour_is_wanted() -> None:
    text = render(run(FAIL), Style(color=True, verbosity=0))
    assert click.style("LDJ101", fg="red", bold=True) in text
