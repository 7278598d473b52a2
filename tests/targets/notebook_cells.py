"""Cells of notebooks that tests write."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

NEVER = "raise SystemExit('this cell must not run')"


def cell(text: str, kind: str = "code") -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": dedent(text).splitlines(True)}
