"""Mistakes: for each site of the ldj slice, the edits that plant exactly one.

An edit is proposed here and judged elsewhere: it is run, and kept only when the ldj
changed and the map did not. A slip is planted where an expression is written, never
where a finished ldj is only handed on, as in `return y, ldj`: all such places look
alike in the numbers.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .chain import Place, lines_of, same_terms_chain
from .sites import at_mark, at_product
from .statements import at_root, map_steps_beside, writes_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .edits import Edit
    from .slices import Mark, Slice
    from .source import Function

MISTAKES: tuple[str, ...] = (
    "drop-factor",
    "drop-term",
    "drop-axis",
    "drop-log",
    "drop-abs",
    "flip-sign",
    "mean-for-sum",
    "log-base",
    "twice",
    "evaluate-elsewhere",
    "batch-in-count",
    "batch-in-sum",
    "inside-a-term",
)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One edit of one function, not yet tried.

    `dropped` holds the dropped factors: their value, when the right layer runs, tells a
    count from a mask from a number. `count` is a sum that stands as a factor and may be
    a count or a mask, as `d - 1` or `1 - mask`. `region` is true where the edited
    statement writes only part of the ldj's entries.
    """

    function: Function
    mistake: str
    edits: tuple[Edit, ...]
    statement: ast.stmt
    lines: frozenset[Place]
    chain: frozenset[Place]
    dropped: tuple[ast.expr, ...] = ()
    divides: bool = False
    count: ast.expr | None = None
    region: bool = False
    in_log: bool = False


def propose(found: Slice) -> tuple[Proposal, ...]:
    """Return every edit of every kind at every site, in source order."""
    proposals: list[Proposal] = []
    for mark in found.marks.values():
        for mistake, edits, term, more in at_mark(mark):
            proposals.append(_proposal(found, mark, mistake, edits, term, more))
    for mark in found.products.values():
        for mistake, edits, term, more in at_product(mark):
            proposals.append(_proposal(found, mark, mistake, edits, term, more))
    for mark in _roots(found):
        for mistake, edits, term, more in at_root(found, mark):
            proposals.append(_proposal(found, mark, mistake, edits, term, more))
    unique: dict[tuple[str, str, tuple[Edit, ...]], Proposal] = {}
    for proposal in proposals:
        key = (proposal.function.file.path, proposal.mistake, proposal.edits)
        unique.setdefault(key, proposal)
    return tuple(unique[key] for key in sorted(unique))


def _proposal(
    found: Slice,
    mark: Mark,
    mistake: str,
    edits: tuple[Edit, ...],
    term: ast.expr,
    more: dict[str, object],
) -> Proposal:
    function, statement = mark.function, mark.statement
    lines = lines_of(function, statement)
    chain = same_terms_chain(found, function, statement, term) | lines
    if more.pop("statement_lost", False):
        lines |= map_steps_beside(found, function, statement)
    return Proposal(
        function=function,
        mistake=mistake,
        edits=edits,
        statement=statement,
        lines=frozenset(lines),
        chain=frozenset(chain | lines),
        region=writes_part(statement),
        **more,  # type: ignore[arg-type]
    )


def _roots(found: Slice) -> Iterator[Mark]:
    """Yield the marks that are a statement's whole value, or its whole ldj part."""
    for mark in found.marks.values():
        value = getattr(mark.statement, "value", None)
        parent = mark.function.file.parents[mark.node]
        if value is mark.node or (isinstance(parent, ast.Tuple) and value is parent):
            yield mark
