"""The templates of pages: whatever is put into one is escaped."""

from __future__ import annotations

import re
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup, escape


def template(name: str) -> Template:
    """Return a template by the name of its file."""
    environment = Environment(
        loader=FunctionLoader(source_of),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["spoken"] = spoken
    return environment.get_template(name)


def source_of(name: str) -> str:
    """Return the text of a file that stands beside this module."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def spoken(text: str) -> Markup:
    """Return a sentence, escaped, with what stands between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))
