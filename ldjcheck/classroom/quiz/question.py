"""One question: a layer as a file has it, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from ldjcheck.api import check
from ldjcheck.classroom.animal import load
from ldjcheck.mistakes import rule_for
from ldjcheck.records import Shape

if TYPE_CHECKING:
    from ldjcheck.report import Report

NAME = "Layer"
FILE = "layer.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A layer, right or wrong.

    `code` is the mistake that is in it, or, of a right layer, the one that it looks like;
    `right` is its text without the mistake, `lines` those that the mistake stands in.
    """

    text: str
    right: str
    is_wrong: bool
    code: str
    shape: Shape
    options: tuple[tuple[str, Any], ...] = ()
    message: str = ""
    lines: frozenset[int] = frozenset()
    functions: tuple[str, ...] = ()
    signature: str = ""
    sample: tuple[str, float, float] | None = None  # direction, exact, reported

    @property
    def name(self) -> str:
        """The name of the mistake."""
        rule = rule_for(self.code)
        return self.code if rule is None else rule.name

    @property
    def edits(self) -> tuple[tuple[str, str], ...]:
        """What makes it right: signs and lines, as a diff has them."""
        before, after = self.text.splitlines(), self.right.splitlines()
        rows: list[tuple[str, str]] = []
        matcher = SequenceMatcher(None, before, after, autojunk=False)
        for tag, a, b, c, d in matcher.get_opcodes():
            if tag != "equal":
                rows += [("-", line) for line in before[a:b]]
                rows += [("+", line) for line in after[c:d]]
        return tuple(rows)


def differing(text: str, right: str) -> frozenset[int]:
    """Return the lines of a text that another does not have so."""
    before, after = text.splitlines(), right.splitlines()
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    lines: set[int] = set()
    for tag, a, b, _, _ in matcher.get_opcodes():
        if tag != "equal":  # what is only missing is missing between two lines
            lines |= set(range(a + 1, b + 1)) or {a, a + 1}
    return frozenset(lines)


def examine(text: str, shape: Shape, options: tuple[tuple[str, Any], ...]) -> Report:
    """Return the check of a layer that a text holds, its first weights always the same."""
    import torch

    torch.manual_seed(0)
    layer = load(text, NAME, FILE)()
    return check(layer, shape=shape, **dict(options))
