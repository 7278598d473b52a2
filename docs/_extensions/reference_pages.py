"""Writes the pages of reference that follow from the code: every option, every JSON key.

An extension of Sphinx: it runs before every build. What it writes is not kept in the
repository.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistake_pages import prose

from ldjcheck.conventions import CONVENTIONS
from ldjcheck.options.table import TYPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

    from ldjcheck.options.table import Option

_SCHEMA = Path(__file__).parents[1] / "result.schema.json"


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the pages written before Sphinx looks for its sources."""
    app.connect("builder-inited", lambda app: write_pages(app.srcdir / "reference"))
    return {"parallel_read_safe": True}


def write_pages(folder: Path) -> None:
    """Write every page; old ones are replaced."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    pages = {
        "options": options(),
        "json-keys": json_keys(),
        "conventions": conventions(),
    }
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


# --- options --------------------------------------------------------------------------


def options() -> str:
    """Return every option of `ldjcheck check`, by the sections of its help page."""
    blocks = [
        "# Options",
        "What `ldjcheck check` takes. An option has the same name in "
        "[`pyproject.toml`](../configuration.md), without its dashes; what concerns the "
        "check itself is a keyword of [`ldjcheck.check`](../python.md) as well, with "
        "underscores. This page is written from the code.",
    ]
    for section, options in groupby(TYPED, lambda option: option.section):
        blocks.append(f"## {section}")
        for option in options:
            blocks += _option(option)
    return "\n\n".join(blocks) + "\n"


def _option(option: Option) -> Iterator[str]:
    yield f"(option-{option.typed})=\n### `--{option.typed}`"
    yield prose(option.help)
    rows = []
    takes = _takes(option)
    if takes:
        rows.append(f"takes\n: {takes}")
    if isinstance(option.usual, (str, int, float)) and option.takes != "flag":
        rows.append(f"by default\n: `{option.usual}`")
    if option.repeats:
        rows.append("more than one\n: it can be given again and again")
    if not option.of_command:
        rows.append(f"in Python\n: `{option.name}=`")
    yield from rows


def _takes(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{each}`" for each in option.choices)
    return f"`{option.metavar}`" if option.metavar else ""


# --- JSON -------------------------------------------------------------------------------


def json_keys() -> str:
    """Return every key of the JSON document, object by object."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    blocks = [
        "# JSON keys",
        f"{prose(schema['description'])} This page is written from "
        "[the schema](../json.md).",
        "## The document",
        _keys(schema),
    ]
    for name, each in schema["$defs"].items():
        if each.get("type") == "object":
            blocks += [
                f"(json-{name})=\n## {name}",
                prose(each["description"]),
                _keys(each),
            ]
    return "\n\n".join(blocks) + "\n"


def _keys(described: dict[str, Any]) -> str:
    defs = json.loads(_SCHEMA.read_text(encoding="utf-8"))["$defs"]
    rows = []
    for key, each in described["properties"].items():
        target = each.get("$ref", "").removeprefix("#/$defs/")
        text = each.get("description") or defs.get(target, {}).get("description", "")
        rows.append(f"`{key}`\n: {prose(text)}{_link(each)}")
    return "\n\n".join(rows)


def _link(described: dict[str, Any]) -> str:
    """Return a link to the object that a key holds, or holds several of."""
    text = json.dumps(described)
    for name in ("result", "check", "finding", "fix", "edit", "law", "location"):
        if f'"#/$defs/{name}"' in text:
            return f" See [{name}](#json-{name})."
    return ""


# --- conventions ------------------------------------------------------------------------


def conventions() -> str:
    """Return every convention that is recognised, in the order of trying."""
    blocks = [
        "# Conventions",
        "How a layer can be called without saying so. They are tried in this order, and "
        "the one that was chosen is always reported; `--convention NAME` asks for one. "
        "How to write down another is [a page of its own](../own-convention.md).",
    ]
    blocks += [f"`{each.name}`\n: {prose(each.summary)}" for each in CONVENTIONS]
    return "\n\n".join(blocks) + "\n"
