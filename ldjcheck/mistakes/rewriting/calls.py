"""Edits of a call: a logarithm, an absolute value, a mean for a sum, what cuts a gradient."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.sites import (
    Change,
    Site,
    argument_of,
    as_atom,
    is_sum,
    kept_in_place,
)
from ldjcheck.revision import call_name
from ldjcheck.revision.text import Replacement, span_of
from ldjcheck.torch_ops import BOUNDED

_LOGS = ("log", "log1p", "log2", "log10")
_ABSOLUTES = ("abs", "absolute", "fabs")


def unwrapped(site: Site, *names: str) -> Iterator[Change]:
    """Yield every call of one of these names, with its argument in its place."""
    for node in site.expressions:
        if isinstance(node, ast.Call) and call_name(node).rstrip("_") in names:
            inner = argument_of(site, node)
            if inner is not None:
                yield site.put(node, kept_in_place(site, node, inner), 0.0)


def without_abs(site: Site) -> Iterator[Change]:
    """Yield edits that drop an absolute value, or take it before the logarithm."""
    yield from unwrapped(site, *_ABSOLUTES)
    for node in site.expressions:
        if not isinstance(node, ast.Call) or call_name(node) not in _ABSOLUTES:
            continue
        log = argument_of(site, node)
        if not isinstance(log, ast.Call) or call_name(log) not in _LOGS:
            continue
        inner = argument_of(site, log)
        if inner is None:
            continue
        for index, text in enumerate(_absolute(site, inner)):
            swapped = f"{text}.log()"
            if inner in log.args:
                swapped = f"{site.text(log.func)}({text})"
            yield site.put(node, swapped, 0.02 + index / 100)


def without_exp(site: Site) -> Iterator[Change]:
    """Yield edits that drop an exponential."""
    yield from unwrapped(site, "exp")


def without_bound(site: Site) -> Iterator[Change]:
    """Yield edits that drop a bound."""
    yield from unwrapped(site, *BOUNDED)


def with_abs(site: Site) -> Iterator[Change]:
    """Yield edits that take the logarithm of an absolute value."""
    yield from slogdets(site)
    for node in site.expressions:
        if not isinstance(node, ast.Call) or call_name(node) not in _LOGS:
            continue
        inner = argument_of(site, node)
        if inner is None:
            continue
        for part in ast.walk(inner):
            if isinstance(part, ast.expr) and part in site.terms:
                for index, text in enumerate(_absolute(site, part)):
                    yield site.put(part, text, 0.1 * (part is not inner) + index / 50)
        if call_name(node) == "log1p":
            plain = site.text(node.func)[: -len("log1p")] + "log"
            if site.text(node.func).startswith(("torch", "np", "math")):
                text = f"{plain}(abs(1 + {site.text(inner)}))"
                yield site.put(node, text, 0.3)


def with_log(site: Site) -> Iterator[Change]:
    """Yield edits that take the logarithm of something that lacks one."""
    for node in site.expressions:
        if call_name(node) in ("abs", "absolute"):
            inner = argument_of(site, node)  # type: ignore[arg-type]  # a call
            if inner is not None and call_name(inner) == "det":
                matrix = argument_of(site, inner)  # type: ignore[arg-type]  # likewise
                if matrix is not None:
                    text = f"torch.slogdet({site.text(matrix)})[1]"
                    yield site.put(node, text, 0.0)
        elif call_name(node) == "det":
            matrix = argument_of(site, node)  # type: ignore[arg-type]  # likewise
            if matrix is not None:
                yield site.put(node, f"torch.slogdet({site.text(matrix)})[1]", 0.05)
    for node in site.terms:
        if isinstance(node, ast.UnaryOp):
            continue
        for index, text in enumerate(_logarithms(site, node)):
            yield site.put(node, text, 0.1 + index / 20)


def without_slice(site: Site) -> Iterator[Change]:
    """Yield edits that take all entries of what is sliced."""
    for node in site.expressions:
        if isinstance(node, ast.Subscript) and any(
            isinstance(part, ast.Slice) for part in ast.walk(node.slice)
        ):
            yield site.put(node, site.text(node.value), 0.0)


def summed(site: Site) -> Iterator[Change]:
    """Yield edits that sum where there is a mean."""
    for node in site.expressions:
        if isinstance(node, ast.Call) and call_name(node) in ("mean", "nanmean"):
            text = site.text(node.func)
            name = call_name(node)
            yield site.put(node.func, text[: -len(name)] + "sum", 0.0)


def slogdets(site: Site) -> Iterator[Change]:
    """Yield edits that take log|det| at once: a determinant may be negative, or underflow."""
    for node in site.expressions:
        if not isinstance(node, ast.Call):
            continue
        inner: ast.expr | None = node
        if call_name(node) == "log":
            inner = argument_of(site, node)
            if isinstance(inner, ast.Call) and call_name(inner) in _ABSOLUTES:
                inner = argument_of(site, inner)
            if not isinstance(inner, ast.Call) or call_name(inner) != "det":
                continue
        elif call_name(node) != "logdet":
            continue
        assert isinstance(inner, ast.Call)
        matrix = argument_of(site, inner)
        if matrix is not None:
            yield site.put(node, f"torch.slogdet({site.text(matrix)})[1]", 0.0)


def _absolute(site: Site, node: ast.expr) -> Iterator[str]:
    parent = site.parent(node)
    method = (
        isinstance(parent, ast.Attribute)
        and call_name(site.parent(parent)) in _LOGS
        and parent.value is node
    )
    if method:
        yield f"{as_atom(site, node)}.abs()"
    elif "torch" in site.modules.values():
        yield f"torch.abs({site.text(node)})"
    yield f"abs({site.text(node)})"


def _logarithms(site: Site, node: ast.expr) -> Iterator[str]:
    """Yield ways to write a logarithm, the one that the function uses first.

    That of an exponential is its argument.
    """
    if isinstance(node, ast.Call) and call_name(node) == "exp":
        inner = argument_of(site, node)
        if inner is not None:
            yield kept_in_place(site, node, inner)
    text = site.text(node)
    source = "".join(ast.unparse(site.function))
    positive = call_name(node) in ("abs", "exp", "softplus", "sigmoid", "diag")
    styles = []
    if "torch" in site.modules.values():
        styles.append(f"torch.log({text})")
    styles.append(f"{as_atom(site, node)}.log()")
    if "torch.log(" not in source and ".log()" in source:
        styles.reverse()
    for module in ("np", "numpy", "math"):
        if module in site.modules.values():
            front = f"{module}.log(" in source
            styles.insert(0 if front else len(styles), f"{module}.log({text})")
    yield from styles
    if not positive and not is_sum(node):
        if "torch" in site.modules.values():
            yield f"torch.log(torch.abs({text}))"
        yield f"{as_atom(site, node)}.abs().log()"


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
