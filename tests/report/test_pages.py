"""Codes lead to their pages, where an installation says that these are published."""

from __future__ import annotations

import json
import re
from email.message import Message

import pytest
from report_runs import FAIL, PASS, run

from ldjcheck.report import Style, sarif, style, text

HOME = "https://flows.example/ldjcheck"
TERMINAL = Style(color=True, verbosity=0, links=True)
ESCAPES = re.compile(r"\x1b\]8;;.*?\x1b\\|\x1b\[[0-9;]*m")


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Message()
    said["Project-URL"] = "Source, https://flows.example/git"
    said["Project-URL"] = f"Documentation, {HOME}/"
    monkeypatch.setattr(style, "metadata", lambda name: said)


@pytest.mark.usefixtures("published")
def test_a_terminal_opens_the_page_of_the_code() -> None:
    line = text.render(run(FAIL), TERMINAL).splitlines()[0]
    assert (
        f"\x1b]8;;{HOME}/mistakes/missing-dims-factor.html\x1b\\LDJ101\x1b]8;;" in line
    )


@pytest.mark.usefixtures("published")
def test_a_link_takes_no_column_and_a_pass_has_none() -> None:
    plain = text.render(run(FAIL, PASS), Style(color=False, verbosity=0))
    shown = text.render(run(FAIL, PASS), TERMINAL)
    assert ESCAPES.sub("", shown) == plain
    assert "\x1b]8" not in text.render(run(PASS), TERMINAL)


@pytest.mark.usefixtures("published")
def test_only_a_terminal_is_given_links() -> None:
    assert "\x1b]8" not in text.render(run(FAIL), Style(color=True, verbosity=0))


@pytest.mark.usefixtures("published")
def test_a_scanner_is_told_the_page_of_each_rule() -> None:
    log = json.loads(sarif.render(run(FAIL), TERMINAL))
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert {r["id"]: r["helpUri"] for r in rules} == {
        r["id"]: f"{HOME}/mistakes/{r['name']}.html" for r in rules
    }


def test_without_an_address_nothing_is_a_link() -> None:
    assert "\x1b]8" not in text.render(run(FAIL), TERMINAL)
    assert "helpUri" not in sarif.render(run(FAIL), TERMINAL)
