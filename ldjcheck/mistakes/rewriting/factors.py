"""Edits of a factor: dropped, changed, or written where it is missing, as a count is."""

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from ldjcheck.mistakes.rewriting import calls, points, reductions, signs
from ldjcheck.mistakes.rewriting.sites import COUNTING, SUM, Change, Kind, Site
from ldjcheck.records import Multiplier
from ldjcheck.revision import Replacement, call_name
from ldjcheck.revision.text import is_minus, is_power, is_product, is_sum

_ONE = Multiplier(family="number")
_TENSORS = 3  # names of tensors that are tried
_PLAIN = 2  # what is written as a number, and seldom counts anything
_AXIS = 1.5  # by how much another axis is plainer than a count that is not there
_HELD = 24  # counts that are tried in the place of a number


_AXES = {"B": (0,), "C": (1, 2), "H": (2, 3), "W": (3, 4), "T": (2, 1)}
"""On which axes a size stands: the usual one, then that of a video, or of (T, C)."""


def dropped(site: Site) -> Iterator[Change]:
    """Yield every product and quotient with one factor taken away."""
    statement = site.statement
    if isinstance(statement, ast.AugAssign) and isinstance(
        statement.op, ast.Mult | ast.Div
    ):
        yield _without_factor(site, statement.value, site.gone())
    for node in site.expressions:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            yield _without_factor(site, node.right, site.alone(node, node.left))
            if isinstance(node.op, ast.Mult):
                yield _without_factor(site, node.left, site.alone(node, node.right))


def _without_factor(site: Site, lost: ast.expr, shorter: Replacement) -> Change:
    if isinstance(lost, ast.Constant):
        return Change(0.08, (shorter,), "literal")
    return Change(0.1, (shorter,), "count" if _is_count(site, lost) else "")


def literals(site: Site) -> Iterator[Change]:
    """Yield edits that take away a number, or one of two equal terms."""
    yield from doubled(site)
    yield from (change for change in dropped(site) if change.kind == "literal")


def exponents(site: Site) -> Iterator[Change]:
    """Yield addends with what a power leaves in front of its derivative.

    That is the exponent, one more than what is written; within a logarithm it may be 2 or 3
    where none is.
    """
    within = {n for _, inner in site.calls("log", "log1p") for n in ast.walk(inner)}
    for node in site.expressions:
        if not is_sum(site.parent(node)) or is_sum(node):
            continue
        powers = (n for n in ast.walk(node) if isinstance(n, ast.BinOp))
        written = (getattr(n.right, "value", 0) for n in powers if is_power(n))
        above = [n + 1 for n in written if type(n) is int and n > 0]
        for number in dict.fromkeys([*above, *((2, 3) if node in within else ())]):
            yield site.put(node, f"{number} * {site.as_factor(node)}", 0.09)


def squares(site: Site) -> Iterator[Change]:
    """Yield sums with a square where the plain value stands, or the other way round.

    So the derivatives of tanh and its like are slipped: `1 - a` for `1 - a ** 2`, or
    `(1 - a) ** 2`.
    """
    for node in site.expressions:
        if is_power(node):
            if getattr(node.right, "value", None) == 2:
                yield site.put(node, site.text(node.left), 0.35)
                if is_sum(inner := node.left):
                    sign = "-" if isinstance(inner.op, ast.Sub) else "+"
                    text = f"{site.text(inner.left)} {sign} {site.as_factor(inner.right)} ** 2"
                    yield site.put(node, site.in_place(node, text, SUM), 0.09)
        elif is_sum(site.parent(node)) and not isinstance(
            node, ast.BinOp | ast.UnaryOp | ast.Constant
        ):
            yield site.put(node, f"{site.as_factor(node)} ** 2", 0.35)


def by_rounds(site: Site) -> Iterator[Change]:
    """Yield terms of a loop divided, or multiplied, by the number of the round."""
    around = _loop_of(site)
    if around is None or not isinstance(around.target, ast.Name):
        return
    for node in site.terms:
        if is_sum(site.parent(node)) and not is_sum(node):
            for sign in ("/", "*"):
                text = f"{site.as_factor(node)} {sign} {around.target.id}"
                yield site.put(node, site.in_place(node, text), 0.09)


def _loop_of(site: Site) -> ast.For | None:
    """Return the innermost loop around a statement, in its function."""
    around: ast.AST = site.statement
    while around is not site.function and not isinstance(around, ast.For):
        around = site.parent(around)
    return around if isinstance(around, ast.For) else None


def other_rounds(site: Site) -> Iterator[Change]:
    """Yield loops over a range that begins, or ends, a round earlier or later."""
    loop = _loop_of(site)
    for node in (*([] if loop is None else [loop.iter]), *site.expressions):
        if not isinstance(node, ast.Call) or call_name(node) != "range":
            continue
        *starts, end = node.args[:2]
        for start in starts:
            value = getattr(start, "value", None)
            if isinstance(value, int):
                yield site.put(start, str(value + 1), 0.12)
                if value:
                    yield site.put(start, str(value - 1), 0.1)
        if isinstance(end, ast.BinOp) and isinstance(end.right, ast.Constant):
            yield site.put(end, site.text(end.left), 0.11)
        else:
            yield site.put(end, f"{site.as_factor(end)} - 1", 0.13)
            yield site.put(end, f"{site.as_factor(end)} + 1", 0.14)
        if not starts:
            yield site.put(end, f"1, {site.text(end)}", 0.13)


def by_turn(site: Site) -> Iterator[Change]:
    """Yield terms of a loop by the number of the round, or by that less one, or more."""
    yield from _not_off_by_one(site)
    yield from by_rounds(site)
    for node in site.expressions:
        if isinstance(node, ast.Name) and is_product(site.parent(node)):
            yield site.put(node, f"({node.id} + 1)", 0.3)
            yield site.put(node, f"({node.id} - 1)", 0.31)


def by_number(site: Site) -> Iterator[Change]:
    """Yield edits that multiply a term by a number such as `2`, `-1/2` or `3/2`."""
    number = None if site.multiplier is None else site.multiplier.plain
    if number is None:
        return
    yield from doubled(site)
    yield from of_another(site)
    yield from _of_other_axes(site)
    if number.denominator == 1:  # 2 may be one of a layer's own, but is mostly a factor
        yield from _times_held(site, 0.12 if abs(number) > _PLAIN else 0.5)
    yield from _another_held(site)
    for node in site.expressions:
        written = node.value if isinstance(node, ast.Constant) else None
        if not isinstance(written, int | float) or isinstance(written, bool):
            continue
        value, parent = written * float(number), site.parent(node)
        if value == written:
            continue
        if value == 1 and is_power(parent):
            yield site.put(parent, site.kept(parent, parent.left), 0.14, "literal")
        elif value != 1 or not is_product(parent):
            yield site.put(node, _written(value), 0.15, "number")
    yield from dropped(site)
    yield from _times_as_others(site)
    for node in site.expressions:
        if _is_count(site, node):
            yield from _without_batch(site, node)
    yield from _times(site, _written(float(number)), number)


def _times_as_others(site: Site) -> Iterator[Change]:
    """Yield terms times what the function multiplies others by, as by a step size."""
    products = (n for n in site.inside if isinstance(n, ast.BinOp) and is_product(n))
    sides = (side for node in products for side in (node.left, node.right))
    named = (n for n in sides if isinstance(n, ast.Name | ast.Attribute))
    for index, text in enumerate(dict.fromkeys(map(ast.unparse, named))):
        for change in _times(site, text, None):
            yield replace(change, cost=change.cost - 0.2 + index / 100, kind="")


def _of_other_axes(site: Site) -> Iterator[Change]:
    """Yield counts over other axes, wherever they are taken: one digit is another."""
    for change in points.other_axes(site):
        yield replace(change, cost=change.cost - _AXIS)


def _times_held(site: Site, cost: float) -> Iterator[Change]:
    """Yield the blamed term times what the layer holds, or a size: a number may be one."""
    for node in filter(site.is_operand, site.terms):
        for index, count in enumerate([*site.held, *counts_for(site, None)][:_HELD]):
            text = site.in_place(node, f"{site.as_factor(node)} * {count}")
            change = site.put(node, text, cost + index / 1000, "count")
            told = Multiplier(family="shape", above=(count,))
            yield replace(change, multiplier=told)


def _another_held(site: Site) -> Iterator[Change]:
    """Yield another number that the layer holds in the place of one that is counted."""
    for node in site.expressions:
        if isinstance(node, ast.Attribute) and is_product(site.parent(node)):
            others = (held for held in site.held if held != ast.unparse(node))
            for index, other in enumerate(itertools.islice(others, _HELD)):
                change = site.put(node, other, 0.13 + index / 1000, "count")
                told = Multiplier(
                    family="shape", above=(other,), below=(site.text(node),)
                )
                yield replace(change, multiplier=told)


def of_another(site: Site) -> Iterator[Change]:
    """Yield the sizes of another tensor in the place of those that a statement counts.

    A squeeze leaves fewer places than came in, and what follows it counts those.
    """
    sized: dict[str, list[ast.expr]] = {}
    for node in site.expressions:
        if isinstance(node, ast.Subscript) or call_name(node) == "size":
            whole = node.value if isinstance(node, ast.Subscript) else node
            held = whole.func if isinstance(whole, ast.Call) else whole
            if (
                isinstance(held, ast.Attribute)
                and held.attr in ("shape", "size")
                and isinstance(held.value, ast.Name)
            ):
                sized.setdefault(held.value.id, []).append(held.value)
    for name, nodes in sized.items():
        for index, other in enumerate(site.values):
            if other != name:
                changes = tuple(site.source.put(node, other) for node in nodes)
                yield Change(0.09 + index / 1000, changes)


def counted(site: Site) -> Iterator[Change]:
    """Yield edits that multiply a term by the count that its explanation asks for."""
    explanation, multiplier = site.explanation, site.multiplier or _ONE
    if multiplier.sign < 0:
        # Each edit of the count, beside every one that turns a sign.
        turns = list(signs.operators(site))
        for count in by_count(site, multiplier):
            for turn in turns:
                both = count.replacements + turn.replacements
                yield replace(count, cost=count.cost + turn.cost, replacements=both)
        return
    yield from calls.summed(site)
    yield from _of_other_axes(site)
    yield from by_count(site, multiplier)
    if explanation is None or not explanation.constant:
        yield from reductions.over_events(site)


def by_count(site: Site, multiplier: Multiplier) -> Iterator[Change]:
    """Yield edits that make a term count as often as it should, such as `dims` times."""
    scaled = multiplier.number.denominator > 1 or multiplier.base < 0
    divides = scaled or bool(multiplier.below)
    if divides:
        yield from _not_off_by_one(site)
        yield from dropped(site)
    others = list(counts_for(site, None))
    for node in site.expressions:
        if not _is_count(site, node):
            continue
        yield from _without_batch(site, node)
        around = site.parent(node)
        sides = (around.left, around.right) if is_product(around) else ()
        cost = 0.12 if any(map(site.is_operand, sides)) else 0.4
        for index, sign in enumerate("-+" if not _is_literal(node) else ""):
            text = f"({site.text(node)} {sign} 1)"
            yield site.put(node, text, cost + 0.01 * index, "count")
        kind: Kind = "" if _is_literal(node) else "count"
        for index, text in enumerate(others):
            if text != site.text(node):
                factor = f"({text})" if " * " in text or " - " in text else text
                yield site.put(node, factor, 0.3 + 0.01 * index, kind)
    known = () if multiplier.is_scaled or multiplier.below else multiplier.above
    told = multiplier if known else None
    for index, text in enumerate(counts_for(site, known)):
        for change in _times(site, text, None):
            cost = change.cost + 0.01 * index
            yield replace(change, cost=cost, multiplier=told)
    if multiplier.below == ("dims",) and not (multiplier.above or scaled):
        for index, text in enumerate(counts_for(site, multiplier.below)):
            for change in _times(site, text, None, sign="/"):
                yield replace(change, cost=change.cost + 0.01 * index)
    if not divides:
        yield from dropped(site)


def _not_off_by_one(site: Site) -> Iterator[Change]:
    """Yield counts such as `x.shape[1] - 1` without the one."""
    for node in site.expressions:
        if (
            is_sum(node)
            and isinstance(node.right, ast.Constant)
            and node.right.value == 1
            and is_product(site.parent(node))
        ):
            yield site.put(node, site.kept(node, node.left), 0.05, "count")


def _without_batch(site: Site, node: ast.expr) -> Iterator[Change]:
    """Yield a count over one axis less: `prod(s[1:])`, `x[0].numel()`."""
    for part in ast.walk(node):
        if not isinstance(part, ast.Call):
            continue
        if call_name(part) == "prod" and part.args:
            for axes in ast.walk(part.args[0]):
                if isinstance(axes, ast.Name | ast.Attribute | ast.Call):
                    yield _one_axis_less(site, axes, "[1:]")
        elif call_name(part) == "numel" and isinstance(part.func, ast.Attribute):
            yield _one_axis_less(site, part.func.value, "[0]")


def _one_axis_less(site: Site, node: ast.expr, index: str) -> Change:
    """Return the edit that takes off the first axis of a tensor, or of a shape.

    Where some are taken off already, it is written into the same brackets.
    """
    around = site.parent(node)
    if isinstance(around, ast.Subscript) and around.value is node:
        node = around
    text = f"{site.as_atom(node)}{index}"
    if isinstance(node, ast.Subscript):
        inner, taken = site.text(node.value), node.slice
        if isinstance(taken, ast.Slice) and taken.upper is None and taken.step is None:
            first = taken.lower
            if isinstance(first, ast.Constant) and isinstance(first.value, int):
                text = f"{inner}[{first.value + 1}:]"
        elif isinstance(taken, ast.Constant) and index == "[0]":
            text = f"{inner}[{site.text(taken)}, 0]"
    return site.put(node, text, 0.2, "count")


def by_log_base(site: Site) -> Iterator[Change]:
    """Yield edits that take the natural logarithm where another one is taken."""
    yield from natural(site)
    yield from dropped(site)
    found = site.multiplier
    if found is None or not found.base or found.above or found.below:
        return
    sign = "-" if found.sign < 0 else ""
    for module in ("math", "np", "numpy"):
        if module in site.modules.values():
            text = f"{'/' if found.base < 0 else '*'} {module}.log({abs(found.base)})"
            for node in site.terms:
                body = f"{sign}{site.as_factor(node)} {text}"
                yield site.put(node, site.in_place(node, body), 0.8)


def natural(site: Site) -> Iterator[Change]:
    """Yield every logarithm of another base as a natural one, each and all of them."""
    every = [
        site.renamed(node, "log", 0.0).replacements
        for node, _ in site.calls("log2", "log10")
    ]
    if len(every) > 1:
        yield Change(-0.01, tuple(itertools.chain(*every)))
    for node in site.expressions:
        if not isinstance(node, ast.Call):
            continue
        name = call_name(node)
        if name.rstrip("_") in ("log2", "log10"):
            yield site.renamed(node, "log" + "_" * name.endswith("_"), 0.0)
        if name == "log" and len(node.args) == 2:
            inner = site.text(node.args[0])
            yield site.put(node, f"{site.text(node.func)}({inner})", 0.05)


def doubled(site: Site) -> Iterator[Change]:
    """Yield sums of the same twice, with one of them."""
    for node in site.expressions:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
            continue
        right, left = ast.unparse(node.right), node.left
        last = left.right if isinstance(left, ast.BinOp) else left
        if right in (ast.unparse(left), ast.unparse(last)):
            yield site.put(node, site.kept(node, left), 0.0, "literal")


def _times(
    site: Site, text: str, number: Fraction | None, sign: str = "*"
) -> Iterator[Change]:
    """Yield every term multiplied, or divided, by a text, a plain number in front."""
    kind: Kind = "count" if number is None else "number"
    for node in site.terms:
        parent = site.parent(node)
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow | ast.Mod):
            continue
        if text.startswith("-") and is_minus(parent):
            continue  # the minus around it takes the number as well
        cost = 0.5
        if isinstance(parent, ast.Attribute | ast.Call):
            cost = 0.55  # what is made of it may be multiplied as well
        if is_product(parent):
            cost = 0.6  # the product around it takes the factor as well
            if parent.right is node:
                continue
        body = f"{site.as_factor(node)} {sign} {text}"
        if number is not None and number.numerator == 1 and number.denominator > 1:
            body = f"{site.as_factor(node)} / {number.denominator}"
        elif number is not None:
            body = f"{text} * {site.as_factor(node)}"
        yield site.put(node, site.in_place(node, body), cost, kind)


def _is_count(site: Site, node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return call_name(node) in COUNTING
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute)
    simple = isinstance(node, ast.Name | ast.Attribute) or _is_literal(node)
    if simple and is_product(site.parent(node)):
        return True
    return is_product(node) and any(
        _is_count(site, part)
        for part in (node.left, node.right)
        if isinstance(part, ast.Call | ast.Subscript)
    )


def _is_literal(node: ast.AST) -> bool:
    """Return whether a number is written, or a product of some: 784, 28 * 28."""
    if is_product(node):
        return _is_literal(node.left) and _is_literal(node.right)
    return isinstance(node, ast.Constant)


def _written(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.12g}"


def counts_for(site: Site, count: Sequence[str] | None) -> Iterator[str]:
    """Yield expressions for a count, a product of sizes, such as `dims` or `H`, `W`.

    None asks for any that there are. What the function itself writes comes first. Only
    sizes of tensors are used: a number that happens to fit is no count.
    """
    names, is_any = _tensor_names(site), count is None
    sizes = tuple(count or ())
    yield from site.unused
    if is_any or sizes == ("dims",):
        yield from _written_here(site)
    yield from _unpacked(site, count)
    if sizes in (("dims-1",), ("dims+1",)):
        for text in _dims(site, names):
            yield f"({text} {sizes[0][4]} 1)"
    for name in names if is_any or sizes == ("dims",) else ():
        yield from _dims(site, [name])
        if not is_any:  # where each entry of the ldj is of one axis
            yield f"{name}.shape[-1]"
    if is_any or sizes in (("H", "W"), ("T",)):
        yield from _spatial(site, names, over_places=sizes != ("T",))
    if is_any or sizes == ("T", "H", "W"):
        yield from (f"{name}.shape[2:].numel()" for name in names)
    single = "C" if is_any else sizes[0] if len(sizes) == 1 else ""
    for axis in _AXES.get(single, ()):
        yield from (f"{name}.shape[{axis}]" for name in names)
    if len(sizes) == 2 and sizes != ("H", "W") and {*sizes} <= {*"CHW"}:
        for name in names:
            yield " * ".join(f"{name}.shape[{_AXES[size][0]}]" for size in sizes)
    if sizes == ("active dims",):
        parts = [name for name in site.values if name not in names]
        nearest = parts[:-_HELD:-1]  # a half of what was split
        yield from (f"{name}[0].numel()" for name in nearest)
        for name in dict.fromkeys(_masks(site)):
            yield f"{name}.sum()"
            yield f"(1 - {name}).sum()"


def _unpacked(site: Site, count: Sequence[str] | None) -> Iterator[str]:
    """Yield the name of one size where the function unpacks a shape: `b, c, h, w = ...`."""
    for node in site.inside:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if not isinstance(node, ast.Assign) or not isinstance(target, ast.Tuple):
            continue
        axes = [ast.unparse(name) for name in target.elts]
        if not all(name.strip("_") for name in axes[1:]):
            continue  # a size that was thrown away has no name
        letters = {5: "BCTHW", 4: "BCHW", 3: "BCT"}.get(len(axes))
        if not letters or not ast.unparse(node.value).endswith((".shape", ".size()")):
            continue
        if count is None:
            yield from axes[1:]
        elif count and {*count} <= {*letters}:
            yield " * ".join(axes[letters.index(size)] for size in count)


def _dims(site: Site, names: list[str]) -> Iterator[str]:
    for name in names:
        if "numpy" in site.modules:
            yield f"{site.modules['numpy']}.prod({name}.shape[1:])"
        elif "math" in site.modules:
            yield f"{site.modules['math']}.prod({name}.shape[1:])"
        yield f"{name}[0].numel()"


def _spatial(site: Site, names: list[str], *, over_places: bool) -> Iterator[str]:
    if {"h", "w"} <= set(site.names):
        yield "h * w"
    if {"H", "W"} <= set(site.names):
        yield "H * W"
    for name in names:
        if over_places:
            yield f"{name}.shape[2] * {name}.shape[3]"
        yield f"{name}.shape[2]"


def _written_here(site: Site) -> list[str]:
    """Return the counts that the same function already takes, in its own words."""
    calls = (n for n in site.inside if call_name(n) in ("prod", "numel"))
    texts = map(ast.unparse, calls)
    return list(dict.fromkeys(text for text in texts if len(text) < 50))


def _tensor_names(site: Site) -> list[str]:
    """Return the names that are likely to hold the batch, the likeliest first."""
    inside: dict[str, None] = {}
    for node in site.inside:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            measured = node.attr in ("shape", "numel", "size", "reshape", "view")
            if measured and node.value.id in site.names:
                inside.setdefault(node.value.id)
    names = list(dict.fromkeys([*inside, *site.parameters]))[:_TENSORS]
    # Where the function takes its first item, a name is that of a list of tensors.
    items = {
        ast.unparse(node) for node in site.inside if isinstance(node, ast.Subscript)
    }
    return [f"{name}[0]" if f"{name}[0]" in items else name for name in names]


def _masks(site: Site) -> Iterator[str]:
    for node in site.inside:
        text = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
        if "mask" in text.lower() or text.endswith((".b", ".active")):
            yield text
