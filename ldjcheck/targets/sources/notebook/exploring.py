"""What of a notebook or script is run when none of its layers is named."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

from ldjcheck.targets.sources.definitions import own_names
from ldjcheck.targets.sources.notebook.names import Names, names_in
from ldjcheck.targets.sources.notebook.slicing import Notebook, Part, Slice, slice_for
from ldjcheck.targets.sources.source import Grounds, Source


def grounds_of(
    notebook: Notebook, run: Callable[[Slice], tuple[Source, list[tuple[Part, str]]]]
) -> Grounds:
    """Return the source after running all that may be a layer, as far as that can be run.

    Classes and functions are defined; values are made where a class, or a function of the
    source, makes them. `run` returns the source, and what raised and was left out.
    """
    nodes = tuple(s.node for s in notebook.statements)
    own = own_names(nodes)
    wanted = [n for n, node in own.items() if _may_be_layer(node, own)]
    cut = slice_for(notebook, needs_of(wanted), is_vital=False)
    source, skipped = run(cut)
    makers = {n for n, node in own.items() if getattr(node, "value", None) is None}
    troubles = {
        name: f"{part.statement.place} {why}"
        for part, why in skipped
        for name in part.names & set(wanted)
        if name in makers or names_in(part.node).reads & makers
    }
    troubles |= {
        name: f"not run: {blocked.statement.place} {blocked.why}"
        for blocked in cut.blocked
        for name in blocked.names & set(wanted)
    }
    return Grounds(source=source, statements=nodes, troubles=troubles)


def needs_of(wanted: Sequence[str]) -> Names:
    """Return what expressions read; what cannot be read as one wants nothing."""
    found = []
    for text in wanted:
        try:
            found.append(ast.parse(text, mode="eval").body)
        except SyntaxError:  # said when it is evaluated
            continue
    return names_in(ast.Expr(ast.Tuple(found, ast.Load())))


def layer_classes(notebook: Notebook) -> Iterator[str]:
    """Yield the classes that are run like layers, in their order."""
    nodes = (s.node for s in notebook.statements)
    yield from dict.fromkeys(
        node.name for node in nodes
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and any(
            isinstance(inner, ast.FunctionDef) and re.fullmatch("forward|_call", inner.name)
            for inner in node.body
        )
    )  # fmt: skip


def _may_be_layer(node: ast.stmt, own: dict[str, ast.stmt]) -> bool:
    """Return whether a statement defines a class or function, or calls one to make it."""
    value = getattr(node, "value", None)
    if value is None:
        return True
    if not isinstance(value, ast.Call):
        return False
    maker = ast.unparse(value.func).rpartition(".")[2]
    return maker in own or maker[:1].isupper()  # classes begin with a capital
