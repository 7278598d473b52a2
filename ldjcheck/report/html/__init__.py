"""The report as one HTML file: no network, no scripts, readable by any browser.

Everything that comes from a layer is escaped by the template, and the page forbids itself
to load or run anything. Which sample is shown is chosen by radio buttons and style alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck import __version__
from ldjcheck.report.summary import summary

if TYPE_CHECKING:
    from ldjcheck.records import Run
    from ldjcheck.report.style import Style


def render(run: Run, style: Style) -> str:
    """Return the page. It looks the same in every style of the terminal."""
    from ldjcheck.report.html.templates import source_of, template
    from ldjcheck.report.html.views import view_of

    return template("page.html.jinja").render(
        css=source_of("page.css"),
        layers=[view_of(result, number) for number, result in enumerate(run.results)],
        run=run,
        summary=summary(run),
        version=__version__,
    )
