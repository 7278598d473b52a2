"""Writes `docs/bug-reports.md`: `PYTHONPATH=tests python -m bug_reports`."""

from __future__ import annotations

from pathlib import Path

from bug_reports.pages import page

PAGE = Path(__file__).parents[2] / "docs" / "bug-reports.md"

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
