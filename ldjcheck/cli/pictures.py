"""`--plot FILE`: the pictures of a run, a file for each layer that has any."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from ldjcheck.records import Run

_MISSING = (
    "Pictures need matplotlib, which is not installed: pip install 'ldjcheck[plot]'"
)


def refuse_without_library() -> None:
    """Refuse to go on where nothing could be drawn, before anything is checked."""
    if find_spec("matplotlib") is None:
        raise click.UsageError(_MISSING)


def write_pictures(run: Run, path: Path) -> None:
    """Draw each result, and say on standard error what was written.

    Of several results each has a file of its own: `flow.png` becomes `flow-1.png` and so
    on, in the order of the report.

    Raises:
        OSError: a file cannot be written.
    """
    from ldjcheck.report.pictures import NothingToDrawError, save_sheet, sheet

    for number, result in enumerate(run.results, 1):
        own = path if len(run.results) == 1 else _numbered(path, number)
        try:
            figure = sheet(result)
        except NothingToDrawError as error:
            click.echo(f"Did not write {own}, {result.target}: {error}.", err=True)
            continue
        save_sheet(figure, own)
        click.echo(f"Wrote {own}: {result.target}", err=True)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number}{path.suffix}")
