"""`ldjcheck check`, the default command, once or after each saved file with `--watch`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldjcheck.cli import param_types as types
from ldjcheck.cli.options import (
    BEGAN,
    CHECK_OPTIONS,
    ConfiguredCommand,
    Silences,
    silences_of,
)
from ldjcheck.cli.output import leave_session, refuse_without_library
from ldjcheck.records import Deadline, Options, Suppression
from ldjcheck.targets import as_targets
from ldjcheck.targets.static_check import files_of

if TYPE_CHECKING:
    from ldjcheck.report import Format


_GLANCE = 0.3  # seconds between two looks at the files

Stamps = dict["Path", int | None]


def rounds(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the targets to check: all, then whenever files are saved, what these touch."""
    targets = touched = as_targets(words)
    while True:
        files = {target: files_of(target) for target in targets}
        before = stamps(path for each in files.values() for path in each)
        if touched:
            yield touched
        changed = _wait(before)
        names = ", ".join(sorted(path.name for path in changed))
        click.echo(f"\n{names} changed.", err=True)
        targets = as_targets(words)  # a folder may hold more of them by now
        new = tuple(each for each in targets if each not in files)
        touched = (*(t for t in targets if files.get(t, frozenset()) & changed), *new)


def stamps(paths: Iterable[Path]) -> Stamps:
    """Return when each file was written last; None where there is none."""
    return {path: _written(path) for path in paths}


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _wait(before: Stamps) -> frozenset[Path]:
    """Return the files that are written otherwise than before, once there are some."""
    while True:
        now = stamps(before)
        changed = frozenset(path for path in before if now[path] != before[path])
        if changed:
            return changed
        time.sleep(_GLANCE)


@click.command(
    "check",
    cls=ConfiguredCommand,
    params=list(CHECK_OPTIONS),
    short_help="Check layers; the word may be left out.",
)
@click.argument("targets", nargs=-1, metavar="TARGET...", type=types.TARGET)
@click.pass_context
def check(ctx: click.Context, /, targets: tuple[str, ...], **settings: Any) -> None:
    """Check layers: whether the log-determinant that each reports is what it has."""
    typed = ("ldjcheck", *(ctx.obj or ("check", *targets)))
    began = ctx.meta.get(BEGAN)
    _refuse_mixing(settings["format"])
    refuse_diff_alone(settings)
    if settings["plot"] is not None:
        refuse_without_library()
    if not targets:
        raise click.UsageError(
            "Missing argument 'TARGET...': name what to check, as in\n"
            "  ldjcheck flows.py:Affine"
        )
    about = settings, silences_of(ctx), shlex.join(typed)
    if settings["watch"]:
        for touched in rounds(targets):  # until the user has seen enough
            _check(touched, *about, began)
            began = None
    ctx.exit(_check(as_targets(targets), *about, began))


def _check(
    targets: tuple[str, ...],
    settings: dict[str, Any],
    file: Silences,
    command: str,
    began: float | None,
) -> int:
    """Run the session, write its reports, and return the exit status."""
    from ldjcheck.session.targets import Request, cores, run_session

    started = time.time()
    ignored = ignored_by(targets, settings["ignore"]) or file.everywhere
    request = Request(
        options=replace(options_of(settings), ignore=ignored),
        kwargs=settings["kwarg"],
        inputs=settings["inputs"],
        weights=settings["weights"],
        silences=file.by_target,
        comments=True,
    )
    is_watched = sys.stderr.isatty() and not os.environ.get("CI")
    waiting = sys.stderr if is_watched and not settings["quiet"] else None
    run = partial(
        run_session,
        targets,
        request,
        timeout=settings["timeout"],
        command=command,
        jobs=settings["jobs"] or cores(),
        waiting=waiting,
    )
    return leave_session(run(started=began), settings, started, lambda: run().run)


def _refuse_mixing(formats: Sequence[tuple[Format, Path | None]]) -> None:
    """Refuse two reports for one place: neither could be read."""
    places = [path for _, path in formats]
    for format_, path in formats[1:]:
        if places.count(path) > 1:
            where = "standard output" if path is None else str(path)
            raise click.UsageError(
                f"Two reports would mix on {where}; give one a file of its own: "
                f"--format {format_.name}=FILE"
            )


def refuse_diff_alone(settings: dict[str, Any]) -> None:
    """Refuse to show what would be written where nothing was asked to be."""
    if settings["diff"] and not settings["fix"]:
        raise click.UsageError(
            "--diff shows what --fix would write: type both, --fix --diff."
        )


def options_of(settings: dict[str, Any]) -> Options:
    """Return the options of the check; keyword arguments are evaluated later."""
    given = {f.name: settings[f.name] for f in fields(Options) if f.name in settings}
    is_drawn = any(each.drawn for each, _ in settings["format"])
    given["ledger"] = settings["verbose"] > 0 or is_drawn
    given["pictures"] = is_drawn or settings["plot"] is not None
    given["timeout"] = Deadline(seconds=settings["timeout"])
    selected = tuple(code for codes in settings["select"] for code in codes)
    given |= {"kwarg": (), "select": selected, "ignore": (), "inputs": None}
    return Options(**given)


def ignored_by(
    targets: tuple[str, ...], given: Sequence[tuple[str, ...]]
) -> tuple[Suppression, ...]:
    """Return what the command line ignores; expected to occur where one layer is meant."""
    is_one = len(targets) == 1 and ":" in targets[0]
    return tuple(
        Suppression(
            code=code, reason="on the command line", expected=is_one and len(codes) == 1
        )
        for codes in given
        for code in codes
    )
