"""Help pages whose options stand under headings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

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
