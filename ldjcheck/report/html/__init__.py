"""The report as one HTML file: no network, no scripts, readable by any browser.

Everything that comes from a layer is escaped by the template, and the page forbids itself
to load or run anything. Which sample is shown is chosen by radio buttons and style alone.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from ldjcheck import __version__
from ldjcheck.report.summary import summary

if TYPE_CHECKING:
    from markupsafe import Markup

    from ldjcheck.records import Run
    from ldjcheck.report.style import Style


def render(run: Run, style: Style) -> str:
    """Return the page. It looks the same in every style of the terminal."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    from ldjcheck.report.html.views import view_of

    here = files(__package__)
    templates = {
        name: (here / name).read_text(encoding="utf-8")
        for name in ("page.html.jinja", "parts.html.jinja", "page.css")
    }
    environment = Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["spoken"] = _spoken
    page = environment.get_template("page.html.jinja")
    return page.render(
        css=templates["page.css"],
        layers=[view_of(result, number) for number, result in enumerate(run.results)],
        run=run,
        summary=summary(run),
        version=__version__,
    )


def _spoken(text: str) -> Markup:
    """Return a sentence, escaped, with what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))
