"""Edits by which a function sums over all axes of an event, however many there are."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ldjcheck.revision import Replacement, call_name, is_disjoint
from ldjcheck.revision.text import edited_functions, replaced, span_of, text_with

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ldjcheck.revision import SourceText

_SUMS = ("sum", "mean")
_AXES = ("1", "-1", "[1]", "(1,)", "[-1]", "(-1,)")
_FLAT, _ALL = ".flatten(1)", "[0].numel()"


def over_all_axes(
    source: SourceText, changes: Sequence[Replacement], lines: Iterable[int]
) -> tuple[Replacement, ...]:
    """Return edits of a file with which its functions take any rank.

    Those are the functions that are edited, and those of some further `lines`. What sums
    over one axis sums over all, and what counts the entries of one counts all.
    """
    there = (Replacement(source.file, line, 0, line, 0, "") for line in lines)
    found = []
    for function in edited_functions(source, (*changes, *there)):
        text = text_with(source, function, changes)
        found.append(source.put(function, _widened(text) or text))
    within = [
        sum(c.line in range(p.line, p.end_line + 1) for p in found) for c in changes
    ]
    return tuple(found) if is_disjoint(found) and all(within) else tuple(changes)


def _widened(text: str) -> str | None:
    """Return a function's text with sums over all axes; None where it has them already."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    puts = [put for node in ast.walk(tree) for put in _puts(node)]
    lines = text.encode().splitlines(keepends=True)
    return replaced(lines, puts).decode() if puts else None


def _puts(node: ast.AST) -> Iterator[Replacement]:
    """Yield what makes one sum, or one count, that of all axes."""
    name = call_name(node)
    if isinstance(node, ast.Call) and name in (*_SUMS, "size"):
        axes = [ast.unparse(each) for each in (*node.args, *_values(node))]
        if (
            not isinstance(node.func, ast.Attribute)
            or not axes
            or axes[-1] not in _AXES
        ):
            return
        if name == "size" and len(axes) == 1:
            yield Replacement("", *_dot(node.func), *span_of(node)[2:], _ALL)
        elif len(axes) == 1 and call_name(node.func.value) != "flatten":
            yield Replacement("", *_dot(node.func), *_dot(node.func), _FLAT)
        elif len(axes) == 1:
            yield from _once_more(node)
        elif len(axes) == 2 and node.args:  # torch.sum(inner, axis)
            start, end = span_of(node.args[0])[:2], span_of(node.args[0])[2:]
            yield Replacement("", *start, *start, "(")
            yield Replacement("", *end, *end, f"){_FLAT}")
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "shape"
        and ast.unparse(node.slice) in _AXES
    ):
        yield Replacement("", *_dot(node.value), *span_of(node)[2:], _ALL)


def _once_more(node: ast.Call) -> Iterator[Replacement]:
    """Yield what takes a sum over the rest away, behind one that is over all axes then."""
    assert isinstance(node.func, ast.Attribute)
    flat = node.func.value
    if isinstance(flat, ast.Call) and isinstance(flat.func, ast.Attribute):
        inner = flat.func.value
        if any(True for _ in _puts(inner)):
            yield Replacement("", *span_of(inner)[2:], *span_of(node)[2:], "")


def _values(node: ast.Call) -> list[ast.expr]:
    return [keyword.value for keyword in node.keywords]


def _dot(node: ast.Attribute) -> tuple[int, int]:
    """Return where the dot of an attribute stands."""
    _, _, line, column = span_of(node)
    return line, column - len(node.attr) - 1
