"""A report as a piece of HTML for notebooks: no scripts, nothing loaded, any theme.

What is wrong, where, the fix and the ledger are seen without a click. Text keeps the
colour that the page gives it, so that it is readable on white and on black.
"""

from __future__ import annotations

from ldjcheck.records import Run
from ldjcheck.report import text
from ldjcheck.report.style import Style


def fragment(run: Run) -> str:
    """Return the run as one `<div>`: verdict, line, fix, ledger, numbers, full report."""
    from ldjcheck.report.html.templates import template
    from ldjcheck.report.html.views import view_of

    whole = text.render(run, Style(color=False, verbosity=1)).rstrip("\n")
    views = [view_of(r, n, pictures=False) for n, r in enumerate(run.results)]
    drawn = template("notebook.html.jinja").render(layers=views, text=whole)
    lines = (line.strip() for line in drawn.partition("<details>")[0].splitlines())
    kept = "\n".join(line for line in lines if line)
    return f"{kept}\n<details>{drawn.partition('<details>')[2].strip()}"
