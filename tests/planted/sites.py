"""Edits at one expression of the ldj slice: a factor, a sum, a reduction, a logarithm.

Each yields the mistake's name, the edits, the term that the mistake is about, and what
else a proposal must know.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .edits import Edit, rename_called, replace, swap_operator, swap_sign
from .slices import LOGS, call_name, is_zero, operand, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .slices import Mark

Found = tuple[str, tuple[Edit, ...], ast.expr, dict[str, object]]

# What a step takes in and what it gives, by the names that the libraries use.
BEFORE_AFTER: tuple[tuple[str, str], ...] = (
    ("inputs", "outputs"),
    ("x", "y"),
    ("z", "z_"),
    ("_input", "result"),
    ("x_or_z", "result"),
    ("x_b", "y_b"),
)


def at_mark(mark: Mark) -> Iterator[Found]:
    node = mark.node
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Add | ast.Sub):
            yield from _sums(mark, node)
        else:
            yield from _factors(mark, node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "flip-sign", (swap_sign(mark.function.file, node),), node.operand, {}
    elif isinstance(node, ast.Call):
        yield from _reductions(mark, node)
        yield from _logs(mark, node)
    if isinstance(node, ast.Subscript | ast.Attribute):
        yield from _slogdet(mark, node)
    yield from _counts(mark, node)
    yield from _elsewhere(mark, node)
    yield from _inside(mark, node)


def _sums(mark: Mark, node: ast.BinOp) -> Iterator[Found]:
    file = mark.function.file
    kept_right = replace(
        file, node, "-" if isinstance(node.op, ast.Sub) else "", node.right
    )
    more: dict[str, object] = {"count": node} if _is_factor(mark, node) else {}
    yield "drop-term", (replace(file, node, "", node.left),), node.right, dict(more)
    if not is_zero(node.left) and not isinstance(node.right, ast.Constant):
        yield "drop-term", (kept_right,), node.left, dict(more)
    swapped = swap_operator(file, node)
    if swapped is not None:
        yield "flip-sign", (swapped,), node.right, dict(more)
    targets = {ast.unparse(t) for t in targets_of(mark.statement)}
    for term in (node.left, node.right):
        if is_zero(term) or ast.unparse(term) in targets:
            continue  # doubling a running total compounds: another mistake
        if isinstance(term, ast.BinOp) and isinstance(term.op, ast.Add | ast.Sub):
            continue
        if isinstance(term, ast.UnaryOp):
            continue
        short = len(file.text(term)) < 40 and term.lineno == term.end_lineno
        after = f" + ({file.text(term)})" if short else " * 2"
        yield "twice", (replace(file, term, "", term, after),), term, dict(more)


def _factors(mark: Mark, node: ast.BinOp) -> Iterator[Found]:
    file = mark.function.file
    if isinstance(node.op, ast.Mult):
        yield (
            "drop-factor",
            (replace(file, node, "", node.right),),
            node.right,
            {"dropped": (node.left,)},
        )
    if isinstance(node.op, ast.Mult | ast.Div):
        yield (
            "drop-factor",
            (replace(file, node, "", node.left),),
            node.left,
            {
                "dropped": (node.right,),
                "divides": isinstance(node.op, ast.Div),
            },
        )
    inner = node.left
    if not (isinstance(node.op, ast.Mult) and isinstance(inner, ast.BinOp)):
        return
    if isinstance(inner.op, ast.Mult):
        edit = replace(file, node, "", inner.left)
        yield "drop-factor", (edit,), inner.left, {"dropped": (inner.right, node.right)}


def _is_factor(mark: Mark, node: ast.expr) -> bool:
    """Return whether a sum stands as a factor beside something that is no number."""
    parent = mark.function.file.parents[node]
    if not (isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult)):
        return False
    other = parent.right if node is parent.left else parent.left
    return not isinstance(other, ast.Constant | ast.UnaryOp)


def _reductions(mark: Mark, node: ast.Call) -> Iterator[Found]:
    file, name, inner = mark.function.file, call_name(node), operand(node)
    if inner is None:
        return
    if name == "sum_except_batch":
        mean = replace(file, node, "", inner, ".flatten(1).mean(1)")
        yield "mean-for-sum", (mean,), node, {}
        yield "batch-in-sum", (replace(file, node, "", inner, ".sum()"),), node, {}
        yield "drop-axis", (replace(file, node, "", inner),), node, {}
    if name != "sum" or not isinstance(node.func, ast.Attribute):
        return
    renamed = rename_called(node, "sum", "mean")
    if renamed is not None:
        yield "mean-for-sum", (renamed,), node, {}
    axes = _axes(node)
    if axes is None:
        return
    yield "batch-in-sum", (replace(file, node, "", inner, ".sum()"),), node, {}
    yield "drop-axis", (replace(file, node, "", inner),), node, {}
    if isinstance(axes, ast.List | ast.Tuple) and len(axes.elts) > 1:
        shorter = replace(file, axes, "", None)
        kept = ", ".join(file.text(e) for e in axes.elts[:-1])
        yield (
            "drop-axis",
            (
                Edit(
                    shorter.line,
                    shorter.column,
                    shorter.last_line,
                    shorter.last_column,
                    f"[{kept}]",
                ),
            ),
            node,
            {},
        )
    for part in ast.walk(axes):
        if isinstance(part, ast.Call) and call_name(part) == "range":
            first = part.args[0]
            if isinstance(first, ast.Constant) and first.value == 1:
                yield "drop-axis", (replace(file, first, "2", None),), node, {}


def _axes(node: ast.Call) -> ast.expr | None:
    for keyword in node.keywords:
        if keyword.arg in {"dim", "axis"}:
            return keyword.value
    place = 0 if receiver(node) is not None else 1
    return node.args[place] if len(node.args) > place else None


def _logs(mark: Mark, node: ast.Call) -> Iterator[Found]:
    file, name, inner = mark.function.file, call_name(node), operand(node)
    if name not in LOGS or inner is None:
        return
    if name == "log1p" and isinstance(inner, ast.Call) and call_name(inner) == "abs":
        signed = operand(inner)
        if signed is not None:
            edit = replace(file, inner, "", signed)
            yield "drop-abs", (edit,), node, {"dropped": (signed,)}
    before = "1 + " if name == "log1p" else ""
    yield "drop-log", (replace(file, node, before, inner),), node, {}
    if name == "log":
        for base in ("log2", "log10"):
            renamed = rename_called(node, "log", base)
            if renamed is not None:
                yield "log-base", (renamed,), node, {}


def _slogdet(mark: Mark, node: ast.Subscript | ast.Attribute) -> Iterator[Found]:
    call = node.value
    if not isinstance(call, ast.Call) or call_name(call) != "slogdet":
        return
    if isinstance(node, ast.Attribute) and node.attr != "logabsdet":
        return
    file, matrix = mark.function.file, call.args[0]
    text = file.text(matrix)
    signed = replace(file, node, f"torch.logdet({text})", None)
    yield "drop-abs", (signed,), node, {"dropped": (matrix,)}
    yield "drop-log", (replace(file, node, f"torch.det({text}).abs()", None),), node, {}


def _counts(mark: Mark, node: ast.expr) -> Iterator[Found]:
    """Yield edits that let an axis too many into a count: mostly the batch."""
    file = mark.function.file
    for part in ast.walk(node):
        if not isinstance(part, ast.Call):
            continue
        if call_name(part) == "prod":
            for inner in ast.walk(part):
                if isinstance(inner, ast.Subscript) and _drops_first(inner):
                    edit = replace(file, inner, "", inner.value)
                    yield "batch-in-count", (edit,), node, {}
        elif call_name(part) == "numel" and isinstance(part.func, ast.Attribute):
            base = part.func.value
            if not isinstance(base, ast.Subscript):
                continue
            index = base.slice
            if _is_number(index, 0):
                edit = replace(file, base, "", base.value)
                yield "batch-in-count", (edit,), node, {}
            elif isinstance(index, ast.Tuple) and _is_number(index.elts[0], 0):
                first = index.elts[0]
                line, column = first.lineno, first.col_offset
                edit = Edit(line, column, line, column + 1, ":")
                yield "batch-in-count", (edit,), node, {}


def _drops_first(node: ast.Subscript) -> bool:
    index = node.slice
    return (
        isinstance(index, ast.Slice)
        and index.lower is not None
        and _is_number(index.lower, 1)
        and index.upper is None
    )


def _is_number(node: ast.expr, value: int) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


def _elsewhere(mark: Mark, node: ast.expr) -> Iterator[Found]:
    """Yield edits that evaluate a term after its step (or before it)."""
    if not (_is_term(node) or isinstance(node, ast.Name)):
        return
    names = {n.id for n in ast.walk(mark.function.node) if isinstance(n, ast.Name)}
    names |= set(mark.function.parameters)
    for pair in BEFORE_AFTER:
        for old, new in (pair, pair[::-1]):
            if new not in names:
                continue
            uses = [
                n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == old
            ]
            edits = tuple(
                Edit(n.lineno, n.col_offset, n.lineno, n.end_col_offset or 0, new)
                for n in uses
            )
            if edits:
                yield "evaluate-elsewhere", edits, node, {}


def _inside(mark: Mark, node: ast.expr) -> Iterator[Found]:
    """Yield a slip inside a term: a number lost, a sign turned under the logarithm."""
    if not isinstance(node, ast.Call) or not _is_term(node):
        return
    inner = operand(node)
    if inner is None:
        return
    file = mark.function.file
    for part in ast.walk(inner):
        if not isinstance(part, ast.BinOp):
            continue
        if isinstance(part.op, ast.Add | ast.Sub):
            swapped = swap_operator(file, part)
            if swapped is not None:
                yield "inside-a-term", (swapped,), node, {}
        elif _scales(part) and part is not inner:
            edit = replace(file, part, "", part.right)
            yield "inside-a-term", (edit,), node, {}


def _scales(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.Mult) and isinstance(node.left, ast.Constant)


def _is_term(node: ast.expr) -> bool:
    names = LOGS | {"softplus", "logsigmoid", "expm1"}
    return isinstance(node, ast.Call) and call_name(node) in names


def at_product(mark: Mark) -> Iterator[Found]:
    file, node = mark.function.file, mark.node
    if isinstance(node, ast.Call) and call_name(node) == "abs":
        inner = operand(node)
        if inner is not None:
            edit = replace(file, node, "", inner)
            yield "drop-abs", (edit,), node, {"dropped": (inner,), "in_log": True}
    if not isinstance(node, ast.BinOp):
        return
    more: dict[str, object] = {"in_log": True}
    if isinstance(node.op, ast.Mult):
        edit = replace(file, node, "", node.right)
        yield "drop-term", (edit,), node, dict(more)
    if isinstance(node.op, ast.Mult | ast.Div):
        edit = replace(file, node, "", node.left)
        yield "drop-term", (edit,), node, dict(more)


def targets_of(statement: ast.stmt) -> list[ast.expr]:
    """Return what a statement assigns to."""
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AugAssign) else []
