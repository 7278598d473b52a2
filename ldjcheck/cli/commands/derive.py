"""`ldjcheck derive TARGET`: the ldj of a map, written step by step and run."""

import shlex
import time
from dataclasses import fields, replace
from functools import partial
from typing import Any

import click

from ldjcheck.cli.commands.check import refuse_diff_alone
from ldjcheck.cli.options import CHECK_OPTIONS, SectionedCommand
from ldjcheck.cli.output import leave_session
from ldjcheck.records import Options

_TAKEN = (
    "shape", "batch", "domain", "context", "kwarg", "params", "params_scale", "seed",
    "convention", "direction", "timeout", "fix", "diff", "format", "quiet", "verbose",
    "color",
)  # fmt: skip
"""The options of `check` that mean something here."""


@click.command(
    "derive",
    cls=SectionedCommand,
    params=[option for option in CHECK_OPTIONS if option.name in _TAKEN],
    short_help="Write the ldj of a map, step by step, and run it.",
)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.pass_context
def derive(ctx: click.Context, /, targets: tuple[str, ...], **settings: Any) -> None:
    """Write the log-determinant of a map, line by line, in the names of its source.

    The layer may have no ldj yet, or a wrong one. Each line is explained, and all are run
    at shapes, inputs and parameters that nothing was derived from. Shown as an edit;
    --fix writes it.
    """
    refuse_diff_alone(settings)
    typed = ("ldjcheck", *(ctx.obj or ("derive", *targets)))
    ctx.exit(_derive(targets, settings, shlex.join(typed)))


def _derive(targets: tuple[str, ...], settings: dict[str, Any], command: str) -> int:
    """Run the session, write its reports, and return the exit status."""
    from ldjcheck.session.targets import Request, run_session
    from ldjcheck.targets import as_targets

    started = time.time()
    given = {f.name: settings[f.name] for f in fields(Options) if f.name in settings}
    request = Request(
        options=Options(**(given | {"kwarg": (), "timeout": None})),
        kwargs=settings["kwarg"],
        derives=True,
    )
    run = partial(
        run_session, as_targets(targets), timeout=settings["timeout"], command=command
    )
    checks = replace(request, derives=False)
    return leave_session(run(request), settings, started, lambda: run(checks).run)
