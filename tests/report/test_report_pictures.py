"""Pictures of finished checks: drawn from records alone, and readable by everybody."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from functools import cache
from typing import TYPE_CHECKING

import matplotlib
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from report_runs import ERROR, FAIL, PASS, RESULT, SUBLAYER, UNPROVEN, run, samples

from ldjcheck.records import Law, Result
from ldjcheck.records.portrait import Cell, GridImage, JacobianMatrix, Portrait
from ldjcheck.records.result import Dimension, LawPoint
from ldjcheck.report import Report
from ldjcheck.report.pictures import (
    NothingToDrawError,
    contents,
    heatmap,
    save_sheet,
    sheet,
)
from ldjcheck.report.pictures.bars import draw_dims, draw_law, draw_samples
from ldjcheck.report.pictures.contents import contents_of

if TYPE_CHECKING:
    from pathlib import Path


def matrix(*rows: tuple[float, ...], sample: int = 0) -> JacobianMatrix:
    return JacobianMatrix(
        direction="forward",
        sample=sample,
        dims_out=len(rows),
        dims_in=len(rows[0]),
        rows=rows,
        shares=tuple(math.log(abs(row[i])) for i, row in enumerate(rows)),
    )


SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
WIDE = ((0.0, 0.0), (3.0, 0.0), (3.0, 2.0), (0.0, 2.0))
GRID = GridImage(
    direction="forward",
    lines=(((0.0, 0.0), (1.0, 0.0)), ((0.0, 1.0), (1.0, 1.0))),
    lines_after=(((0.0, 0.0), (3.0, 0.0)), ((0.0, 2.0), (3.0, 2.0))),
    cells=(
        Cell(
            sample=0, before=SQUARE, after=WIDE, outline=SQUARE, outline_after=WIDE
        ),
    ),
)  # fmt: skip
DRAWN = dataclasses.replace(
    FAIL,
    checks=(
        dataclasses.replace(
            FAIL.checks[0],
            shape=(2,),
            dims=2,
            structure="diagonal",
            samples=samples((-math.log(6), math.log(6)), (0.5, math.log(6))),
            dimensions=(
                Dimension(index=0, exact=math.log(3), reported=-math.log(3)),
                Dimension(index=1, exact=math.log(2), reported=-math.log(2)),
            ),
        ),
    ),
    portrait=Portrait(
        jacobians=(
            matrix((3.0, 0.0), (0.0, 2.0)),
            matrix((3.0, 0.0), (0.0, -2.0), sample=1),
        ),
        grids=(GRID,),
    ),
)


@cache
def drawn() -> Figure:
    """Return the figure that most of these tests look at."""
    figure = Report(run(DRAWN)).plot()
    figure.canvas.draw()
    return figure


def words_of(figure: Figure) -> str:
    """Return every text of a figure, one after another."""
    found = figure.findobj(matplotlib.text.Text)
    return "\n".join(text.get_text() for text in found)


# --- what is drawn ----------------------------------------------------------------------


def test_the_verdict_stands_above_the_pictures() -> None:
    words = words_of(drawn())
    assert "deq.py:Dequantization: FAIL  LDJ101 missing-dims-factor (forward)" in words
    assert "counts log(quants) once, not once per dimension." in words


def test_every_picture_has_a_caption_in_words() -> None:
    words = " ".join(words_of(drawn()).split())
    for said in (
        "how far output i moves when input j does",
        "Diagonal: each output moves with its own input only",
        "Exact is log|det J|, reported is what the layer says.",
        "the parts of all dims add up to its ldj",
        "At each the difference is (dims - 1) * log(self.quants).",
        "by the shoelace formula",
        "It grows by exp(exact), and not by what the layer reports.",
    ):
        assert said in words


def test_the_measured_factor_stands_beside_what_both_numbers_claim() -> None:
    words = words_of(drawn())
    measured = words.count("\N{MULTIPLICATION SIGN} 6")
    assert measured == 2, "that of the cell, and exp(exact)"
    assert "\N{MULTIPLICATION SIGN} 0.1667" in words, "exp(reported)"


def test_a_layer_of_more_dims_is_told_how_to_see_its_volume() -> None:
    words = " ".join(words_of(Report(run(FAIL)).plot()).split())
    assert "The volume can be drawn of two dims: shape 1,1,2" in words


def test_the_small_entries_of_a_small_matrix_are_written_down() -> None:
    words = words_of(drawn()).split("\n")
    assert words.count("3") >= 2
    assert "\N{MINUS SIGN}2" in words


def test_what_is_infinite_says_so_and_leaves_room_for_what_is_not() -> None:
    axes = Figure().subplots()
    draw_dims(axes, [-math.inf, 0.5, -1.0], [-2.0, math.inf, -1.0])
    minus = "\N{MINUS SIGN}\N{INFINITY}"
    assert [text.get_text() for text in axes.texts] == [minus, "+\N{INFINITY}"]
    assert max(map(abs, axes.get_ylim())) < 5.0


def test_a_law_is_drawn_over_what_it_counts_as_points_of_their_own() -> None:
    sizes = [(48, 24), (16, 8), (42, 21)]
    points = [LawPoint(dims=d, difference=-0.8 * n, count=n) for d, n in sizes]
    axes = Figure().subplots()
    draw_law(axes, Law(expression="(1 - H*W) * a", points=tuple(points), over="H*W"))
    drawn, _ = axes.lines
    assert list(drawn.get_xdata()) == [8, 21, 24]
    assert (drawn.get_linestyle(), axes.get_xlabel()) == ("None", "H*W of one sample")
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_bars_stand_on_both_sides_of_their_tick() -> None:
    axes = Figure().subplots()
    draw_samples(axes, samples((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)))
    exact, reported = axes.containers
    for tick, left, right in zip(axes.get_xticks(), exact, reported, strict=True):
        assert left.get_x() + left.get_width() == pytest.approx(tick)
        assert right.get_x() == pytest.approx(tick)
    axes.clear()
    draw_dims(axes, [1.0, 2.0], None)
    assert [bar.get_center()[0] for bar in axes.patches] == pytest.approx([0.0, 1.0])


def test_each_sublayer_of_a_flow_has_its_bars() -> None:
    right = dataclasses.replace(
        SUBLAYER, sublayer="layers[0]", exact=2.0, is_wrong=False
    )
    figure = Report(run(dataclasses.replace(DRAWN, sublayers=(right, SUBLAYER)))).plot()
    figure.canvas.draw()
    (axes,) = (
        each
        for each in figure.axes
        if "layers[1]" in [label.get_text() for label in each.get_xticklabels()]
    )
    assert [bar.get_height() for bar in axes.patches] == [2.0, -5.5, 2.0, 2.0]
    words = " ".join(words_of(figure).split())
    assert "what each sublayer adds. Wrong: layers[1]." in words


@pytest.mark.parametrize("result", [FAIL, PASS, UNPROVEN], ids=lambda r: r.status)
def test_a_report_without_a_portrait_is_drawn_as_far_as_it_goes(
    result: Result,
) -> None:
    has_numbers = any(check.samples for check in result.checks)
    if not has_numbers:
        with pytest.raises(NothingToDrawError):
            Report(run(result)).plot()
        return
    assert "Exact and reported" in words_of(Report(run(result)).plot())


def test_where_nothing_was_compared_there_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no numbers were compared"):
        Report(run(ERROR)).plot()


def test_the_direction_of_the_verdict_is_drawn_first_and_each_can_be_asked_for() -> (
    None
):
    forward, inverse = FAIL.checks[:2]
    assert (forward.direction, inverse.direction) == ("forward", "inverse")
    assert "(forward)" in words_of(Report(run(FAIL)).plot())
    assert "(inverse)" in words_of(Report(run(FAIL)).plot(direction="inverse"))
    with pytest.raises(NothingToDrawError, match="inverse"):
        sheet(DRAWN, "inverse")


# --- for every eye, and on paper ------------------------------------------------------


def test_exact_zeros_have_no_colour_and_everything_else_has() -> None:
    tiny = matrix((1.0, 0.0, 1e-9), (0.0, 1.0, 1e-20), (0.0, 0.0, -1.0))
    scale = heatmap.scale_of([tiny])
    strengths = [
        [scale.strength(abs(value)) for value in row] for row in heatmap.cleaned(tiny)
    ]
    assert [[bool(s) for s in row] for row in strengths] == [
        [True, False, True],
        [False, True, False],  # 1e-20 is what rounding left of a zero
        [False, False, True],
    ]
    assert min(s for row in strengths for s in row if s) >= 0.2


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=9))
def test_larger_entries_are_never_fainter(sizes: list[float]) -> None:
    scale = heatmap.scale_of([matrix(tuple(sizes))])
    strengths = [scale.strength(size) for size in sorted(sizes)]
    assert strengths == sorted(strengths)
    assert strengths[-1] == pytest.approx(1.0)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as the WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("name", ["EXACT", "REPORTED", "MEASURED", "FAINT"])
def test_lines_and_bars_stand_out_from_white_paper(name: str) -> None:
    from ldjcheck.report.pictures import palette

    assert 1.05 / (luminance(getattr(palette, name)) + 0.05) >= 3.0


def test_reported_is_hatched_so_that_print_tells_it_from_exact() -> None:
    figure = drawn()
    hatched = {bar.get_hatch() for bar in figure.findobj(matplotlib.patches.Rectangle)}
    assert "////" in hatched


def test_every_text_is_large_enough_for_a_projector() -> None:
    figure = drawn()
    sizes = [
        text.get_fontsize()
        for text in figure.findobj(matplotlib.text.Text)
        if text.get_text().strip()
    ]
    assert min(sizes) >= 8.5


# --- files ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_a_picture_is_written_as_its_name_ends(
    tmp_path: Path, suffix: str, start: bytes
) -> None:
    path = tmp_path / f"flow{suffix}"
    save_sheet(drawn(), path)
    assert path.read_bytes().startswith(start)


def drawing(path: Path) -> str:
    """Return what a file draws, without the names of its parts.

    These depend on the last bits of positions, which an equation solver chooses.
    """
    return re.sub(r"#?\b[pm][0-9a-f]{10}\b", "part", path.read_text())


@pytest.mark.slow
def test_the_same_check_is_the_same_picture_whatever_style_the_user_has(
    tmp_path: Path,
) -> None:
    Report(run(DRAWN)).plot(tmp_path / "plain.svg")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        before = dict(matplotlib.rcParams)
        Report(run(DRAWN)).plot(tmp_path / "styled.svg")
        assert dict(matplotlib.rcParams) == before
    assert drawing(tmp_path / "plain.svg") == drawing(tmp_path / "styled.svg")


@pytest.mark.slow
def test_a_figure_shows_itself_in_a_notebook_without_pyplot() -> None:
    figure = drawn()
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_a_missing_library_is_told_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "ldjcheck.report.pictures.shown", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'ldjcheck\[plot\]'"):
        Report(run(DRAWN)).plot()


# --- whatever a layer is called -----------------------------------------------------------


@pytest.mark.slow
def test_what_a_layer_is_called_stays_text(tmp_path: Path) -> None:
    hostile = "<script>alert('&amp;')</script> $\\frac{1}{0}$ $"
    finding = dataclasses.replace(DRAWN.findings[0], message=hostile)
    result = dataclasses.replace(DRAWN, target=hostile, findings=(finding,))
    Report(run(result)).plot(tmp_path / "odd.svg")
    assert "<script" not in (tmp_path / "odd.svg").read_text()


FLOAT = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, 1e-300, 1e300])
POINT = st.tuples(FLOAT, FLOAT)
FOUR = st.tuples(POINT, POINT, POINT, POINT)
ENTRY = st.floats(-1e9, 1e9)


@st.composite
def portraits(draw: st.DrawFn) -> Portrait:
    size = draw(st.integers(1, 5))
    rows = st.lists(ENTRY, min_size=size, max_size=size).map(tuple)
    many = draw(st.lists(rows, min_size=1, max_size=5).map(tuple))
    lines = draw(st.lists(FOUR, min_size=1, max_size=3).map(tuple))
    return Portrait(
        jacobians=(matrix((2.0,)), dataclasses.replace(matrix((1.0,)), rows=many)),
        grids=(
            GridImage(
                direction="forward",
                lines=lines,
                lines_after=draw(st.permutations(lines).map(tuple)),
                cells=(
                    Cell(
                        sample=0,
                        before=SQUARE,
                        after=draw(FOUR),
                        outline=SQUARE,
                        outline_after=draw(FOUR),
                    ),
                ),
            ),
        ),
    )


@pytest.mark.slow
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a picture takes long to draw
    suppress_health_check=list(HealthCheck),
)
@given(result=RESULT, portrait=portraits(), number=FLOAT)
def test_any_result_is_drawn_or_said_to_have_nothing(
    result: Result, portrait: Portrait, number: float
) -> None:
    odd = dataclasses.replace(
        DRAWN,
        target=result.target,
        findings=result.findings,
        portrait=portrait,
        checks=(
            dataclasses.replace(
                DRAWN.checks[0], samples=samples((number, 1.0), (2.0, number))
            ),
        ),
    )
    for each in (result, odd):
        try:
            figure = sheet(each)
        except NothingToDrawError:
            assert not contents.directions_of(each)
        else:
            figure.canvas.draw()


def test_contents_are_those_of_their_direction() -> None:
    found = contents_of(DRAWN, "forward")
    assert found is not None
    assert found.exact_parts(0) == (math.log(3), math.log(2))
    assert found.reported_parts(0) == (-math.log(3), -math.log(2))
    assert found.reported_parts(1) is None
    assert contents_of(DRAWN, "inverse") is None
