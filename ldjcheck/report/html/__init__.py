"""The report as one HTML file: no network, no scripts, readable by any browser.

Everything that comes from a layer is escaped by the template, and the page forbids itself
to load or run anything. Which sample is shown is chosen by radio buttons and style alone.
"""

import click

from ldjcheck import __version__
from ldjcheck.records import Run
from ldjcheck.report import text
from ldjcheck.report.blocks.title import summary
from ldjcheck.report.style import Style


def render(run: Run, style: Style) -> str:
    """Return the page. It looks the same in every style of the terminal."""
    from ldjcheck.report.html.views import source_of, template, view_of

    page = template("page.html.jinja").render(
        css=source_of("page.css"),
        layers=[view_of(result, number) for number, result in enumerate(run.results)],
        run=run,
        summary=summary(run),
        version=__version__,
    )
    kept = (c for c in click.unstyle(page) if c.isprintable() or c in "\t\n")
    return "".join(kept)  # a message may hold anything


def fragment(run: Run) -> str:
    """Return the run as one `<div>` for notebooks, readable in any theme.

    What is wrong, where, the fix and the ledger are seen without a click. Text keeps the
    colour that the page gives it, so that it is readable on white and on black.
    """
    from ldjcheck.report.html.views import template, view_of

    whole = text.render(run, Style(color=False, verbosity=1)).rstrip("\n")
    views = [view_of(r, n, pictures=False) for n, r in enumerate(run.results)]
    drawn = template("notebook.html.jinja").render(layers=views, text=whole)
    lines = (line.strip() for line in drawn.partition("<details>")[0].splitlines())
    kept = "\n".join(line for line in lines if line)
    return f"{kept}\n<details>{drawn.partition('<details>')[2].strip()}"
