"""The mistakes: all that is known about each, one file or folder each.

Adding one is one file with a `RULE`: this folder is the register, and codes are the order.
"""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from pkgutil import iter_modules

from ldjcheck.mistakes.catalogue import Rule, sections, shown_by

__all__ = ["ROOMS", "RULES", "Rule", "rule_for", "sections", "shown_by"]

ROOMS = frozenset(
    {"catalogue", "diagnosis", "engine", "mending", "naming", "rewriting"}
)
"""What is here beside the mistakes, and serves all of them."""

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            import_module(f"{__name__}.{module.name}").RULE
            for module in iter_modules(__path__)
            if module.name not in ROOMS
        ),
        key=attrgetter("code"),
    )
)
"""All mistakes, by the order of their codes. The folder is the register."""


def rule_for(code_or_name: str) -> Rule | None:
    """Return the rule of this code or name, or None."""
    wanted = code_or_name.strip()
    return next(
        (r for r in RULES if wanted.upper() == r.code or wanted.lower() == r.name), None
    )
