"""Edits of what a term looks at: another name, another order, a mask, a condition."""

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ldjcheck.mistakes.rewriting.sites import Change, Site, plain_text
from ldjcheck.records import Multiplier
from ldjcheck.revision import call_name
from ldjcheck.revision.text import is_product

_NAMES = 8  # other names that are tried for one name
_SIZES = 3  # whose names are tried in each order
_SWAPS = 28  # pairs of eight names
_RANGES = ("arange", "linspace")
_AXES = 4  # of which any may be meant
_OTHER = {"sign": "logabsdet", "logabsdet": "sign"}
_COMPARED: dict[type[ast.cmpop], tuple[str, str, str]] = {
    ast.Lt: ("<", ">", ">="), ast.Gt: (">", "<", "<="), ast.LtE: ("<=", ">=", ">"),
    ast.GtE: (">=", "<=", "<"),
}  # fmt: skip
"""How a comparison is written, turned around, and denied."""


def as_explained(site: Site) -> Iterator[Change]:
    """Yield the blamed value as its explanation says that it should be."""
    told = None if site.explanation is None else site.explanation.instead
    if told is None:
        return
    written, meant = map(plain_text, told)
    # What is written in a helper lacks a factor that only its caller knows.
    factor = meant.removeprefix(f"({written}) * ").removeprefix(f"{written} * ")
    for node in site.expressions:
        if ast.unparse(node) == written:
            yield Change(0.0, (site.rewritten(node, meant),))
        elif factor in site.names and isinstance(node, ast.Call):
            yield site.put(node, f"{site.as_factor(node)} * {factor}", 0.05)


def wholes(site: Site) -> Iterator[Change]:
    """Yield a name in the place of what is only a part of its value: `t` for `a * x + b`."""
    for made in (n for n in site.inside if isinstance(n, ast.Assign)):
        parts = {ast.unparse(n) for n in ast.walk(made.value) if n is not made.value}
        name = ast.unparse(made.targets[0])
        for node in site.expressions if made is not site.statement else ():
            is_part = isinstance(node, ast.BinOp | ast.Call)
            if is_part and ast.unparse(node) in parts and name in site.names:
                yield Change(0.2, (site.rewritten(node, name),))


def other_names(site: Site) -> Iterator[Change]:
    """Yield the statement with all uses of one name replaced by another name.

    What the layer holds and what the function made of it may have one name: `self.u`, `u`.
    Names that are given together are the likeliest to be mixed up.
    """
    uses: dict[str, list[ast.Name]] = {}
    made, held = {f"self.{name}": name for name in site.names}, set(site.held)
    for node in site.expressions:
        if isinstance(node, ast.Attribute) and (own := site.text(node)) in made:
            yield site.put(node, made[own], 0.08)
        elif isinstance(node, ast.Name) and f"self.{node.id}" in held & set(made):
            yield site.put(node, f"self.{node.id}", 0.12)
        if isinstance(node, ast.Name) and node.id in site.names:
            uses.setdefault(node.id, []).append(node)
    for old, nodes in uses.items():
        others = [name for name in site.values if name != old]
        others.sort(key=lambda name: name not in site.bound_with(old))
        for index, new in enumerate(others[:_NAMES]):
            every = tuple(site.source.put(node, new) for node in nodes)
            yield Change(0.1 + 0.02 * index, every)
            if len(nodes) > 1:
                for node in nodes:
                    yield site.put(node, new, 0.3 + 0.02 * index)
            for called in site.expressions:
                inside = [n for n in nodes if n in set(ast.walk(called))]
                if isinstance(called, ast.Call) and 1 < len(inside) < len(nodes):
                    some = tuple(site.source.put(n, new) for n in inside)
                    yield Change(0.25 + 0.02 * index, some)


def other_functions(site: Site) -> Iterator[Change]:
    """Yield what the class calls, or has for a method, in the place of another such."""
    nodes = [n for n in ast.walk(site.home) if isinstance(n, ast.Call)]
    called = {ast.unparse(node.func) for node in nodes}
    methods = (n for n in ast.walk(site.home) if isinstance(n, ast.FunctionDef))
    called |= {f"self.{m.name}" for m in methods if m is not site.function}
    known = sorted(n for n in called if n.startswith("self.") and n.count(".") == 1)
    known = [name for name in known if not name.startswith("self.__")]
    for node in site.expressions:
        if isinstance(node, ast.Attribute) and site.text(node) in known:
            others = [name for name in known if name != site.text(node)]
            for index, name in enumerate(others[:_NAMES]):
                yield site.put(node, name, 0.2 + index / 50)


def swapped(site: Site) -> Iterator[Change]:
    """Yield the statement with two names in each other's place, or a vector turned round.

    Or two terms with each other's count, as `c * a(w) + n * b(v)`. Halves are joined in the
    other order. Weights such as n, ..., 2, 1 go the other way.
    """
    uses: dict[str, list[ast.expr]] = {}
    known = {*site.names, *site.held}
    for node in site.expressions:
        if isinstance(node, ast.Name | ast.Attribute) and site.text(node) in known:
            uses.setdefault(site.text(node), []).append(node)
        elts = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        if len(elts) == 2 and all(isinstance(e, ast.Name) for e in elts):
            texts = zip(elts, map(site.text, reversed(elts)), strict=True)
            yield Change(0.19, tuple(site.source.put(*each) for each in texts))
        weighs = is_product(site.parent(node)) and not isinstance(node, ast.Constant)
        if call_name(node) in _RANGES or weighs:
            cost = 0.3 if weighs else 0.25
            yield site.put(node, f"{site.as_atom(node)}.flip(0)", cost)
    products = [n for n in site.expressions if is_product(n)]
    sides = [(n.left, n.right) for n in products if isinstance(n, ast.BinOp)]
    counts = [a for s in sides for a, b in (s, s[::-1]) if _is_counted(a, b)]
    for a, b in itertools.islice(itertools.combinations(counts, 2), _SWAPS):
        there, back = (a, site.as_factor(b)), (b, site.as_factor(a))
        yield Change(0.15, (site.source.put(*there), site.source.put(*back)))
    pairs = itertools.combinations(uses.items(), 2)
    for (one, ones), (other, others) in itertools.islice(pairs, _SWAPS):
        text = (*((node, other) for node in ones), *((node, one) for node in others))
        yield Change(0.2, tuple(site.source.put(node, new) for node, new in text))


def sizes_in_order(site: Site) -> Iterator[Change]:
    """Yield the names of a shape in another order: `_, h, w, _` for `_, _, h, w`."""
    statement = site.statement
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return
    (target,) = statement.targets
    is_shape = site.text(statement.value).endswith((".shape", ".size()"))
    if not isinstance(target, ast.Tuple) or not is_shape:
        return
    first, *sizes = [site.text(each) for each in target.elts]  # that of the batch
    for order in dict.fromkeys(itertools.permutations(sizes)):
        if list(order) != sizes and len(sizes) <= _SIZES:
            yield site.put(target, ", ".join((first, *order)), 0.1)


def called_alike(site: Site) -> Iterator[Change]:
    """Yield a name as another is in the same statement: `f(b)` for `b`, beside `f(a)`."""
    calls = [
        n for n in site.expressions if isinstance(n, ast.Call) and len(n.args) == 1
    ]
    names = [n for n in site.expressions if isinstance(n, ast.Name)]
    for call, node in itertools.islice(itertools.product(calls, names), _SWAPS):
        given = call.args[0]
        if (
            isinstance(given, ast.Name)
            and node.id in site.names
            and node.id != given.id
        ):
            yield site.put(node, f"{site.text(call.func)}({node.id})", 0.25)


def _is_counted(count: ast.expr, value: ast.expr) -> bool:
    """Return whether a product is of a call and of what may say how often that counts."""
    asks = any(isinstance(node, ast.Call) for node in ast.walk(count))
    return isinstance(value, ast.Call) and not asks


def other_parts(site: Site) -> Iterator[Change]:
    """Yield the other part of what `slogdet` returns, or end, and the size of another axis."""
    for node in site.expressions:
        yield from _other_end(site, node)
        if isinstance(node, ast.Attribute) and node.attr in _OTHER:
            yield site.put(node, f"{site.text(node.value)}.{_OTHER[node.attr]}", 0.1)
        yield from _other_axes(site, node)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call):
            part = node.slice
            if isinstance(part, ast.Constant) and part.value in (0, 1):
                yield site.put(part, str(1 - part.value), 0.1)


def _other_end(site: Site, node: ast.expr) -> Iterator[Change]:
    """Yield the last entries for the first, `w[i, i, -1]` for `w[i, i, 0]`, and neighbours."""
    at = getattr(node, "slice", None)
    count = getattr(at.right, "value", None) if isinstance(at, ast.BinOp) else None
    if isinstance(at, ast.BinOp) and isinstance(count, int):
        yield site.put(at.right, str(count - 1), 0.15)
        yield site.put(at.right, str(count + 1), 0.16)
    parts = getattr(getattr(node, "slice", None), "elts", [])
    for old, new in (("0", "-1"), ("-1", "0")):
        ends = [part for part in parts if site.text(part) == old]
        if ends:
            yield Change(0.15, tuple(site.source.put(part, new) for part in ends))


def other_side(site: Site) -> Iterator[Change]:
    """Yield a slice that takes the other side of its bound, or leaves out the other end."""
    for part in ast.walk(site.statement):
        if not isinstance(part, ast.Slice) or part.step is not None:
            continue
        if (part.lower is None) == (part.upper is None):
            continue
        bound = site.text(part.lower or part.upper or part)
        turned = bound[1:] if bound.startswith("-") else f"-{bound}"
        for cost, text in ((0.1, bound), (0.12, turned)):
            written = f"{text}:" if part.lower is None else f":{text}"
            yield Change(cost, (site.source.put(part, written),))


def other_axes(site: Site) -> Iterator[Change]:
    """Yield the sizes of other axes of what a statement counts, or of one axis more."""
    for node in site.expressions:
        yield from _other_axes(site, node)


def _other_axes(site: Site, node: ast.expr) -> Iterator[Change]:
    axis: ast.expr | None = None  # in x.shape[axis], x.shape[axis:], x.size(axis)
    if isinstance(node, ast.Subscript):
        of_shape = getattr(node.value, "attr", "") == "shape"
        of_shape = of_shape or is_product(site.parent(node))
        if isinstance(node.slice, ast.Slice):
            of_shape = of_shape or isinstance(node.value, ast.Name)
            axis = node.slice.lower if of_shape else None
        elif of_shape:
            axis = node.slice
    elif isinstance(node, ast.Call) and call_name(node) == "size" and node.args:
        axis = node.args[0]
    if not isinstance(axis, ast.Constant):
        return
    for index, other in enumerate(n for n in range(_AXES) if n != axis.value):
        change = site.put(axis, str(other), 0.2 + index / 50)
        old = site.text(node)
        new = str(other).join(old.rsplit(site.text(axis), 1))
        told = Multiplier(family="shape", above=(new,), below=(old,))
        yield replace(change, multiplier=told)


def other_order(site: Site) -> Iterator[Change]:
    """Yield the statement before the one above it, or after the one below."""
    block = site.source.block(site.statement)
    here = block.index(site.statement)
    for index, other in enumerate((here - 1, here + 1, here - 2, here + 2)):
        if 0 <= other < len(block):
            yield from _moved(site, block, other, 0.05 + 0.1 * index)


def before_updates(site: Site) -> Iterator[Change]:
    """Yield the statement before the one above that updates a name it reads: `z = z + ...`.

    There are few of these, and what a step starts from has no other name.
    """
    block = site.source.block(site.statement)
    read = _names(site.statement, ast.Load)
    for place, above in enumerate(block[: block.index(site.statement)]):
        updated = _names(above, ast.Store) & read
        if updated & (_names(above, ast.Load) - _names(site.statement, ast.Store)):
            yield from _moved(site, block, place, 0.0)


def _names(statement: ast.stmt, use: type[ast.expr_context]) -> set[str]:
    nodes = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, use)}


def _moved(
    site: Site, block: Sequence[ast.stmt], place: int, cost: float
) -> Iterator[Change]:
    """Yield the statement at another place of its block, if it is plain all the way."""
    here = block.index(site.statement)
    run = block[min(here, place) : max(here, place) + 1]
    if not any(hasattr(s, "body") or isinstance(s, ast.Return) for s in run):
        order = [*run[1:], run[0]] if place > here else [run[-1], *run[:-1]]
        texts = zip(run, map(site.text, order), strict=True)
        yield Change(cost, tuple(site.source.put(old, new) for old, new in texts))


def masked(site: Site) -> Iterator[Change]:
    """Yield every term times a mask of the same function, or a factor it uses elsewhere."""
    factors: dict[str, None] = dict.fromkeys(_comparing(site))
    for node in site.inside:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for part in (node.left, node.right):
                text = ast.unparse(part)
                if not isinstance(part, ast.Constant | ast.Call) and len(text) < 40:
                    factors.setdefault(text)
    for index, factor in enumerate(list(factors)[:_NAMES]):
        for other in dict.fromkeys((factor, f"1 - {factor}")):
            loose = any(f" {sign} " in other for sign in "+-")
            text = f"({other})" if loose else other
            for node in site.terms:
                body = f"{site.as_factor(node)} * {text}"
                cost = 0.2 + index / 50 + 0.1 * (other != factor)
                yield site.put(node, site.in_place(node, body), cost)


def signed(site: Site) -> Iterator[Change]:
    """Yield every term of an absolute value times the sign of what that is taken of."""
    named: dict[str, ast.expr] = {}
    for made in (n for n in site.inside if isinstance(n, ast.Assign)):
        (target,), inner = made.targets[:1], site.argument_of(made.value)
        is_abs = call_name(made.value) == "abs"
        if is_abs and isinstance(target, ast.Name) and inner is not None:
            named[target.id] = inner
    held = [n for n in site.expressions if isinstance(n, ast.Name) and n.id in named]
    taken = [*site.calls("abs"), *((node, named[node.id]) for node in held)]
    for node, inner in taken:
        around = [each for each in site.terms if node in ast.walk(each)]
        for index, each in enumerate(around):
            text = f"torch.sign({site.text(inner)}) * {site.as_factor(each)}"
            yield site.put(each, site.in_place(each, text), 0.3 + index / 50)


def _comparing(site: Site) -> Iterator[str]:
    """Yield the names of the function for what comes of a comparison: its masks."""
    for node in site.inside:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            compares = any(isinstance(n, ast.Compare) for n in ast.walk(node.value))
            if compares and not isinstance(node.value, ast.IfExp):
                yield node.targets[0].id


def other_conditions(site: Site) -> Iterator[Change]:
    """Yield the statement with a condition turned around, or its two outcomes swapped."""
    for node in site.expressions:
        if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
            old, turned, denied = _COMPARED[type(node.ops[0])]
            span = site.source.between(node.left, node.comparators[0])
            text = site.source.at(*span)
            # Where the map asks the same, its other branch is what is denied.
            new = denied if _is_asked_elsewhere(site, node) else turned
            if text.count(old) == 1 and len(node.ops) == 1:
                change = site.source.put_at(span, text.replace(old, new))
                yield Change(0.1, (change,))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            yield site.put(node, site.text(node.operand), 0.1)
        if isinstance(node, ast.Call) and len(node.args) == 3:
            a, b = node.args[1:]
            swap = site.source.put(a, site.text(b)), site.source.put(b, site.text(a))
            yield Change(0.15, swap)
        if isinstance(node, ast.Name | ast.Attribute) and _is_mask(site, node):
            if not is_product(site.parent(node)):
                text = site.in_place(node, f"~{site.text(node)}")
                yield site.put(node, text, 0.2)
            yield site.put(node, f"(1 - {site.text(node)})", 0.2)


def _is_mask(site: Site, node: ast.expr) -> bool:
    """Return whether a name is one of what a comparison comes to, or says so."""
    text = site.text(node)
    made = (
        n.value
        for n in site.inside
        if isinstance(n, ast.Assign) and text in map(ast.unparse, n.targets)
    )
    return "mask" in text or any(isinstance(value, ast.Compare) for value in made)


def _is_asked_elsewhere(site: Site, node: ast.Compare) -> bool:
    """Return whether the function has the same comparison in another place."""
    text = ast.unparse(node)
    alike = [n for n in site.inside if isinstance(n, ast.Compare)]
    return sum(ast.unparse(each) == text for each in alike) > 1
