"""Results that come back from their JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from report_runs import FAIL, RUN, run

from ldjcheck.report import json
from ldjcheck.report.reading import read_run

if TYPE_CHECKING:
    from ldjcheck.records import Run


def test_a_document_read_is_the_run_that_was_written() -> None:
    written = run(FAIL)
    assert read_run(json.document(written)) == written


@settings(max_examples=15, deadline=None)
@given(RUN)
def test_what_was_read_is_written_as_it_was(drawn: Run) -> None:
    document = json.document(drawn)
    assert json.document(read_run(document)) == document
