"""The report as one HTML file: no network, no scripts, readable by any browser.

Everything that comes from a layer is escaped by the template, and the page forbids itself
to load or run anything. Which sample is shown is chosen by radio buttons and style alone.
"""

from __future__ import annotations

import click

from ldjcheck import __version__
from ldjcheck.records import Run
from ldjcheck.report.blocks.mistakes import summary
from ldjcheck.report.style import Style


def render(run: Run, style: Style) -> str:
    """Return the page. It looks the same in every style of the terminal."""
    from ldjcheck.report.html.templates import source_of, template
    from ldjcheck.report.html.views import view_of

    page = template("page.html.jinja").render(
        css=source_of("page.css"),
        layers=[view_of(result, number) for number, result in enumerate(run.results)],
        run=run,
        summary=summary(run),
        version=__version__,
    )
    lines = click.unstyle(page).splitlines()  # a message may hold anything
    return "\n".join(_printable(line) for line in lines) + "\n"


def _printable(line: str) -> str:
    return "".join(char for char in line if char.isprintable() or char == "\t")
