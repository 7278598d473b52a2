"""Writes one page of the documentation for each mistake, from what `explain` prints.

An extension of Sphinx: it runs before every build. What it writes is not kept in the
repository.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ldjcheck.mistakes import RULES, Rule, rule_for, sections

if TYPE_CHECKING:
    from pathlib import Path

    from sphinx.application import Sphinx

_LANGUAGES = {"maths": "text", "python": "python", "console": "console"}


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the pages written before Sphinx looks for its sources."""
    app.connect("builder-inited", lambda app: write_pages(app.srcdir / "mistakes"))
    return {"parallel_read_safe": True}


def write_pages(folder: Path) -> None:
    """Write a page for every rule and one that lists them; old ones are replaced."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    for rule in RULES:
        (folder / f"{rule.name}.md").write_text(page_of(rule), encoding="utf-8")
    (folder / "index.md").write_text(index(), encoding="utf-8")


def page_of(rule: Rule) -> str:
    """Return the page of a rule in Markdown."""
    blocks = [
        f"# {rule.code} {rule.name}",
        f"*{rule.severity} · {rule.topic}*",
        prose(rule.page.what),
    ]
    for section in sections(rule.page):
        language = _LANGUAGES.get(section.kind)
        fenced = f"```{language}\n{section.body}\n```"
        blocks += [f"## {section.heading}", fenced if language else prose(section.body)]
    links = [f"- {_link(code)}: {prose(text)}" for code, text in rule.page.confused]
    blocks += ["## Easily confused with", "\n".join(links)]
    return "\n\n".join(blocks) + "\n"


def index() -> str:
    """Return the list of all mistakes, by what they are about."""
    blocks = ["# Mistakes", "What `ldjcheck explain` prints, a page for each mistake."]
    for topic in dict.fromkeys(rule.topic for rule in RULES):
        rows = [
            f"| {_link(rule.code)} | {prose(rule.summary)} |"
            for rule in RULES
            if rule.topic == topic
        ]
        blocks += [f"## {topic.capitalize()}", "\n".join(["| | |", "|---|---|", *rows])]
    names = "\n".join(rule.name for rule in RULES)
    blocks.append(f"```{{toctree}}\n:hidden:\n\n{names}\n```")
    return "\n\n".join(blocks) + "\n"


def prose(text: str) -> str:
    """Return a text in which only backticks mean something to Markdown."""
    parts = re.split("(`[^`]+`)", text)
    plain = [re.sub(r"([\\*_<>\[\]|#$~])", r"\\\1", part) for part in parts[::2]]
    parts[::2] = plain
    return "".join(parts)


def _link(code: str) -> str:
    rule = rule_for(code)
    assert rule is not None
    return f"[{rule.code} {rule.name}]({rule.name}.md)"
