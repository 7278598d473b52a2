"""Help pages whose options stand under headings."""

from __future__ import annotations

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
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None and isinstance(option, click.Option):
                heading = getattr(option, "section", "Also")
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                _write(records, formatter)


def _write(records: list[tuple[str, str]], formatter: click.HelpFormatter) -> None:
    """Write the records in columns that are equal under all headings."""
    names = [f"{name:{_WIDEST_OPTION}}" for name, _ in records]
    texts = [text for _, text in records]
    formatter.write_dl(list(zip(names, texts, strict=True)), col_max=_WIDEST_OPTION)
