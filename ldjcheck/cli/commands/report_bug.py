"""`ldjcheck report-bug TARGET`: what to paste where a layer is judged wrongly."""

import re
import shlex
from contextlib import suppress
from dataclasses import replace
from typing import Any

import click

from ldjcheck.cli import param_types as types
from ldjcheck.cli.options import CHECK_OPTIONS, SectionedCommand, SectionedOption

_UNTAKEN = frozenset(
    {
        "fix", "diff", "search", "select", "ignore", "strict", "format", "plot", "jobs",
        "watch", "statistics", "quiet", "verbose", "color",
    }
)  # fmt: skip
"""The options of `check` that change what is shown of a layer, and not what it is."""

_LIMIT = SectionedOption(
    "--limit",
    section="Also",
    type=types.POSITIVE,
    default=120.0,
    show_default=True,
    metavar="S",
    help="seconds for making the source smaller",
)


@click.command(
    "report-bug",
    cls=SectionedCommand,
    params=[option for option in CHECK_OPTIONS if option.name not in _UNTAKEN]
    + [_LIMIT],
    short_help="Print what to paste where a layer is judged wrongly.",
)
@click.argument("target", metavar="TARGET")
@click.pass_context
def report_bug(ctx: click.Context, /, target: str, **settings: Any) -> None:
    """Print what to paste into an issue where a layer is judged wrongly.

    That is versions, the command, the verdict, and the layer's file with every statement
    left out without which the verdict stays the same. Each attempt is checked in a process
    of its own. Nothing is written, and nothing is sent: read it before you paste it. The
    exit status is 0 when there is a verdict, and 2 when the target could not be checked.
    """
    from ldjcheck.bug_report import bug_report
    from ldjcheck.cli.commands.check import options_of
    from ldjcheck.errors import CannotCheckError
    from ldjcheck.session.targets import Request
    from ldjcheck.targets import parse_target

    with suppress(CannotCheckError):  # what is wrong with it is what is reported then
        if parse_target(target).expr is None:
            raise click.UsageError(f"Name one layer of it: {target}:LAYER")
    unsaid = {"format": (), "verbose": 0, "plot": None, "select": ()}
    request = Request(
        options=replace(options_of(settings | unsaid), pictures=False),
        kwargs=settings["kwarg"],
        inputs=settings["inputs"],
        weights=settings["weights"],
    )
    words = ctx.obj or ("report-bug", target)
    check = re.sub(r"^report-bug | --limit[ =]\S+", "", shlex.join(words))
    result, sheet = bug_report(
        target,
        request,
        timeout=settings["timeout"],
        limit=settings["limit"],
        command=f"ldjcheck {check}",
    )
    click.echo(sheet, nl=False)
    ctx.exit(2 if result is None or result.status == "error" else 0)
