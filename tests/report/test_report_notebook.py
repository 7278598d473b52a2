"""What a notebook shows of a report."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from browser import NARROW, opened_browser
from hypothesis import given, settings
from report_runs import ERROR, FAIL, PASS, RESULT, UNPROVEN, run

from ldjcheck.report import Report

if TYPE_CHECKING:
    from pathlib import Path

    from ldjcheck.records import Result


class Reader(HTMLParser):
    """Collects tags and text, and sees whether tags are closed in order."""

    VOID = frozenset({"br", "hr", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(result: Result) -> Reader:
    reader = Reader()
    reader.feed(Report(run(result))._repr_mimebundle_()["text/html"])
    reader.close()
    assert reader.open == []
    return reader


def test_plain_text_is_what_print_shows() -> None:
    report = Report(run(FAIL))
    assert report._repr_mimebundle_()["text/plain"] == str(report)


def seen(result: Result) -> str:
    """Return what is read without unfolding anything."""
    html = Report(run(result))._repr_mimebundle_()["text/html"]
    reader = Reader()
    reader.feed(html.partition("<details>")[0])
    return " ".join(reader.text.split())


def test_verdict_line_fix_and_ledger_are_seen_without_a_click() -> None:
    told = seen(FAIL)
    for part in (
        "FAIL LDJ101 missing-dims-factor deq.py:Dequantization",
        "counts log(quants) once, not once per dimension.",
        "deq.py, line 41, in dequant",
        "Fix (run: all samples then agree to 2e-15)",
        "41\N{MINUS SIGN}ldj -= np.log(self.quants)",
        "41+ldj -= np.log(self.quants) * np.prod(z.shape[1:])",
        "difference = (dims - 1) * log(self.quants)",
        "bits per dimension are off by 7.99",
        "40z = z / self.quants-88.72",
        "\N{BLACK RIGHT-POINTING TRIANGLE} 41ldj -= np.log(self.quants)-5.55",
        "total-55.3462+27.8315",
        "+83.1777",
    ):
        assert part in told, part
    assert Report(run(FAIL)).details in read(FAIL).text, "the full report is folded in"


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (PASS, "The reported log-determinant is the exact one, forward only."),
        (UNPROVEN, "Drop --params as-is: moved parameters are then checked."),
        (ERROR, "ldjcheck 'flows.ipynb:Coupling(Net(4), mask(4))'"),
    ],
)
def test_every_status_says_what_it_means_and_what_to_do(
    result: Result, told: str
) -> None:
    assert told in seen(result)


@pytest.mark.parametrize("result", [PASS, FAIL, UNPROVEN, ERROR])
def test_nothing_runs_and_nothing_is_loaded(result: Result) -> None:
    reader = read(result)
    assert reader.tags <= {
        "div", "p", "strong", "code", "table", "thead", "tbody", "tr", "th",
        "td", "details", "summary", "pre", "wbr",
    }  # fmt: skip
    assert {name for name, _ in reader.attributes} <= {"style"}


@pytest.mark.parametrize("result", [PASS, FAIL, UNPROVEN, ERROR])
def test_the_page_chooses_the_colours_and_what_is_marked_lets_them_through(
    result: Result,
) -> None:
    for _, value in read(result).attributes:
        for rule in (value or "").split(";"):
            name, _, what = rule.partition(":")
            assert "url" not in what
            assert name.strip() != "color"
            if name.strip().startswith("background") and what.strip() != "none":
                (alpha,) = re.findall(r"rgba\([\d, ]+, ([\d.]+)\)", what)
                assert float(alpha) <= 0.25


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_read_on_white_and_on_black(tmp_path: Path, *, dark: bool) -> None:
    shown = Report(run(FAIL))._repr_mimebundle_()["text/html"]
    colours = (
        "background: #111; color: #eee" if dark else "background: #fff; color: #111"
    )
    page = tmp_path / "cell.html"
    page.write_text(
        '<!doctype html><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><body style="{colours}; '
        f'font: 14px sans-serif; margin: 12px">{shown}',
        encoding="utf-8",
    )
    with opened_browser() as browser:
        browser.open(page, width=900)
        browser.photograph(f"notebook-{'dark' if dark else 'light'}")
        assert browser.clipped() == []
        browser.open(
            page, width=NARROW
        )  # beside a table of contents, or on a telephone
        browser.photograph(f"notebook-{'dark' if dark else 'light'}-narrow")
        assert browser.clipped() == []
        visible = browser.ask("return document.body.innerText")
    assert "np.prod(z.shape[1:])" in visible


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(RESULT)
def test_whatever_a_layer_is_called_stays_text(result: Result) -> None:
    hostile = "<script>alert('&amp;')</script>"
    reader = read(dataclasses.replace(result, target=hostile, layer=hostile))
    assert "script" not in reader.tags
    assert hostile in reader.text
