"""`%ldjcheck EXPR` in IPython: the check of a layer that lives in the session."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ldjcheck.cli.commands.check import check, ignored_by, options_of
from ldjcheck.cli.options import silences_of
from ldjcheck.records import Layer, Run
from ldjcheck.targets.build import build
from ldjcheck.targets.expression import evaluate
from ldjcheck.targets.sources import HERE, Source

if TYPE_CHECKING:
    from ldjcheck.report import Report

_NAME = "%ldjcheck"
_OPTION = re.compile(r"(?:^|\s)(--?[A-Za-z])")
_OUTSIDE = (
    "diff", "fix", "format", "jobs", "plot", "quiet", "statistics", "verbose", "watch",
)  # fmt: skip
"""Options of what is written and shown, which here is the report that comes back."""


def load(shell: Any) -> None:
    """Add `%ldjcheck` to a running IPython."""
    from IPython.core.magic import no_var_expand

    magic = no_var_expand(partial(_check, shell))  # braces are Python's here
    shell.register_magic_function(magic, "line", _NAME.removeprefix("%"))


def _check(shell: Any, line: str) -> Report | None:
    """Return the report of a layer, or None where the line could not be understood."""
    expr, words = _split(line)
    try:
        with check.make_context(_NAME, [*words, *([expr] if expr else [])]) as ctx:
            _refuse_outside(ctx)
            return _report(ctx, shell.user_ns)
    except click.ClickException as error:
        print(f"{_NAME}: {error.format_message()}")
    except click.exceptions.Exit:  # it has printed its help
        pass
    return None


def _split(line: str) -> tuple[str, list[str]]:
    """Return the expression, which needs no quotes here, and the words of the options."""
    option = _OPTION.search(line)
    at = len(line) if option is None else option.start(1)
    expr = line[:at].strip()
    try:
        value = ast.literal_eval(expr)
    except (ValueError, SyntaxError):
        value = None
    try:
        words = shlex.split(line[at:])
    except ValueError:  # a quote that is not closed
        words = line[at:].split()
    return (value if isinstance(value, str) else expr), words


def _refuse_outside(ctx: click.Context) -> None:
    if len(ctx.params["targets"]) != 1:
        raise click.UsageError("name one layer, as in %ldjcheck Affine(4) --shape 4")
    typed = click.core.ParameterSource.COMMANDLINE
    for param in ctx.command.params:
        if param.name in _OUTSIDE and ctx.get_parameter_source(param.name) is typed:
            raise click.UsageError(
                f"{param.opts[-1]} is for the command line: here the report comes back, "
                "and report.details and report.plot() show more"
            )


def _report(ctx: click.Context, names: dict[str, Any]) -> Report:
    from ldjcheck import api
    from ldjcheck.errors import CannotCheckError, CommentError
    from ldjcheck.options.comments import ignored_in_source
    from ldjcheck.report import Report
    from ldjcheck.report_hooks import shown_in_notebook
    from ldjcheck.targets.data import read_inputs

    settings, (expr,) = ctx.params, ctx.params["targets"]
    source = Source(name=HERE, namespace=names, module="__main__")
    ignored = (
        ignored_by((f":{expr}",), settings["ignore"]) or silences_of(ctx).everywhere
    )
    options = replace(options_of(settings), ignore=ignored, ledger=True)
    try:
        kwarg = tuple((name, evaluate(it, source)) for name, it in settings["kwarg"])
        options = replace(options, kwarg=kwarg)
        if settings["inputs"] is not None:
            inputs = read_inputs(settings["inputs"])
            options = replace(options, inputs=inputs, params="as-is", search=0)
        layer = _layer(expr, source, settings["weights"])
        if settings["weights"] is not None:
            options = replace(options, params="as-is")
        ignored = (*options.ignore, *ignored_in_source(layer.obj))
        options = replace(options, ignore=ignored)
        options, strange = api.without_untaken(layer, options)
        if strange:
            raise click.UsageError(next(iter(strange.values())))
        with shown_in_notebook() as tell:
            result = api.check_layer(layer, options, tell=tell)
    except CommentError as error:
        raise click.UsageError(str(error)) from None
    except CannotCheckError as error:
        result = api.failed_result(expr, error)
    return Report(Run.of(result, seed=options.seed, command=f"{_NAME} {expr}"))


def _layer(expr: str, source: Any, weights: Any) -> Layer:
    from ldjcheck.targets.data import with_weights

    obj, name = build(evaluate(expr, source), expr, source)
    layer = Layer(target=name, name=name, obj=obj, written=expr)
    return layer if weights is None else with_weights(layer, weights)
