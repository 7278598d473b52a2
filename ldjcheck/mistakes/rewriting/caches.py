"""Edits that compute anew what a layer keeps: of an earlier call, or of how it was built."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.revision import Replacement, call_name

_CUTTING = ("item", "detach", "clone", "cpu", "data")
_CUTS = re.compile(r"\.(?:detach|item|clone)\(\)|\.data\b")
_AS_NUMBER = ("float", "tensor", "as_tensor")
_FULL = ("full", "new_full")

Method = ast.FunctionDef | ast.AsyncFunctionDef


def recomputed(site: Site) -> Iterator[Change]:
    """Yield edits of the class that let what it keeps be computed at each call.

    What a condition guards is computed without it, what was computed when the layer was
    built is written where it is read, and a method that answers for the last call makes
    that call itself.
    """
    methods = _methods(site)
    names = _kept(methods)
    for name in names:
        unguarded = tuple(_unguarded(site, methods, name))
        if unguarded:
            yield Change(0.0, unguarded)
        for cost, full in ((0.1, True), (0.2, False)):
            written = tuple(_written_out(site, methods, name, full=full))
            if written:
                yield Change(cost, written)
    if names:
        yield from _called_first(site, methods, names)


def _methods(site: Site) -> list[Method]:
    """Return the methods of the class that a statement stands in, and of its bases here."""
    home: ast.AST | None = site.function
    while home is not None and not isinstance(home, ast.ClassDef):
        home = site.source.parents.get(home)
    classes = [] if home is None else [home]
    known = {
        node.name: node
        for node in site.source.tree.body
        if isinstance(node, ast.ClassDef)
    }
    for each in classes:  # grows while it is read
        bases = [known.get(ast.unparse(base)) for base in each.bases]
        classes += [base for base in bases if base is not None and base not in classes]
    return [
        node
        for each in classes
        for node in each.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.args.args
    ]


def _owner(method: Method) -> str:
    return method.args.args[0].arg


def _attribute(node: ast.AST, method: Method) -> str:
    """Return the attribute of the layer that a target is, or is an entry of."""
    while isinstance(node, ast.Subscript):
        node = node.value
    own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    if own and node.value.id == _owner(method):  # type: ignore[attr-defined]
        return node.attr  # type: ignore[attr-defined, no-any-return]
    return ""


def _stored(node: ast.AST, method: Method) -> dict[str, ast.expr]:
    """Return what a statement stores in attributes of the layer."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        named = len(call.args) > 1 and isinstance(call.args[0], ast.Constant)
        if call_name(call) == "register_buffer" and named:
            return {str(call.args[0].value): call.args[1]}  # type: ignore[attr-defined]
    if not isinstance(node, ast.Assign):
        return {}
    return {
        name: node.value for t in node.targets if (name := _attribute(t, method)) != ""
    }


def _kept(methods: list[Method]) -> list[str]:
    """Return the attributes that hold something computed, in the order they are stored."""
    found: dict[str, None] = {}
    for method in methods:
        for node in ast.walk(method):
            for name, value in _stored(node, method).items():
                is_part = call_name(value)[:1].isupper()  # a parameter, a sublayer
                if not is_part and not isinstance(value, ast.Constant | ast.Dict):
                    found.setdefault(name)
    return list(found)


def _unguarded(site: Site, methods: list[Method], name: str) -> Iterator[Replacement]:
    """Yield what leaves the conditions out under which an attribute is stored."""
    for method in methods:
        if method.name == "__init__":
            continue
        for node in ast.walk(method):
            if isinstance(node, ast.If):
                if any(name in _stored(s, method) for s in node.body):
                    yield from _body_alone(site, node, node.body)
                elif any(name in _stored(s, method) for s in node.orelse):
                    yield from _body_alone(site, node, node.orelse)
                elif _hands_back(node, method, name):
                    yield from _without(site, node)
            elif isinstance(node, ast.IfExp):
                sides = (node.body, node.orelse)
                kept = [name in _read(side, method) for side in sides]
                if kept == [True, False]:
                    yield site.source.put(node, site.text(node.orelse))
                elif kept == [False, True]:
                    yield site.source.put(node, site.text(node.body))


def _read(node: ast.AST, method: Method) -> set[str]:
    return {
        _attribute(each, method)
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Load)
    }


def _hands_back(node: ast.If, method: Method, name: str) -> bool:
    """Return whether a condition does nothing but hand back what is kept."""
    (first, *more) = node.body
    back = isinstance(first, ast.Return) and first.value is not None
    return back and not more and not node.orelse and name in _read(first, method)


def _body_alone(
    site: Site, node: ast.If, body: list[ast.stmt]
) -> Iterator[Replacement]:
    """Yield the replacement of a condition by the statements of one of its branches."""
    if not site.source.lines[node.lineno - 1][: node.col_offset].strip():
        # no `elif`, and no other statements on its line
        yield site.source.put(node, site.dedented(body, node.col_offset))


def _without(site: Site, node: ast.If) -> Iterator[Replacement]:
    lines = site.source.lines
    if lines[node.lineno - 1][: node.col_offset].strip():
        return
    if len(site.source.block(node)) == 1:
        return
    end = node.end_lineno or node.lineno
    yield Replacement(site.source.file, node.lineno, 0, end, len(lines[end - 1]), "")


def _written_out(
    site: Site, methods: list[Method], name: str, *, full: bool
) -> Iterator[Replacement]:
    """Yield what writes, where an attribute is read, what it is computed from.

    A number spread over the batch, `full((n,), number)`, is a tensor then: `full` asks for
    `tensor.expand((n,))`.
    """
    source = site.source
    text = _computed(site, methods, name)
    if text is None:
        return
    for method in methods:
        if any(name in _stored(node, method) for node in ast.walk(method)):
            continue
        for node in ast.walk(method):
            read = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
            if not read or _attribute(node, method) != name:
                continue
            around: ast.AST = source.parents[node]
            minus = isinstance(around, ast.UnaryOp) and isinstance(around.op, ast.USub)
            spread = source.parents[around] if minus else around
            if full and isinstance(spread, ast.Call) and call_name(spread) in _FULL:
                size = site.text(spread.args[0])
                sign = "-" if minus else ""
                yield source.put(spread, f"{sign}{text}.expand({size})")
            else:
                yield source.put(node, text)


def _computed(site: Site, methods: list[Method], name: str) -> str | None:
    """Return what an attribute is made of when the layer is built, in its attributes."""
    for method in methods:
        if method.name != "__init__":
            continue
        held = {
            held_value.id: f"{_owner(method)}.{attribute}"
            for node in ast.walk(method)
            for attribute, made in _stored(node, method).items()
            if isinstance(held_value := _plain(site, made), ast.Name)
        }
        locals_ = {
            target.id: node.value
            for node in ast.walk(method)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(method):
            stored = _stored(node, method).get(name)
            if stored is None:
                continue
            value = _plain(site, stored)
            if isinstance(value, ast.Name):
                value = _plain(site, locals_.get(value.id, value))
            if not any(isinstance(n, ast.Call | ast.BinOp) for n in ast.walk(value)):
                continue
            text = _CUTS.sub("", site.as_atom(value))
            for local, attribute in held.items():
                text = re.sub(rf"(?<![\w.]){local}(?!\w)", attribute, text)
            return text
    return None


def _plain(site: Site, node: ast.expr) -> ast.expr:
    """Return a value without what makes a number of it, or a parameter."""
    while True:
        name = call_name(node)
        if isinstance(node, ast.Attribute) and node.attr == "data":
            node = node.value
            continue
        if not isinstance(node, ast.Call):
            return node
        inner = site.argument_of(node)
        wraps = name in (*_CUTTING, *_AS_NUMBER) or name == "Parameter"
        if name == "Parameter" and node.args:
            inner = node.args[0]
        if inner is None or not wraps:
            return node
        node = inner


def _called_first(
    site: Site, methods: list[Method], names: list[str]
) -> Iterator[Change]:
    """Yield edits that make the call whose result is handed back."""
    writers = {
        method.name: name
        for method in methods
        for node in ast.walk(method)
        for name in _stored(node, method)
        if name in names and method.name != "__init__"
    }
    lines = site.source.lines
    for method in methods:
        if method.name in writers or len(method.args.args) < 2:
            continue
        owner, given = (argument.arg for argument in method.args.args[:2])
        reads = _read(method, method)
        first = next(
            (s for s in method.body if not isinstance(getattr(s, "value", None), ast.Constant)),
            None,
        )  # fmt: skip
        if first is None or lines[first.lineno - 1][: first.col_offset].strip():
            continue
        for writer, name in writers.items():
            if name in reads:
                called = owner if writer == "forward" else f"{owner}.{writer}"
                text = f"{called}({given})\n{' ' * first.col_offset}"
                place = site.inserted(first.lineno, first.col_offset, text)
                yield Change(0.3, (place,))
