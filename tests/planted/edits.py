"""Textual edits that never move a line: spans of the file, replaced in place."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .source import SourceFile


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the bytes from (line, column) to (last_line, last_column) by `text`.

    Lines count from 1, columns are byte offsets, as in `ast`.
    """

    line: int
    column: int
    last_line: int
    last_column: int
    text: str


def apply_edits(file: SourceFile, edits: tuple[Edit, ...]) -> bytes:
    """Return the whole edited file, with as many lines as before."""
    lines = [bytearray(line) for line in file.lines]
    for edit in sorted(edits, reverse=True):
        first, last = edit.line - 1, edit.last_line - 1
        head = lines[first][: edit.column]
        tail = lines[last][edit.last_column :]
        rows = (bytes(head) + edit.text.encode() + bytes(tail)).splitlines(True)
        if len(rows) != last - first + 1:
            raise ValueError("an edit moved lines")
        lines[first : last + 1] = [bytearray(row) for row in rows]
    return b"".join(bytes(line) for line in lines)


def replace(
    file: SourceFile,
    node: ast.expr,
    before: str,
    kept: ast.expr | None,
    after: str = "",
) -> Edit:
    """Return the edit that puts `before + kept + after` in the place of `node`.

    `kept` is a part of `node` and stays on its own lines: what is lost above and below
    it becomes empty lines inside parentheses.
    """
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    if kept is None:
        padding = "\n" * (node.end_lineno - node.lineno)
        text = f"({before}{padding})" if padding else f"({before})"
    else:
        assert kept.end_lineno is not None
        above = "\n" * (kept.lineno - node.lineno)
        below = "\n" * (node.end_lineno - kept.end_lineno)
        text = f"({above}{before}({file.text(kept)}){after}{below})"
    return Edit(
        node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, text
    )


def drop_statement(statement: ast.stmt) -> Edit:
    """Return the edit that leaves `pass` in the place of a statement."""
    assert statement.end_lineno is not None
    assert statement.end_col_offset is not None
    padding = "\n" * (statement.end_lineno - statement.lineno)
    return Edit(
        statement.lineno,
        statement.col_offset,
        statement.end_lineno,
        statement.end_col_offset,
        "pass" + padding,
    )


def swap_operator(file: SourceFile, node: ast.BinOp) -> Edit | None:
    """Return the edit that turns the `+` of a sum into `-`, or the other way round."""
    return _swap(
        file,
        (node.left.end_lineno or 0, node.left.end_col_offset or 0),
        (node.right.lineno, node.right.col_offset),
    )


def swap_accumulation(file: SourceFile, node: ast.AugAssign) -> Edit | None:
    """Return the edit that turns `+=` into `-=`, or the other way round."""
    return _swap(
        file,
        (node.target.end_lineno or 0, node.target.end_col_offset or 0),
        (node.value.lineno, node.value.col_offset),
    )


def swap_sign(file: SourceFile, node: ast.UnaryOp) -> Edit:
    """Return the edit that turns a leading `-` into `+`."""
    line, column = node.lineno, node.col_offset
    return Edit(line, column, line, column + 1, "+")


def rename_called(node: ast.Call, old: str, new: str) -> Edit | None:
    """Return the edit that calls `new` where `old` was called."""
    function = node.func
    line, end = function.end_lineno or 0, function.end_col_offset or 0
    if isinstance(function, ast.Attribute) and function.attr == old:
        return Edit(line, end - len(old.encode()), line, end, new)
    return None


def _swap(
    file: SourceFile, start: tuple[int, int], end: tuple[int, int]
) -> Edit | None:
    found = []
    for line in range(start[0], end[0] + 1):
        row = file.lines[line - 1]
        first = start[1] if line == start[0] else 0
        last = end[1] if line == end[0] else len(row)
        text = row[first:last].split(b"#")[0]
        found += [
            (line, first + i, c) for i, c in enumerate(text.decode()) if c in "+-"
        ]
    if len(found) != 1:
        return None
    line, column, sign = found[0]
    return Edit(line, column, line, column + 1, "-" if sign == "+" else "+")
