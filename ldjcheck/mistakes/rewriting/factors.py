"""Edits of a factor: dropped, changed, or written where it is missing, as a count is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from ldjcheck.mistakes.rewriting import calls, factors, reductions, signs
from ldjcheck.mistakes.rewriting.sites import (
    COUNTING,
    Change,
    Kind,
    Site,
    alone,
    argument_of,
    as_atom,
    as_factor,
    is_product,
    is_sum,
    kept_in_place,
    product_in_place,
    without_statement,
)
from ldjcheck.revision import Replacement, call_name


def dropped(site: Site) -> Iterator[Change]:
    """Yield every product and quotient with one factor taken away."""
    statement = site.statement
    if isinstance(statement, ast.AugAssign) and isinstance(
        statement.op, ast.Mult | ast.Div
    ):
        yield _without_factor(site, statement.value, without_statement(site, statement))
    for node in site.expressions:
        if not isinstance(node, ast.BinOp) or not is_product(node):
            continue
        sides = [(node.left, node.right)]
        if isinstance(node.op, ast.Mult):
            sides.append((node.right, node.left))
        elif not isinstance(node.op, ast.Div):
            continue
        for kept, lost in sides:
            yield _without_factor(site, lost, alone(site, node, kept))


def _without_factor(site: Site, lost: ast.expr, shorter: Replacement) -> Change:
    if isinstance(lost, ast.Constant):
        return Change(0.08, (shorter,), "literal")
    return Change(0.1, (shorter,), "count" if _is_count(site, lost) else "")


def literals(site: Site) -> Iterator[Change]:
    """Yield edits that take away a number, or one of two equal terms."""
    yield from doubled(site)
    for change in dropped(site):
        if change.kind == "literal":
            yield change


def exponents(site: Site) -> Iterator[Change]:
    """Yield sums inside a logarithm with what a power leaves in front of its derivative."""
    for call in site.expressions:
        if not isinstance(call, ast.Call) or call_name(call) not in ("log", "log1p"):
            continue
        inner = argument_of(site, call)
        for node in () if inner is None else ast.walk(inner):
            parent = site.parent(node)
            if not isinstance(node, ast.expr) or not is_sum(parent) or is_sum(node):
                continue
            for number in ("2", "3"):
                text = f"{number} * {as_factor(site, node)}"
                yield site.put(node, text, 0.09)


def by_rounds(site: Site) -> Iterator[Change]:
    """Yield terms of a loop divided, or multiplied, by the number of the round."""
    around: ast.AST = site.statement
    while around is not site.function and not isinstance(around, ast.For):
        around = site.parent(around)
    if not isinstance(around, ast.For) or not isinstance(around.target, ast.Name):
        return
    number = around.target.id
    for node in site.terms:
        if is_sum(site.parent(node)) and not is_sum(node):
            for sign in ("/", "*"):
                text = f"{as_factor(site, node)} {sign} {number}"
                yield site.put(node, product_in_place(site, node, text), 0.09)


def by_number(site: Site) -> Iterator[Change]:
    """Yield edits that multiply a term by a number such as `2`, `-1/2` or `3/2`."""
    number = _number(site.multiplier)
    if number is None:
        return
    yield from doubled(site)
    yield from of_another(site)
    for node in site.expressions:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            value = node.value * float(number)
            if value == node.value or isinstance(node.value, bool):
                continue
            parent = site.parent(node)
            power = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow)
            if power and value == 1:
                assert isinstance(parent, ast.BinOp)
                text = kept_in_place(site, parent, parent.left)
                yield site.put(parent, text, 0.14, "literal")
            elif value != 1 or not is_product(parent):
                yield site.put(node, _written(value), 0.15, "number")
    yield from dropped(site)
    for node in site.expressions:
        if _is_count(site, node):
            yield from _without_batch(site, node)
    yield from _times(site, _written(float(number)), number)


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
        for index, other in enumerate(site.names):
            if other not in (name, "self", "cls"):
                changes = tuple(site.source.put(node, other) for node in nodes)
                yield Change(0.09 + index / 1000, changes)


def by_count(site: Site, label: str) -> Iterator[Change]:
    """Yield edits that make a term count as often as it should, such as `dims` times."""
    if "/" in label:
        yield from _not_off_by_one(site)
        yield from dropped(site)
    counts, others = list(counts_for(site, label)), list(counts_for(site, "any"))
    for node in site.expressions:
        if not _is_count(site, node):
            continue
        yield from _without_batch(site, node)
        for index, sign in enumerate("-+" if not _is_literal(node) else ""):
            text = f"({site.text(node)} {sign} 1)"
            yield site.put(node, text, 0.4 + 0.01 * index, "count")
        for index, text in enumerate(others):
            if text != site.text(node):
                factor = f"({text})" if " * " in text or " - " in text else text
                kind: Kind = "" if _is_literal(node) else "count"
                yield site.put(node, factor, 0.3 + 0.01 * index, kind)
    for index, text in enumerate(counts):
        for change in _times(site, text, None):
            yield replace(change, cost=change.cost + 0.01 * index)
    if "/" not in label:
        yield from dropped(site)


def _not_off_by_one(site: Site) -> Iterator[Change]:
    """Yield counts such as `x.shape[1] - 1` without the one."""
    for node in site.expressions:
        if (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Add | ast.Sub)
            and isinstance(node.right, ast.Constant)
            and node.right.value == 1
            and is_product(site.parent(node))
        ):
            text = kept_in_place(site, node, node.left)
            yield site.put(node, text, 0.05, "count")


def _without_batch(site: Site, node: ast.expr) -> Iterator[Change]:
    """Yield a count over one axis less: `prod(s[1:])`, `x[0].numel()`."""
    for part in ast.walk(node):
        if call_name(part) == "prod" and isinstance(part, ast.Call) and part.args:
            inner = part.args[0]
            for axes in ast.walk(inner):
                if isinstance(axes, ast.Name | ast.Attribute | ast.Call):
                    yield _one_axis_less(site, axes, "[1:]")
        elif call_name(part) == "numel" and isinstance(part, ast.Call):
            owner = part.func
            if isinstance(owner, ast.Attribute):
                yield _one_axis_less(site, owner.value, "[0]")


def _one_axis_less(site: Site, node: ast.expr, index: str) -> Change:
    """Return the edit that takes off the first axis of a tensor, or of a shape.

    Where some are taken off already, it is written into the same brackets.
    """
    around = site.parent(node)
    if isinstance(around, ast.Subscript) and around.value is node:
        node = around
    if isinstance(node, ast.Subscript):
        inner, taken = site.text(node.value), node.slice
        if isinstance(taken, ast.Slice) and taken.upper is None and taken.step is None:
            first = taken.lower
            if isinstance(first, ast.Constant) and isinstance(first.value, int):
                text = f"{inner}[{first.value + 1}:]"
                return site.put(node, text, 0.2, "count")
        elif isinstance(taken, ast.Constant) and index == "[0]":
            text = f"{inner}[{site.text(taken)}, 0]"
            return site.put(node, text, 0.2, "count")
    return site.put(node, f"{as_atom(site, node)}{index}", 0.2, "count")


def by_log_base(site: Site) -> Iterator[Change]:
    """Yield edits that take the natural logarithm where another one is taken."""
    yield from natural(site)
    yield from dropped(site)
    found = re.fullmatch(r"(-?)(1/)?ln (\d+)", site.multiplier)
    if found is None:
        return
    for module in ("math", "np", "numpy"):
        if module in site.modules.values():
            sign, over, base = found.groups()
            text = f"{module}.log({base})"
            for node in site.terms:
                body = f"{sign}{as_factor(site, node)} {'/' if over else '*'} {text}"
                yield site.put(node, product_in_place(site, node, body), 0.8)


def natural(site: Site) -> Iterator[Change]:
    """Yield every logarithm of another base as a natural one."""
    for node in site.expressions:
        if not isinstance(node, ast.Call):
            continue
        name = call_name(node)
        if name.rstrip("_") in ("log2", "log10"):
            new = site.text(node.func)[: -len(name)] + "log" + "_" * name.endswith("_")
            yield site.put(node.func, new, 0.0)
        if name == "log" and len(node.args) == 2:
            inner = site.text(node.args[0])
            yield site.put(node, f"{site.text(node.func)}({inner})", 0.05)


def doubled(site: Site) -> Iterator[Change]:
    """Yield sums of the same twice, with one of them."""
    for node in site.expressions:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
            continue
        right = ast.unparse(node.right)
        if right == ast.unparse(node.left) or (
            isinstance(node.left, ast.BinOp) and right == ast.unparse(node.left.right)
        ):
            yield site.put(node, kept_in_place(site, node, node.left), 0.0, "literal")


def _times(site: Site, text: str, number: Fraction | None) -> Iterator[Change]:
    """Yield every term multiplied by a text, a plain number in front."""
    for node in site.terms:
        parent = site.parent(node)
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow | ast.Mod):
            continue
        term, cost = as_factor(site, node), 0.5
        if isinstance(parent, ast.Attribute | ast.Call):
            cost = 0.55  # what is made of it may be multiplied as well
        if is_product(parent) and isinstance(parent, ast.BinOp):
            cost = 0.6  # the product around it takes the factor as well
            if parent.right is node:
                continue
        if number is None:
            body = f"{term} * {text}"
        elif number.numerator == 1 and number.denominator > 1:
            body = f"{term} / {number.denominator}"
        else:
            body = f"{text} * {term}"
        kind: Kind = "count" if number is None else "number"
        yield site.put(node, product_in_place(site, node, body), cost, kind)


def _is_count(site: Site, node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return call_name(node) in COUNTING
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute)
    parent = site.parent(node)
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Constant)
    return ((simple or _is_literal(node)) and is_product(parent)) or (
        is_product(node)
        and any(
            _is_count(site, part)
            for part in (node.left, node.right)  # type: ignore[attr-defined]  # a product
            if isinstance(part, ast.Call | ast.Subscript)
        )
    )


def _is_literal(node: ast.AST) -> bool:
    """Return whether a number is written, or a product of some: 784, 28 * 28."""
    if isinstance(node, ast.BinOp) and is_product(node):
        return _is_literal(node.left) and _is_literal(node.right)
    return isinstance(node, ast.Constant)


def _number(label: str) -> Fraction | None:
    try:
        return Fraction(label)
    except ValueError:
        return None


def _written(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.12g}"


_TENSORS = 3  # names of tensors that are tried


def counts_for(site: Site, label: str) -> Iterator[str]:
    """Yield expressions for a count such as `dims`, `H*W`, `C` or `dims-1`.

    What the function itself writes comes first. Only sizes of tensors are used: a number
    that happens to fit is no count.
    """
    label = label.strip("()")
    names = _tensor_names(site)
    yield from site.unused
    yield from _written_here(site, label)
    yield from _unpacked(site, label)
    off = re.fullmatch(r"dims([+-]1)", label)
    if off is not None:
        sign = off.group(1)[0]
        for text in _dims(site, names):
            yield f"({text} {sign} 1)"
        return
    for name in names if label in ("dims", "any") else ():
        yield from _dims(site, [name])
        if label == "dims":  # where each entry of the ldj is of one axis
            yield f"{name}.shape[-1]"
    if label in ("H*W", "T", "any"):
        yield from _spatial(site, names, label)
    if label in ("T*H*W", "any"):
        yield from (f"{name}.shape[2:].numel()" for name in names)
    if label in ("C", "any"):
        yield from (f"{name}.shape[1]" for name in names)
        yield from (f"{name}.shape[2]" for name in names)  # of a (T, C) event
    single = {"H": 2, "W": 3, "T": 2, "B": 0}
    if label in single:
        yield from (f"{name}.shape[{single[label]}]" for name in names)
    if label == "T":
        yield from (f"{name}.shape[1]" for name in names)
    elif label in ("H", "W"):  # of a video
        yield from (f"{name}.shape[{single[label] + 1}]" for name in names)
    product = label.split("*")
    if len(product) == 2 and label != "H*W" and all(p in "CHW" for p in product):
        axes = [{"C": 1, "H": 2, "W": 3}[p] for p in product]
        for name in names:
            yield " * ".join(f"{name}.shape[{axis}]" for axis in axes)
    if label == "active dims":
        for name in dict.fromkeys(_masks(site)):
            yield f"{name}.sum()"
            yield f"(1 - {name}).sum()"


def _unpacked(site: Site, label: str) -> Iterator[str]:
    """Yield the name of one size where the function unpacks a shape: `b, c, h, w = ...`."""
    for node in site.inside:
        if not isinstance(node, ast.Assign) or not isinstance(
            node.targets[0], ast.Tuple
        ):
            continue
        shape = ast.unparse(node.value)
        axes = [ast.unparse(name) for name in node.targets[0].elts]
        letters = {5: "BCTHW", 4: "BCHW", 3: "BCT"}.get(len(axes))
        if letters is None or not shape.endswith((".shape", ".size()")):
            continue
        if all(part in letters for part in label.split("*")):
            yield " * ".join(axes[letters.index(part)] for part in label.split("*"))
        elif label == "any":
            yield from axes[1:]


def _dims(site: Site, names: list[str]) -> Iterator[str]:
    for name in names:
        if "numpy" in site.modules:
            yield f"{site.modules['numpy']}.prod({name}.shape[1:])"
        elif "math" in site.modules:
            yield f"{site.modules['math']}.prod({name}.shape[1:])"
        yield f"{name}[0].numel()"


def _spatial(site: Site, names: list[str], label: str) -> Iterator[str]:
    if {"h", "w"} <= set(site.names):
        yield "h * w"
    if {"H", "W"} <= set(site.names):
        yield "H * W"
    for name in names:
        if label != "T":
            yield f"{name}.shape[2] * {name}.shape[3]"
        yield f"{name}.shape[2]"


def _written_here(site: Site, label: str) -> Iterator[str]:
    """Yield the counts that the same function already takes, in its own words."""
    found: dict[str, None] = {}
    for node in site.inside:
        text = ast.unparse(node) if isinstance(node, ast.Call) else ""
        inner = call_name(node) in ("prod", "numel") and isinstance(node, ast.Call)
        if inner and label in ("dims", "any") and len(text) < 50:
            found.setdefault(text)
    yield from found


def _tensor_names(site: Site) -> list[str]:
    """Return the names that are likely to hold the batch, the likeliest first."""
    inside: dict[str, None] = {}
    for node in site.inside:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            measured = node.attr in ("shape", "numel", "size", "reshape", "view")
            if measured and node.value.id in site.names:
                inside.setdefault(node.value.id)
    parameters = [
        node.arg
        for node in site.inside
        if isinstance(node, ast.arg) and node.arg not in ("self", "cls")
    ]
    names = list(dict.fromkeys([*inside, *parameters]))[:_TENSORS]
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


def counted(site: Site) -> Iterator[Change]:
    """Yield edits that multiply a term by the count that its explanation asks for."""
    explanation, label = site.explanation, site.multiplier
    if label.startswith("-"):
        yield from _counted_and_turned(site, label.removeprefix("-"))
        return
    yield from calls.summed(site)
    yield from factors.by_count(site, label)
    if explanation is None or not explanation.constant:
        yield from reductions.over_events(site)


def _counted_and_turned(site: Site, label: str) -> Iterator[Change]:
    """Yield edits of a count, each beside every edit that turns a sign."""
    turns = list(signs.operators(site))
    for count in factors.by_count(site, label):
        for turn in turns:
            both = count.replacements + turn.replacements
            yield replace(count, cost=count.cost + turn.cost, replacements=both)
