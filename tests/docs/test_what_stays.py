"""The page of promises lists what the code has: neither can lose anything alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import ldjcheck
from ldjcheck import strategies
from ldjcheck.cli import main
from ldjcheck.mistakes import RULES
from ldjcheck.records.result import EXIT_CODES
from ldjcheck.report import FORMATS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "what-stays.md").read_text(encoding="utf-8")
LIST = re.compile(r"(?:^(?:`[^`\s]+` ?)+\n)+", re.MULTILINE)
LISTS = [set(re.findall(r"`([^`]+)`", block)) for block in LIST.findall(PAGE)]


def codes(told: str) -> set[str]:
    """Return the codes of text such as `LDJ001-007 LDJ199`."""
    found = re.findall(r"LDJ(\d{3})(?:-(\d{3}))?(?= |$)", told, re.MULTILINE)
    return {
        f"LDJ{number:03}"
        for first, last in found
        for number in range(int(first), int(last or first) + 1)
    }


def test_commands_options_formats_and_names_are_all_that_there_are() -> None:
    check = main.commands["check"]
    options = {name for option in check.params for name in option.opts}
    has = [
        set(main.commands),
        options - {"targets"},
        {written.name for written in FORMATS},
        set(ldjcheck.__all__),
        set(strategies.__all__),
    ]
    assert has == LISTS


def test_codes_are_all_that_there_are() -> None:
    (line,) = re.findall(r"^LDJ001-.*$", PAGE, re.MULTILINE)
    assert codes(line) == {rule.code for rule in RULES}


@pytest.mark.parametrize(("status", "code"), EXIT_CODES.items())
def test_each_status_has_its_exit_status(status: str, code: int) -> None:
    assert f"| {code} | `{status}` |" in PAGE


def test_the_schema_is_the_one_that_is_promised() -> None:
    schema = json.loads((DOCS / "result.schema.json").read_text(encoding="utf-8"))
    assert f'"{schema["properties"]["schema"]["const"]}"' in PAGE
    assert ldjcheck.__version__ in PAGE
