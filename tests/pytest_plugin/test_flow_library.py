"""The example library's own tests, which use the plugin in every documented way."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARY = Path(__file__).parents[2] / "examples" / "flow_library"


@pytest.fixture
def suite(load: tuple[str, ...]) -> Callable[..., str]:
    """Run pytest in the library's folder and return what it prints."""

    def tested(*arguments: str) -> str:
        command = [sys.executable, "-m", "pytest", *load, "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=LIBRARY,
            env=terminal(),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    return tested


@pytest.mark.slow
def test_the_librarys_own_tests_pass(suite: Callable[..., str]) -> None:
    shown = suite("-rx")
    assert re.search(r"^=+ 36 passed, 2 skipped, 1 xfailed in", shown, re.MULTILINE), (
        shown
    )
    assert "16 layers checked: 13 pass, 2 unproven, 1 as expected" in shown
    assert (
        "XFAIL tests/test_all_layers.py::test_bend[Bend-round-trip] - "
        "LDJ301 inverse-mismatch: three steps are enough to draw samples"
    ) in shown


@pytest.mark.slow
def test_the_test_that_fails_on_purpose_shows_what_the_page_shows(
    suite: Callable[..., str],
) -> None:
    page = (LIBRARY.parents[1] / "docs" / "pytest.md").read_text(encoding="utf-8")
    block = page.partition("pytest --no-header -q lesson.py\n")[2].partition("```")[0]
    shown = suite("--no-header", "-q", "lesson.py")
    assert without_seconds(shown).strip() == without_seconds(block).strip()


def without_seconds(text: str) -> str:
    return "\n".join(
        re.sub(r" in \d+\.\d+s", "", line).rstrip() for line in text.splitlines()
    )
