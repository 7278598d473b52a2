"""Page and paper about the method quote what commands print, and cite what is listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
METHOD, PAPER, BIB = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("docs/method.md", "paper.md", "paper.bib")
)


@pytest.mark.parametrize("page", [METHOD, PAPER], ids=["method", "paper"])
def test_every_command_that_is_named_can_be_run(page: str) -> None:
    modules = set(re.findall(r"`python -m ([\w.]+)", page))
    scripts = set(re.findall(r"`python ([\w/]+\.py)", page))
    assert modules
    for module in modules:
        places = [root / module.replace(".", "/") for root in (ROOT, ROOT / "tests")]
        files = [
            p
            for place in places
            for p in (place / "__main__.py", place.with_suffix(".py"))
        ]
        assert any(file.is_file() for file in files), module
    assert all((ROOT / script).is_file() for script in scripts)


def test_every_figure_of_the_paper_stands_in_the_docs_as_it_was_printed() -> None:
    docs = {
        line
        for path in (ROOT / "docs").glob("*.md")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    blocks = re.findall(r"^```text\n(.*?)^```$", PAPER, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for line in "".join(blocks).splitlines():
        assert line in docs
    plain = re.sub(r"^(```text|---)\n.*?^(```|---)$", "", PAPER, flags=re.M | re.S)
    assert not re.findall(
        r"\d+(?:\.\d+)? ?%|\b\d{3,}\b(?!])", re.sub(r"@\w+", "", plain)
    )


def test_what_is_cited_is_listed_and_the_other_way_round() -> None:
    cited = set(re.findall(r"@(\w+)", PAPER.partition("bibliography:")[2]))
    listed = set(re.findall(r"^@\w+\{(\w+),", BIB, re.MULTILINE))
    assert cited == listed
