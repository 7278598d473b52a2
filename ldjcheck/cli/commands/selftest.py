"""`ldjcheck selftest [TARGET]`: every mistake planted in a layer, and what is caught."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from ldjcheck.cli.options import CHECK_OPTIONS, SectionedCommand
from ldjcheck.cli.output import write_fault
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Options
from ldjcheck.records.result import exit_code
from ldjcheck.targets import load_layer, parse_target, refused, trouble_ahead

if TYPE_CHECKING:
    from ldjcheck.classroom.selftest import Selftest

_TAKEN = (
    "shape", "batch", "domain", "context", "convention", "direction", "params",
    "params_scale", "seed",
)  # fmt: skip
_TIMEOUT = 1800.0  # seconds for one layer with all its mistakes


@click.command(
    "selftest",
    cls=SectionedCommand,
    params=[option for option in CHECK_OPTIONS if option.name in _TAKEN],
    short_help="Plant every mistake in a layer, and see what is caught.",
)
@click.argument("target", required=False, metavar="[TARGET]")
@click.pass_context
def selftest(ctx: click.Context, /, target: str | None, **settings: Any) -> None:
    """Plant every mistake that fits into a layer's source, and show what is caught.

    Nothing is written: the mistakes are planted in memory, one at a time. Without a
    TARGET, layers that come with ldjcheck are used. The exit status is 0 when all
    planted mistakes are caught, 1 when one is not, and 3 when none could be planted.
    """
    slip = None if target is None else refused(target) or trouble_ahead(target)
    if slip is not None:
        click.echo(_render_error(slip))
        ctx.exit(2)
    from ldjcheck.session.isolation import Faulted, Finished, TimedOut, run_isolated

    given = {f.name: settings[f.name] for f in fields(Options) if f.name in settings}
    outcome = run_isolated(_planted, target, Options(**given), timeout=_TIMEOUT)
    if isinstance(outcome, Finished):
        code, text = outcome.value
        click.echo(text)
        ctx.exit(code)
    if isinstance(outcome, Faulted):
        write_fault(outcome.traceback)
        ctx.exit(4)
    how = "" if isinstance(outcome, TimedOut) else outcome.how
    if isinstance(outcome, TimedOut):
        how = f"no answer within {outcome.seconds:g} seconds"
    click.echo(f"The process of the selftest ended before it did: {how}.", err=True)
    ctx.exit(2)


def _planted(target: str | None, options: Options) -> tuple[int, str]:
    """Return exit status and matrix; it runs in a process of its own."""
    import torch

    from ldjcheck.classroom.selftest import bundled_tests, draw, plant_all

    torch.manual_seed(options.seed)
    try:
        if target is None:
            tests = bundled_tests(options)
        else:
            tests = [plant_all(load_layer(parse_target(target)), options)]
    except CannotCheckError as error:
        return 2, _render_error(error)
    return exit_status(tests), draw(tests)


def _render_error(error: CannotCheckError) -> str:
    return "\n".join([f"{error.code}  {error.message}", *error.evidence])


def exit_status(tests: list[Selftest]) -> int:
    """Return 0 when every planted mistake was caught, else what the layers are.

    Where nothing was planted, nothing is proved: 3.
    """
    statuses = {test.status for test in tests}
    if any(test.caught < len(test.planted) for test in tests):
        statuses.add("fail")
    if any(not test.planted for test in tests):
        statuses.add("unproven")
    return exit_code(statuses)
