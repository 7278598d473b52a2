"""Tables of what was rewritten, for the terminal and for `docs/rewrites.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from .kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .judging import Row

HEAD = """# One verdict, however it is written

Each layer of the zoo, of the pages and of the examples, rewritten so that it does what it
did: `PYTHONPATH=tests python -m rewrites --write` printed this page. Status, code and line
should stay. `open` is LDJ405, which shows that a name is all that tells; `dropped` is what
turned out to be another function, or could not be told to be the same.

{tables}
"""


def page_of(rows: Sequence[Row]) -> str:
    """Return the page about these rows."""
    return HEAD.format(tables=summary(rows, "github"))


def summary(rows: Sequence[Row], style: str = "simple") -> str:
    """Return a table by kinds, and what changed, one by one."""
    states = ("same", "changed", "open", "dropped")
    lines: list[list[object]] = []
    for kind in KINDS:
        own = [row.state for row in rows if row.kind == kind]
        counts = [own.count(state) for state in states]
        lines.append([kind, sum(counts[:3]), *counts])
    lines.append(["all", *(sum(c) for c in zip(*(r[1:] for r in lines), strict=True))])
    table = tabulate(lines, headers=["rewrite", "done", *states], tablefmt=style)
    changed = [f"- {row}" for row in rows if row.state in ("changed", "open")]
    return "\n\n".join([table, "\n".join(changed)]).strip()
