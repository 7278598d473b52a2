"""The functions that a report shows beside its ledger."""

from __future__ import annotations

import linecache
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from small_layers import Coupling

import ldjcheck
from ldjcheck.portrait import excerpts_of
from ldjcheck.records import LedgerLine, Location, Result
from ldjcheck.records.portrait import Excerpt

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

SOURCE = dedent(
    """\
    import math

    class Layer:
        def forward(self, x):
            y = self.scale(x)
            return y, 0

        @property
        def unused(self):
            return 1

        def scale(self, x):
            return x * 2

    top = 1
    """
)


def line(number: int, file: str, cell: int | None = None) -> LedgerLine:
    return LedgerLine(
        direction="forward",
        file=file,
        line=number,
        function="f",
        text="",
        exact=None,
        reported=None,
        exact_total=0.0,
        reported_total=0.0,
        cell=cell,
    )


def result(*lines: LedgerLine) -> Result:
    return Result(target="t", layer=None, status="fail", ledger=lines)


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "layer.py"
    path.write_text(SOURCE)
    return str(path)


def test_whole_functions_are_shown_and_no_others(source: str) -> None:
    found = excerpts_of(result(line(5, source), line(13, source)))
    assert [(each.start, each.lines[0].strip()) for each in found] == [
        (4, "def forward(self, x):"),
        (12, "def scale(self, x):"),
    ]
    assert found[1].lines[-1] == "        return x * 2"


def test_a_decorator_belongs_to_its_function(source: str) -> None:
    (found,) = excerpts_of(result(line(10, source)))
    assert found.lines[0].strip() == "@property"


def test_a_line_outside_of_functions_stands_alone(source: str) -> None:
    (found,) = excerpts_of(result(line(15, source)))
    assert found == Excerpt(file=source, cell=None, start=15, lines=("top = 1",))


def test_a_source_that_is_gone_shows_nothing(tmp_path: Path) -> None:
    assert excerpts_of(result(line(1, str(tmp_path / "gone.py")))) == ()


def test_a_line_behind_the_end_of_its_file_shows_nothing(source: str) -> None:
    assert excerpts_of(result(line(400, source))) == ()


def test_cells_of_a_notebook_are_found_by_their_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"{tmp_path / 'flows.ipynb'}, cell 3"
    lines = SOURCE.splitlines(keepends=True)
    monkeypatch.setitem(linecache.cache, name, (len(SOURCE), None, lines, name))
    (found,) = excerpts_of(result(line(13, "flows.ipynb", cell=3)))
    assert (found.cell, found.start) == (3, 12)


def test_a_source_that_is_no_python_shows_the_line(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text("%magic\nz = 1\n")
    (found,) = excerpts_of(result(line(2, str(path))))
    assert found.lines == ("z = 1",)


def test_of_a_very_long_function_what_is_around_the_line_is_shown(
    tmp_path: Path,
) -> None:
    path = tmp_path / "long.py"
    path.write_text("def f():\n" + "    x = 1\n" * 500)
    (found,) = excerpts_of(result(line(300, str(path))))
    assert found.start == 292
    assert len(found.lines) == 17


class Flipped(Coupling):
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x, ldj = super().inverse(y)
        return x, -ldj


@pytest.mark.slow
def test_the_blamed_line_is_among_what_is_shown() -> None:
    report = ldjcheck.check(Flipped(), shape=4)
    place = report.findings[0].location
    assert isinstance(place, Location)
    assert report.result.portrait is not None
    shown = {
        (each.file, each.start + offset): text
        for each in report.result.portrait.excerpts
        for offset, text in enumerate(each.lines)
    }
    assert shown[place.file, place.line].strip() == place.text
