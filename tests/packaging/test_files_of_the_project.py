"""What a place that hosts code reads of a project says what the project says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ldjcheck
from ldjcheck.cli import main

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_*.yml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_what_is_cited_is_this_version() -> None:
    cited = read(ROOT / "CITATION.cff")
    assert cited["version"] == ldjcheck.__version__
    assert cited["cff-version"] == "1.2.0"
    assert cited["license"] == "MIT"
    assert cited["authors"]
    assert cited["title"].startswith("ldjcheck")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_is_a_form(path: Path) -> None:
    form = read(path)
    assert form["name"]
    assert form["description"]
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(set(ids)) == len(ids)
    kinds = {part["type"] for part in form["body"]}
    assert kinds <= {"markdown", "dropdown", "textarea", "input", "checkboxes"}


def test_a_layer_that_is_judged_wrongly_comes_with_what_a_command_prints() -> None:
    text = (ROOT / ".github/ISSUE_TEMPLATE/judged_wrongly.yml").read_text("utf-8")
    assert "ldjcheck report-bug TARGET" in text
    assert "report-bug" in main.commands
