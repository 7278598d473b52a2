"""The command line, run as users run it: in a process and a folder of its own."""

from __future__ import annotations

from functools import partial
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from command import Ran, ldjcheck_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(name="ldjcheck_in", scope="session")
def ldjcheck_in_() -> Callable[..., Ran]:
    """Run the command line in a folder and return what came out."""
    return ldjcheck_in


@pytest.fixture
def ldjcheck(tmp_path: Path) -> Callable[..., Ran]:
    """Run the command line in the test's own folder."""
    return partial(ldjcheck_in, tmp_path)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file in that folder."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(dedent(text))
        return path

    return write
