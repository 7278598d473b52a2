"""The documentation's pages about mistakes are drawn from the rules' own pages."""

from __future__ import annotations

import re
from email.message import Message
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from ldjcheck.mistakes import RULES
from ldjcheck.report import style

SCRIPT = Path(__file__).parents[2] / "docs" / "_extensions" / "mistake_pages.py"

SITE = "mistakes"  # the folder of these pages, on the site


def script() -> Any:
    spec = spec_from_file_location("mistake_pages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / SITE
    folder.mkdir()
    (folder / "renamed-since.md").write_text("an old page")
    script().write_pages(folder)
    return folder


def test_every_mistake_has_a_page_and_nothing_else_has(written: Path) -> None:
    names = {path.stem for path in written.glob("*.md")}
    assert names == {"index", *(rule.name for rule in RULES)}


def test_the_address_of_a_code_is_that_of_its_page(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Message()
    said["Project-URL"] = "Documentation, https://flows.example"
    monkeypatch.setattr(style, "metadata", lambda name: said)
    for rule in RULES:
        address = f"https://flows.example/{SITE}/{rule.name}.html"
        assert style.page_address(rule.code) == address
        assert (written / f"{rule.name}.md").is_file()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_page_shows_the_code_that_the_tests_run(rule: Any, written: Path) -> None:
    text = (written / f"{rule.name}.md").read_text()
    shown = re.findall(r"^```python\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    example = rule.page.example
    own = [rule.page.wrong, rule.page.right]
    assert shown == (own if example is None else [f"# flow.py\n{example.source}"])
    assert text.startswith(f"# {rule.code} {rule.name}\n")


def test_every_link_leads_to_a_page(written: Path) -> None:
    for page in written.glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            assert (written / target).is_file(), (page.name, target)


def test_the_list_names_every_mistake_twice(written: Path) -> None:
    """Once to be read, once to build the table of contents."""
    text = (written / "index.md").read_text()
    for rule in RULES:
        assert f"[{rule.code} {rule.name}]({rule.name}.md)" in text
        assert re.search(f"^{rule.name}$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        ("D * log|a|", r"D \* log\|a\|"),
        ("type `a * b`, not *", r"type `a * b`, not \*"),
        ("x_i in [0, 1]", r"x\_i in \[0, 1\]"),
    ],
)
def test_formulas_in_prose_stay_as_they_are(plain: str, escaped: str) -> None:
    assert script().prose(plain) == escaped
