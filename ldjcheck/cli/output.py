"""Where the report goes: standard output or files, in colour or not; pictures, and edits."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import unified_diff
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldjcheck.records import Derived, Fix, Run
from ldjcheck.tracebacks import cell_file

if TYPE_CHECKING:
    from ldjcheck.report import Format
    from ldjcheck.revision.disk import Revised
    from ldjcheck.session.targets import Session

    Outputs = Sequence[tuple[Format, Path | None]]

_PAGE = 80  # columns of a file, or of what another program reads
_NARROWEST, _WIDEST = 60, 120  # columns that a report is laid out for
_REPORT_IT = "This is a fault of ldjcheck, not of your layer. Please report it."


def leave_session(
    session: Session, settings: dict[str, Any], started: float, again: Callable[[], Run]
) -> int:
    """Write all that the settings of a command ask for, and return its exit status.

    Raises:
        UsageError: no target was understood, or a file cannot be written.
    """
    if session.misused is not None:
        raise click.UsageError(session.misused)
    for fault in session.faults:
        write_fault(fault)
    try:
        write_reports(
            session.run,
            settings["format"],
            color=settings["color"],
            verbosity=settings["verbose"] - settings["quiet"],
            statistics=settings.get("statistics", False),
        )
        if settings.get("plot") is not None:
            write_pictures(session.run, settings["plot"])
    except OSError as error:
        raise click.UsageError(f"Cannot write the report: {error}") from None
    if settings["fix"]:
        formats, only_show = settings["format"], settings["diff"]
        write_edits(session.run, started, again, formats, only_show=only_show)
    return session.run.exit_code


def write_reports(
    run: Run, formats: Outputs, *, color: str, verbosity: int, statistics: bool = False
) -> None:
    """Draw the run in each format; `None` is standard output.

    Raises:
        OSError: A file cannot be written.
    """
    from ldjcheck.report import Style

    for format_, path in with_screen(formats):
        style = Style(
            color=_is_coloured(color, path),
            verbosity=verbosity,
            width=_width(path),
            statistics=statistics,
            links=_is_coloured("auto", path),
        )
        text = format_.render(run, style).rstrip("\n") + "\n"
        if path is None:
            _print(text)
        else:
            path.write_text(text, encoding="utf-8")


def with_screen(formats: Outputs) -> Outputs:
    """Return the formats, with the text on the screen where all others go to files."""
    from ldjcheck.report import FORMATS

    if any(path is None for _, path in formats):
        return formats
    return (*formats, (FORMATS[0], None))


def write_edits(
    run: Run,
    started: float,
    again: Callable[[], Run],
    formats: Outputs,
    *,
    only_show: bool,
) -> None:
    """Write the verified fixes of a run to the files, and say so on standard error.

    The report has standard output for itself; `started` is when the check began. What was
    written is checked `again` before anything is said of it. Where edits are only shown,
    their diff stands under the text, or on standard error beside what programs read.
    """
    from ldjcheck.revision.disk import plan_fixes, write_fixes

    fixes = [f.fix for result in run.results for f in result.findings if f.fix]
    fixes += [_as_fix(r.derived) for r in run.results if r.derived and r.derived.edits]
    revised = (plan_fixes if only_show else write_fixes)(fixes, started)
    done = [each for each in revised if each.refused is None]
    if only_show and done:
        shown = (each.name for each, path in with_screen(formats) if path is None)
        click.echo(f"\n{''.join(map(_diff, done))}", nl=False, err="text" not in shown)
    verb = "Would write" if only_show else "Wrote"
    for each in revised:
        if each.refused is None:
            click.echo(f"{verb} {each.file}, {_places(each)}.", err=True)
        else:
            click.echo(f"{_NOT[verb]} {each.file}: {each.refused}.", err=True)
    if done and not only_show:
        wrong = [result for result in again().results if result.status != "pass"]
        for result in wrong:
            codes = ", ".join(dict.fromkeys(f.code for f in result.findings))
            click.echo(
                f"Checked again: {result.target} does not pass: {codes}", err=True
            )
        if not wrong:
            click.echo("Check again to see the layer pass.", err=True)
    elif not revised and any(r.status != "pass" for r in run.results):
        click.echo("There is no verified edit to write.", err=True)
    elif not revised and run.results:
        click.echo("Nothing is left to write.", err=True)


_NOT = {"Wrote": "Did not write", "Would write": "Would not write"}


def _places(revised: Revised) -> str:
    """Return which lines change, by the cells of a notebook."""
    told = []
    for change in revised.changes:
        word = "line" if len(change.lines) == 1 else "lines"
        cell = "" if change.cell is None else f"cell {change.cell}, "
        told.append(f"{cell}{word} {', '.join(map(str, change.lines))}")
    return "; ".join(told)


def _diff(revised: Revised) -> str:
    """Return what changes in a file as a unified diff, each cell of a notebook by itself."""
    rows: list[str] = []
    for change in revised.changes:
        name = revised.file
        name = name if change.cell is None else cell_file(name, change.cell)
        rows += unified_diff(change.before, change.after, name, name)
    unended = "\n\\ No newline at end of file\n"
    return "".join(row if row.endswith("\n") else row + unended for row in rows)


def _as_fix(derived: Derived) -> Fix:
    """Return the edits of a derivation as what is written where it is verified."""
    is_verified = derived.applicability == "verified"
    return Fix(
        applicability="verified" if is_verified else "suggested",
        residual_after=derived.residual_after,
        edits=derived.edits,
    )


def write_fault(traceback: str) -> None:
    """Show a fault of our own on standard error, and ask for a report."""
    click.echo(f"{traceback.rstrip()}\n{_REPORT_IT}", err=True)


def _print(text: str) -> None:
    if hasattr(sys.stdout, "reconfigure"):
        # A name or path of the user's may be none that this terminal can show.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # The style has decided already: click is not to take the colours out again.
        click.echo(text, nl=False, color=True)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _width(path: Path | None) -> int:
    """Return the columns of the terminal, as far as lines are read well; else 80."""
    if path is not None or not sys.stdout.isatty():
        return _PAGE
    columns = shutil.get_terminal_size((_PAGE, 0)).columns
    return min(max(columns, _NARROWEST), _WIDEST)


def _is_coloured(wish: str, path: Path | None) -> bool:
    """Return whether to colour: as asked, else on a terminal that takes it."""
    if wish != "auto":
        return wish == "always"
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return path is None and sys.stdout.isatty() and not is_plain


def refuse_without_library() -> None:
    """Refuse to go on where nothing could be drawn, before anything is checked."""
    if find_spec("matplotlib") is None:
        raise click.UsageError(
            "Pictures need matplotlib, which is not installed: pip install 'ldjcheck[plot]'"
        )


def write_pictures(run: Run, path: Path) -> None:
    """Draw each result, and say on standard error what was written.

    Of several results each has a file of its own: `flow.png` becomes `flow-1.png` and so
    on, in the order of the report.

    Raises:
        OSError: a file cannot be written.
    """
    from ldjcheck.report.pictures import NothingToDrawError, save_sheet, sheet

    for number, result in enumerate(run.results, 1):
        own = path
        if len(run.results) > 1:
            own = path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            figure = sheet(result)
        except NothingToDrawError as error:
            click.echo(f"Did not write {own}, {result.target}: {error}.", err=True)
            continue
        save_sheet(figure, own)
        click.echo(f"Wrote {own}: {result.target}", err=True)
