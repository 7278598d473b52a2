"""Edits that let derivatives pass where something cuts them off."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.mistakes.rewriting.wording import argument_of, kept_in_place
from ldjcheck.revision import call_name
from ldjcheck.revision.text import Replacement, span_of

_CUTTING = ("detach", "detach_", "item")


def uncut(site: Site) -> Iterator[Change]:
    """Yield the statement without one `detach`, `.data`, `.item()` or `no_grad`."""
    for node in site.expressions:
        if isinstance(node, ast.Call) and call_name(node) in _CUTTING:
            inner = argument_of(site, node)
            if inner is not None:
                yield site.put(node, kept_in_place(site, node, inner), 0.0)
        elif isinstance(node, ast.Call) and call_name(node) == "grad" and node.args:
            if all(k.arg != "create_graph" for k in node.keywords):
                text = site.text(node)[:-1].rstrip().rstrip(",")
                yield site.put(node, f"{text}, create_graph=True)", 0.0)
        elif isinstance(node, ast.Attribute) and node.attr == "data":
            yield site.put(node, kept_in_place(site, node, node.value), 0.0)
    around = site.parent(site.statement)
    if isinstance(around, ast.With) and _cuts(site, around):
        without = _dedented(site, around)
        if without is not None:
            yield Change(0.1, (without,))


def _cuts(site: Site, block: ast.With) -> bool:
    return len(block.items) == 1 and call_name(block.items[0].context_expr) in (
        "no_grad", "inference_mode", "set_grad_enabled",
    )  # fmt: skip


def _dedented(site: Site, block: ast.With) -> Replacement | None:
    """Return the replacement that leaves of a block what stands in it."""
    line, column, end_line, end_column = span_of(block)
    first = block.body[0]
    if first.lineno != line + 1:
        return None
    deeper = first.col_offset - column
    rows = list(site.source.lines[line : end_line - 1])
    rows.append(site.source.lines[end_line - 1][:end_column])
    bare = [row[deeper:] if not row[:deeper].strip() else row for row in rows]
    text = b"".join(bare).decode()[column:]
    return Replacement(site.source.file, line, column, end_line, end_column, text)
