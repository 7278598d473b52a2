"""The command line, run as users run it: in a process and a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Ran = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def ldjcheck_in() -> Callable[..., Ran]:
    """Run the command line in a folder and return what came out."""

    def ldjcheck_in(folder: Path, *arguments: str, **settings: Any) -> Ran:
        return subprocess.run(
            [sys.executable, "-m", "ldjcheck", *arguments],
            cwd=folder,
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
            **settings,
        )

    return ldjcheck_in


@pytest.fixture
def ldjcheck(ldjcheck_in: Callable[..., Ran], tmp_path: Path) -> Callable[..., Ran]:
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
