"""The options of `ldjcheck check`, in the order of its help page.

An option that concerns the check has the name and the default of a field of `Options`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from ldjcheck.cli import param_types as types
from ldjcheck.options.table import TYPED, Option, Takes

_WIDEST_OPTION = 27


class SectionedOption(click.Option):
    """An option that stands under a heading of the help page."""

    def __init__(self, *names: str, section: str, **settings: Any) -> None:
        super().__init__(names, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help page puts options under their headings, in their order."""

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write every option under its heading."""
        write_sections(self.get_params(ctx), ctx, formatter)


def write_sections(
    parameters: Iterable[click.Parameter],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    """Write the options among `parameters`, in columns equal under all headings."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, click.Option):
            heading = getattr(parameter, "section", "Also")
            names, text = record
            entry = (f"{names:{_WIDEST_OPTION}}", text)
            sections.setdefault(heading, []).append(entry)
    for heading, entries in sections.items():
        with formatter.section(heading):
            formatter.write_dl(entries, col_max=_WIDEST_OPTION)


_READERS: dict[Takes, types.Text] = {
    "shape": types.SHAPE,
    "domain": types.DOMAIN,
    "context": types.CONTEXT,
    "data": types.DATA,
    "kwarg": types.KWARG,
    "convention": types.CONVENTION,
    "device": types.DEVICE,
    "code": types.CODES,
    "ignorable": types.IGNORABLE,
    "format": types.FORMAT,
    "picture": types.PICTURE,
    "number": types.POSITIVE,
    "tolerance": types.TOLERANCE,
    "seconds": types.POSITIVE,
}
_SHOWN = ("word", "count", "number", "seconds")  # with what they are by default


def _option(option: Option) -> SectionedOption:
    """Return an option of the table as click takes it."""
    settings: dict[str, Any] = {"section": option.section, "help": option.help}
    if option.takes == "flag":
        settings["is_flag"] = True
    else:
        settings |= {"metavar": option.metavar, "multiple": option.repeats}
        settings["type"] = _type(option)
        if option.usual not in (None, ()):
            settings["default"] = option.usual
            settings["show_default"] = option.takes in _SHOWN and option.shows_default
    names = [option.short] if option.short else []
    return SectionedOption(*names, f"--{option.typed}", **settings)


def _type(option: Option) -> click.ParamType[Any]:
    if option.takes == "word":
        return click.Choice(option.choices)
    if option.takes == "count":
        return click.IntRange(min=option.least, max=option.most)
    return _READERS[option.takes]


CHECK_OPTIONS = tuple(map(_option, TYPED))
