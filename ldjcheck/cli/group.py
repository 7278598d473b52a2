"""`ldjcheck`: the commands, of which `check` need not be written."""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from ldjcheck import __version__
from ldjcheck.cli.commands.check import check
from ldjcheck.cli.commands.demo import demo
from ldjcheck.cli.commands.derive import derive
from ldjcheck.cli.commands.explain import codes, explain
from ldjcheck.cli.commands.grade import grade
from ldjcheck.cli.commands.quiz import quiz
from ldjcheck.cli.commands.report_bug import report_bug
from ldjcheck.cli.commands.selftest import selftest
from ldjcheck.cli.options import BEGAN, write_sections
from ldjcheck.cli.output import write_fault

_EXAMPLES = (
    "ldjcheck deq.py:Dequantization",
    "ldjcheck flows.ipynb",
    "ldjcheck 'deq.py:Dequantization(quants=8)' --format json",
    "ldjcheck 'package.flows:make_flow(dims=4).layers[2]' --shape 4",
)

_EXIT_STATUS = (
    ("0", "every target passes"),
    ("1", "at least one fails"),
    ("2", "a target could not be checked, or the command is wrong"),
    ("3", "nothing wrong was found, but something is unproven"),
    ("4", "ldjcheck itself failed"),
)

_NO_TORCH = "There is no torch in {}: type ldjcheck where your layer runs."

_ASKED_TO_END = ("SIGTERM", "SIGHUP")  # not everywhere


class DefaultCheck(click.Group):
    """A group that runs `check` where no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `check` in front of what does not begin with a command."""
        ctx.obj = tuple(args)  # as typed, for the report
        ctx.meta[BEGAN] = time.perf_counter()
        own = {name for option in self.get_params(ctx) for name in option.opts}
        if args and args[0] not in own | set(self.commands):
            args = [check.name or "check", *args]
        return super().parse_args(ctx, args)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Offer files and the options of `check` beside the commands."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            beside = check.shell_complete(click.Context(check), incomplete)
        else:
            beside = [CompletionItem(incomplete, type="file")]
        return [*found, *beside]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what stops it has an exit status of its own.

        That is 130 after a Ctrl-C, and 4 where ldjcheck itself fails.
        """
        # Threads that wait for one another by spinning take time from all others, and
        # the more the busier the machine is. It is read where torch is loaded.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        try:
            with ends_what_it_started():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted; nothing is left running.", err=True)
            ctx.exit(130)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            raise
        except Exception as error:
            if isinstance(error, ImportError) and error.name == "torch":
                raise click.UsageError(_NO_TORCH.format(sys.executable)) from None
            write_fault(traceback.format_exc())
            ctx.exit(4)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show both forms of the command."""
        formatter.write_usage(ctx.command_path, "TARGET... [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", prefix=" " * 7)

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Show the options of `check` too: it is what people come for."""
        write_sections([*check.params, *self.get_params(ctx)], ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_help_text(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Show examples under what the command is for."""
        super().format_help_text(ctx, formatter)
        with formatter.section("Examples"):
            for example in _EXAMPLES:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show what the exit status means; of several that apply, 4, 2, 1, 3, 0."""
        with formatter.section("Exit status (of several: 4, 2, 1, 3, 0)"):
            formatter.write_dl(_EXIT_STATUS)


@contextlib.contextmanager
def ends_what_it_started() -> Iterator[None]:
    """Let a signal that would end this process first end the processes that it started.

    Those are in groups of their own, which no signal to this one reaches. The exit status
    is that of a process that the signal ended: 128 and its number.
    """
    is_main = threading.current_thread() is threading.main_thread()
    known = (getattr(signal, name, None) for name in _ASKED_TO_END if is_main)
    asked_to = [number for number in known if number is not None]
    # What is ignored, as under `nohup`, stays so; what others do, they do.
    numbers = [n for n in asked_to if signal.getsignal(n) is signal.SIG_DFL]
    for number in numbers:
        # by an exception, on whose way out whoever started a process ends it
        signal.signal(number, lambda asked, _: sys.exit(128 + asked))
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


@click.group(cls=DefaultCheck, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ldjcheck %(version)s")
def main() -> None:
    """Prove or refute the log-determinant that a normalizing-flow layer reports.

    A TARGET is SOURCE:EXPR. SOURCE is a module, a Python file, a notebook or a folder,
    EXPR an expression in its own names: a layer, its class, a call that makes one, or a
    part of one. SOURCE alone stands for every flow layer in it.
    """


_COMMANDS = (
    check, explain, codes, demo, derive, selftest, quiz, report_bug, grade,
)  # fmt: skip
for command in _COMMANDS:
    main.add_command(command)
