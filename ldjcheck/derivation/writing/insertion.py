"""Where the terms go: statements beside the steps that they belong to, in every function."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ldjcheck.derivation.calculus.formulas import moment_of
from ldjcheck.derivation.writing.scope import Scope
from ldjcheck.derivation.writing.spelling import Spelled, UnspeakableError, spell
from ldjcheck.derivation.writing.wording import derivative_of, said_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ldjcheck.derivation.calculus.formulas import Formulas
    from ldjcheck.derivation.calculus.terms import Term
    from ldjcheck.derivation.reading.execution import Execution, Moment, Recorded
    from ldjcheck.derivation.reading.homes import Home
    from ldjcheck.revision import Replacement, SourceText
    from ldjcheck.tape import Node

Side = Literal["before", "after"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Line:
    """A derived statement: which terms stand on which side of which statement."""

    home: Home
    statement: ast.stmt
    side: Side
    parts: tuple[Spelled, ...]
    whys: tuple[str, ...]  # one for each part
    renamed: Replacement | None = None  # of what a sublayer's ldj is assigned to


def line_for(
    call: Recorded, formulas: Formulas, home: Home, statement: ast.stmt,
    terms: Sequence[Term],
) -> Line:  # fmt: skip
    """Return the statement that carries the terms of one statement of the map.

    It stands behind that statement where all that it needs still has its name, as people
    write it, and before it where that overwrites what the term is taken at.

    Raises:
        UnspeakableError: on neither side everything has a name.
    """
    source = call.sources.text(home.execution.file)
    assert source is not None
    modules = modules_of(source)
    found: list[tuple[float, Line]] = []
    failed: UnspeakableError | None = None
    for side, moment in _moments(home.execution, statement, terms[-1].end):
        scope = Scope(home.execution, moment, call)
        try:
            parts = spell(formulas, terms, scope, modules, call.form)
        except UnspeakableError as error:
            failed = failed or error
            continue
        parts = [
            replace(
                part, derivative=derivative_of(formulas, part.terms, scope, modules)
            )
            for part in parts
        ]
        cost = sum(part.cost for part in parts) + (side == "before") * 0.5
        line = Line(
            home=home,
            statement=statement,
            side=side,
            parts=tuple(parts),
            whys=tuple(
                said_of(formulas, part.terms, scope, modules, statement.lineno)
                for part in parts
            ),
        )
        found.append((cost, line))
    if not found:
        raise failed or UnspeakableError("there is no line for it")
    return min(found, key=lambda item: item[0])[1]


def _moments(
    execution: Execution, statement: ast.stmt, node: Node
) -> list[tuple[Side, Moment]]:
    """Return the moments just before and just behind a statement, when it made a value."""
    inside = moment_of(execution, node)
    if inside is None:
        return []
    moments = execution.moments
    at = moments.index(inside)
    last = statement.end_lineno or statement.lineno

    def is_within(index: int) -> bool:
        return statement.lineno <= moments[index].line <= last

    first, behind = at, at + 1
    while first > 0 and is_within(first - 1):
        first -= 1
    while behind < len(moments) and is_within(behind):
        behind += 1
    found: list[tuple[Side, Moment]] = []
    if behind < len(moments) and not isinstance(statement, ast.Return):
        found.append(("after", moments[behind]))
    if is_within(first):
        found.append(("before", moments[first]))
    return found


def modules_of(source: SourceText) -> Mapping[str, str]:
    """Return what a file calls torch, its `functional`, and what has log for numbers."""
    known = {"torch": "torch", "functional": "torch.nn.functional"}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "torch":
                    known["torch"] = alias.asname or "torch"
                elif alias.name == "torch.nn.functional" and alias.asname:
                    known["functional"] = alias.asname
                elif alias.name == "math":
                    known["math"] = alias.asname or "math"
                elif alias.name == "numpy":
                    known.setdefault("numpy", alias.asname or "numpy")
        elif isinstance(node, ast.ImportFrom) and node.module == "torch.nn":
            for alias in node.names:
                if alias.name == "functional":
                    known["functional"] = alias.asname or "functional"
    if "math" not in known and "numpy" in known:
        known["math"] = known["numpy"]
    return known
