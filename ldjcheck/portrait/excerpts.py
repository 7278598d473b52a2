"""The functions of the user's source that a ledger and its findings speak of."""

from __future__ import annotations

import ast
import linecache
import os
from collections.abc import Iterator, Sequence

from ldjcheck.cells import cell_file
from ldjcheck.records import Result
from ldjcheck.records.portrait import Excerpt
from ldjcheck.revision import first_line

_MOST = 200  # lines of one function; of a longer one, those around what is spoken of
_AROUND = 8


def excerpts_of(result: Result) -> tuple[Excerpt, ...]:
    """Return the functions that hold the lines of a result, in the order of the ledger."""
    wanted: dict[tuple[str, int | None], list[int]] = {}
    for line in result.ledger:
        wanted.setdefault((line.file, line.cell), []).append(line.line)
    for finding in result.findings:
        place = finding.location
        if place is not None:
            wanted.setdefault((place.file, place.cell), []).append(place.line)
    return tuple(
        Excerpt(file=file, cell=cell, start=first, lines=tuple(lines[first - 1 : last]))
        for (file, cell), numbers in wanted.items()
        if (lines := _lines(file, cell))
        for first, last in _spans(lines, numbers)
    )


def _lines(file: str, cell: int | None) -> list[str]:
    names = [file, os.path.abspath(file)]
    for name in names if cell is None else [cell_file(each, cell) for each in names]:
        lines = linecache.getlines(name)
        if lines:
            return [line.rstrip("\n") for line in lines]
    return []


def _spans(lines: Sequence[str], numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last line of each function that holds one of the lines."""
    functions = _functions("\n".join(lines) + "\n")
    spans = set()
    for number in numbers:
        around = [span for span in functions if span[0] <= number <= span[1]]
        first, last = max(around) if around else (number, number)
        if last - first > _MOST:
            first, last = max(first, number - _AROUND), min(last, number + _AROUND)
        spans.add((first, min(last, len(lines))))
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    yield from (span for span in merged if span[0] <= len(lines))


def _functions(source: str) -> list[tuple[int, int]]:
    """Return where functions begin and end; none where the source is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a cell with magics, a null byte
        return []
    return [
        (first_line(node), node.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
    ]
