"""What a notebook shows of a report."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from report_runs import ERROR, FAIL, PASS, RESULT, UNPROVEN, run

from ldjcheck.report import Report

if TYPE_CHECKING:
    from ldjcheck.records import Result


class Reader(HTMLParser):
    """Collects tags and text, and sees whether tags are closed in order."""

    VOID = frozenset({"br", "hr"})

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


def test_the_mistake_its_line_and_its_numbers_are_there() -> None:
    text = read(FAIL).text
    for part in ("FAIL LDJ101 missing-dims-factor", "deq.py:41", "+83.1777"):
        assert part in text
    assert str(Report(run(FAIL))) in text, "the full report is folded in"


@pytest.mark.parametrize("result", [PASS, FAIL, UNPROVEN, ERROR])
def test_nothing_runs_nothing_is_loaded_and_the_page_chooses_the_colours(
    result: Result,
) -> None:
    reader = read(result)
    assert reader.tags <= {
        "div", "p", "strong", "code", "table", "caption", "thead", "tbody", "tr", "th",
        "td", "details", "summary", "pre",
    }  # fmt: skip
    assert {name for name, _ in reader.attributes} <= {"style"}
    styles = " ".join(value or "" for _, value in reader.attributes)
    assert not re.search(r"url|(^|[ ;])(color|background)", styles)


@settings(max_examples=50, deadline=None)
@given(RESULT)
def test_whatever_a_layer_is_called_stays_text(result: Result) -> None:
    hostile = "<script>alert('&amp;')</script>"
    reader = read(dataclasses.replace(result, target=hostile, layer=hostile))
    assert "script" not in reader.tags
    assert hostile in reader.text
