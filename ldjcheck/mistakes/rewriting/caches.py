"""Edits that compute anew what a layer keeps: of an earlier call, or of how it was built."""

import ast
import itertools
import re
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.revision import Replacement, call_name
from ldjcheck.revision.text import MethodNode, is_minus

_CUTTING = ("item", "detach", "clone", "cpu", "data")
_CUTS = re.compile(r"\.(?:detach|item|clone)\(\)|\.data\b")
_AS_NUMBER = ("float", "tensor", "as_tensor")
_FULL = ("full", "new_full")


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


def _methods(site: Site) -> list[MethodNode]:
    """Return the methods of the class that a statement stands in, and of its bases here."""
    around = (
        n for n in site.source.around(site.function) if isinstance(n, ast.ClassDef)
    )
    classes = list(itertools.islice(around, 1))
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


def _owner(method: MethodNode) -> str:
    return method.args.args[0].arg


def _attribute(node: ast.AST, method: MethodNode) -> str:
    """Return the attribute of the layer that a target is, or is an entry of."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id == _owner(method) else ""
    return ""


def _stored(node: ast.AST, method: MethodNode) -> dict[str, ast.expr]:
    """Return what a statement stores in attributes of the layer."""
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and call_name(call) == "register_buffer":
        first = call.args[0] if len(call.args) > 1 else None
        if isinstance(first, ast.Constant):
            return {str(first.value): call.args[1]}
        return {}
    if not isinstance(node, ast.Assign):
        return {}
    return {
        name: node.value for t in node.targets if (name := _attribute(t, method)) != ""
    }


def _stores(method: MethodNode) -> list[tuple[str, ast.expr]]:
    """Return all that a method stores in attributes, in order."""
    return [each for n in ast.walk(method) for each in _stored(n, method).items()]


def _kept(methods: list[MethodNode]) -> list[str]:
    """Return the attributes that hold something computed, in the order they are stored."""
    found = (each for method in methods for each in _stores(method))
    return list(
        dict.fromkeys(
            name
            for name, value in found
            if not call_name(value)[:1].isupper()  # a parameter, a sublayer
            and not isinstance(value, ast.Constant | ast.Dict)
        )
    )


def _unguarded(
    site: Site, methods: list[MethodNode], name: str
) -> Iterator[Replacement]:
    """Yield what leaves the conditions out under which an attribute is stored."""
    lines, put = site.source.lines, site.source.put
    nodes = [(m, n) for m in methods if m.name != "__init__" for n in ast.walk(m)]
    for method, node in nodes:
        if isinstance(node, ast.If):
            if lines[node.lineno - 1][: node.col_offset].strip():
                continue  # an `elif`, or other statements on its line
            stored = (
                block
                for block in (node.body, node.orelse)
                if any(name in _stored(each, method) for each in block)
            )
            block = next(stored, None)
            if block is not None:
                yield put(node, site.dedented(block, node.col_offset))
            elif _hands_back(node, method, name) and site.source.block(node)[1:]:
                end = node.end_lineno or node.lineno
                yield site.source.put_at((node.lineno, 0, end, len(lines[end - 1])), "")
        elif isinstance(node, ast.IfExp):
            kept = [name in _read(side, method) for side in (node.body, node.orelse)]
            if kept in ([True, False], [False, True]):
                yield put(node, site.text(node.orelse if kept[0] else node.body))


def _read(node: ast.AST, method: MethodNode) -> set[str]:
    return {
        _attribute(each, method)
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Load)
    }


def _hands_back(node: ast.If, method: MethodNode, name: str) -> bool:
    """Return whether a condition does nothing but hand back what is kept."""
    (first, *more) = node.body
    back = isinstance(first, ast.Return) and first.value is not None
    return back and not more and not node.orelse and name in _read(first, method)


def _written_out(
    site: Site, methods: list[MethodNode], name: str, *, full: bool
) -> Iterator[Replacement]:
    """Yield what writes, where an attribute is read, what it is computed from.

    A number spread over the batch, `full((n,), number)`, is a tensor then: `full` asks for
    `tensor.expand((n,))`.
    """
    source, text = site.source, _computed(site, methods, name)
    if text is None:
        return
    readers = (m for m in methods if name not in dict(_stores(m)))
    for method, node in ((m, n) for m in readers for n in ast.walk(m)):
        read = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        if not read or _attribute(node, method) != name:
            continue
        around = source.parents[node]
        spread = source.parents[around] if is_minus(around) else around
        if full and isinstance(spread, ast.Call) and call_name(spread) in _FULL:
            sign = "-" if is_minus(around) else ""
            size = site.text(spread.args[0])
            yield source.put(spread, f"{sign}{text}.expand({size})")
        else:
            yield source.put(node, text)


def _computed(site: Site, methods: list[MethodNode], name: str) -> str | None:
    """Return what an attribute is made of when the layer is built, in its attributes."""
    for method in (method for method in methods if method.name == "__init__"):
        stores = _stores(method)
        plain = [(attribute, _plain(site, made)) for attribute, made in stores]
        held = {
            v.id: f"{_owner(method)}.{a}" for a, v in plain if isinstance(v, ast.Name)
        }
        locals_ = {
            target.id: node.value
            for node in ast.walk(method)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for value in (value for attribute, value in plain if attribute == name):
            if isinstance(value, ast.Name):
                value = _plain(site, locals_.get(value.id, value))
            if not any(isinstance(n, ast.Call | ast.BinOp) for n in ast.walk(value)):
                continue
            text = _CUTS.sub("", site.as_atom(value))
            for local, where in held.items():
                text = re.sub(rf"(?<![\w.]){local}(?!\w)", where, text)
            return text
    return None


def _plain(site: Site, node: ast.expr) -> ast.expr:
    """Return a value without what makes a number of it, or a parameter."""
    while True:
        inner = site.argument_of(node)
        if isinstance(node, ast.Attribute) and node.attr == "data":
            inner = node.value
        elif (
            isinstance(node, ast.Call) and call_name(node) == "Parameter" and node.args
        ):
            inner = node.args[0]
        elif call_name(node) not in (*_CUTTING, *_AS_NUMBER, "Parameter"):
            return node
        if inner is None:
            return node
        node = inner


def _called_first(
    site: Site, methods: list[MethodNode], names: list[str]
) -> Iterator[Change]:
    """Yield edits that make the call whose result is handed back."""
    writers = {
        method.name: name
        for method in methods
        for name, _ in _stores(method)
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
