"""What the user's code stands in: names to evaluate an expression in, and how to get them.

Which it defines itself, which may be layers, and which somebody may have meant.
"""

import ast
import inspect
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from ldjcheck.errors import CannotCheckError
from ldjcheck.records.asked import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source that has been run, ready for expressions."""

    name: str  # as the user typed it
    namespace: dict[str, Any]
    module: str | None = None  # the name its own definitions carry as `__module__`
    file: Path | None = None  # its Python text, when it has one
    known: tuple[str, ...] = ()  # names that it could give, when not all are there
    layers: tuple[str, ...] = ()  # those that look like layers, likewise
    notes: tuple[str, ...] = ()  # what of it was run, and what not


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """A source that was run as a whole, with the statements that define its own names."""

    source: Source
    statements: tuple[ast.stmt, ...]
    troubles: Mapping[str, str] = field(default_factory=dict)  # name: why it is absent
    borrowed: tuple[str, ...] = ()  # imported names that count as its own


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """One kind of source, such as a Python file.

    `load(name, wanted)` runs the source, or what the wanted expressions need of it, and
    returns its names. It raises `CannotCheckError` with LDJ001 when the source is missing
    or raises by itself. `explore(name)` runs all that may be a layer.
    """

    name: str
    accepts: Callable[[str], bool]
    load: Callable[[str, Sequence[str]], Source]
    explore: Callable[[str], Grounds]


# An expression may hold colons of its own (`flow[1:]`), and a Windows path has one
# after its drive: the colon that counts is the first one that is not a drive's.
_TARGET = re.compile(
    r"(?P<source>(?:[A-Za-z]:(?=[\\/]))?[^:]*)(?::(?P<expr>.*))?", re.DOTALL
)


def parse_target(text: str) -> Target:
    """Return the target that `text` names; `expr` is None when only a source is given.

    Raises:
        CannotCheckError: LDJ001, when there is no source before the colon.
    """
    match = _TARGET.fullmatch(text.strip())
    source = match["source"].strip() if match else ""
    if match is None or not source:
        raise CannotCheckError(
            "LDJ001",
            f"There is no source in {text!r}.",
            ("A target is SOURCE:EXPR, for example:", "  ldjcheck deq.py:Layer"),
        )
    expr = (match["expr"] or "").strip()
    return Target(text=text, source=source, expr=expr or None)


HERE = "this session"
"""The source of what is typed into a running Python."""


def command(source: str, expr: str) -> str:
    """Return what to type to check `expr` of `source`, quoted for a shell."""
    if source == HERE:
        return f"%ldjcheck {expr}"
    return f"ldjcheck {shlex.quote(f'{source}:{expr}')}"


def bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node binds, in whatever scope it stands."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]


def own_nodes(function: ast.AST) -> list[ast.AST]:
    """Return the nodes of a function's body, those of functions inside left out."""
    found: list[ast.AST] = []
    queue: list[ast.AST] = [*getattr(function, "body", [])]
    while queue:
        node = queue.pop(0)
        found.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            queue.extend(ast.iter_child_nodes(node))
    return found


def own_names(statements: Iterable[ast.stmt]) -> dict[str, ast.stmt]:
    """Return what is defined, not imported, with the last statement that defines it.

    Names with an underscore in front are private, and left out.
    """
    own: dict[str, ast.stmt] = {}
    for name, node in _definitions(statements):
        if not name.startswith("_"):
            own.pop(name, None)  # the order is that of the last definitions
            own[name] = node
    return own


def _definitions(statements: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node
        elif isinstance(node, ast.Assign):
            yield from ((t.id, node) for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node
        elif isinstance(node, (ast.If, ast.With, ast.Try)):
            yield from _definitions(node.body)
            yield from _definitions(getattr(node, "orelse", []))


_MOST_NAMES = 6
_LEAST_LIKENESS = 0.7  # below, `opcode` would be offered for `nope`


def did_you_mean(spelled: Iterable[str]) -> tuple[str, ...]:
    """Return the lines that ask whether one of these was meant; none of none."""
    lines = tuple(f"  {each}" for each in spelled)
    return ("Did you mean:", *lines) if lines else ()


def respelled(
    expr: str, name: str, names: Iterable[str], source: Source
) -> tuple[str, ...]:
    """Return what to type where `name`, of an expression, is meant to be one of `names`."""
    near = near_misses(name, names)
    spelled = (re.sub(rf"\b{re.escape(name)}\b", match, expr) for match in near)
    return did_you_mean(command(source.name, each) for each in spelled)


def near_misses(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three of `names` that look like `name`, the likeliest first.

    Upper and lower case count for little, but they decide between `Layer` and `layer`.
    """
    scores = {
        other: (_likeness(name.lower(), other.lower()), _likeness(name, other))
        for other in names
    }
    near = [other for other, score in scores.items() if score[0] >= _LEAST_LIKENESS]
    return sorted(near, key=scores.__getitem__, reverse=True)[:3]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def likely_layers(source: Source) -> list[str]:
    """Return names of classes in `source` that could be flow layers, in its order.

    Its own classes come before those it imports. A layer is run through `forward`
    (modules) or `_call` (transforms), which plain helpers rarely have.
    """
    if source.layers:
        return list(source.layers[:_MOST_NAMES])
    classes = [
        (value.__module__ != source.module, name)
        for name, value in source.namespace.items()
        if inspect.isclass(value)
        and not name.startswith("_")
        and (hasattr(value, "forward") or hasattr(value, "_call"))
    ]
    return [name for _, name in sorted(classes, key=lambda pair: pair[0])][:_MOST_NAMES]
