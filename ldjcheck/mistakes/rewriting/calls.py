"""Edits of a call: a logarithm, an absolute value, a mean for a sum, what cuts a gradient."""

import ast
import itertools
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.revision import call_name
from ldjcheck.revision.text import is_power, is_product, is_sum
from ldjcheck.torch_ops import BOUNDED

_LOGS = ("log", "log1p", "log2", "log10")
_ABSOLUTES = ("abs", "absolute", "fabs")
_PAIRS = (
    ("rfft", "fft"), ("rfft2", "fft2"), ("rfftn", "fftn"), ("sinh", "cosh"),
    ("sin", "cos"), ("tril", "triu"), ("log", "log1p"), ("max", "min"),
    ("cumsum", "cumprod"), ("trace", "logdet"), ("lgamma", "digamma"),
)  # fmt: skip
_TWINS = {**dict(_PAIRS), **{other: one for one, other in _PAIRS}}
_CUTTING = ("detach", "detach_", "item")


def unwrapped(site: Site, *names: str) -> Iterator[Change]:
    """Yield every call of one of these names, with its argument in its place."""
    for node in site.expressions:
        inner = site.argument_of(node)
        if call_name(node).rstrip("_") in names and inner is not None:
            yield site.put(node, site.kept(node, inner), 0.0)


def without_abs(site: Site) -> Iterator[Change]:
    """Yield edits that drop an absolute value, or take it before the logarithm."""
    yield from unwrapped(site, *_ABSOLUTES)
    for node, log in site.calls(*_ABSOLUTES):
        inner = site.argument_of(log) if call_name(log) in _LOGS else None
        if inner is None:
            continue
        assert isinstance(log, ast.Call)
        for index, text in enumerate(_absolute(site, inner)):
            of_tensor = inner not in log.args
            swapped = f"{text}.log()" if of_tensor else f"{site.text(log.func)}({text})"
            yield site.put(node, swapped, 0.02 + index / 100)


def without_exp(site: Site) -> Iterator[Change]:
    """Yield edits that drop an exponential."""
    yield from unwrapped(site, "exp", "matrix_exp")


def without_bound(site: Site) -> Iterator[Change]:
    """Yield edits that drop a bound."""
    yield from unwrapped(site, *BOUNDED)


def with_abs(site: Site) -> Iterator[Change]:
    """Yield edits that take the logarithm of an absolute value."""
    yield from slogdets(site)
    for node, inner in site.calls(*_LOGS):
        for part in ast.walk(inner):
            if isinstance(part, ast.expr) and part in site.terms:
                for index, text in enumerate(_absolute(site, part)):
                    yield site.put(part, text, 0.1 * (part is not inner) + index / 50)
        function = site.text(node.func)
        if function.startswith(("torch", "np", "math")) and call_name(node) == "log1p":
            plain = function.removesuffix("1p")
            yield site.put(node, f"{plain}(abs(1 + {site.text(inner)}))", 0.3)


def with_log(site: Site) -> Iterator[Change]:
    """Yield edits that take the logarithm of something that lacks one."""
    for node in site.expressions:
        inner = site.argument_of(node)
        if call_name(node) in ("abs", "absolute"):
            yield from _slogdet(site, node, inner, 0.0)
        else:
            yield from _slogdet(site, node, node, 0.05)
    for node in site.terms:
        if isinstance(node, ast.UnaryOp):
            continue
        for index, text in enumerate(_logarithms(site, node)):
            yield site.put(node, text, 0.1 + index / 20)


def log_moved(site: Site) -> Iterator[Change]:
    """Yield the logarithm of a sum for a sum of logarithms, and the other way round.

    So of means, as the slope of a mixture is one; where what is averaged is a logarithm by
    its name alone, its exponential is.
    """
    wholes = [*site.calls("sum", "mean")]
    for whole, inner in wholes:
        sides = (inner.left, inner.right) if is_product(inner) else (inner,)
        for part in sides:
            for text in _within(site, whole, part, f"{site.as_atom(part)}.exp()"):
                yield site.put(whole, f"{text}.log()", 0.2)
    for (whole, inner), (log, of) in itertools.product(wholes, site.calls("log")):
        if log in set(ast.walk(inner)):
            for text in _within(site, whole, log, site.as_atom(of)):
                yield site.put(whole, f"{text}.log()", 0.1)
        if of is whole:
            for text in _within(site, whole, inner, f"{site.as_atom(inner)}.log()"):
                yield site.put(log, text, 0.1)


def power_moved(site: Site) -> Iterator[Change]:
    """Yield the power of a sum for a sum of powers, and the other way round."""
    for whole, inner in site.calls("sum"):
        outer = site.parent(whole)
        if is_power(inner):
            power = site.text(inner.right)
            for text in _within(site, whole, inner, site.text(inner.left)):
                yield site.put(whole, f"{text} ** {power}", 0.15)
        elif is_power(outer):
            body = f"({site.as_atom(inner)} ** {site.text(outer.right)})"
            for text in _within(site, whole, inner, body):
                yield site.put(outer, text, 0.15)


def _within(site: Site, whole: ast.expr, part: ast.expr, text: str) -> Iterator[str]:
    """Yield the code of the whole with a text in the place of a part that is there once."""
    before, after = site.text(whole), site.text(part)
    if before.count(after) == 1:
        yield before.replace(after, text)


def without_slice(site: Site) -> Iterator[Change]:
    """Yield edits that take all entries of what is sliced, or one more of them."""
    for node in site.expressions:
        slices = [
            part
            for part in ast.walk(getattr(node, "slice", ast.Pass()))
            if isinstance(part, ast.Slice)
        ]
        if isinstance(node, ast.Subscript) and slices:
            yield site.put(node, site.text(node.value), 0.0)
        for bound in (b for part in slices for b in (part.lower, part.upper)):
            number = bound.operand if isinstance(bound, ast.UnaryOp) else bound
            cut = number.value if isinstance(number, ast.Constant) else None
            if number is not None and isinstance(cut, int) and cut > 1:
                yield site.put(number, str(cut - 1), 0.05)


def as_sliced_elsewhere(site: Site) -> Iterator[Change]:
    """Yield edits that take the part of a name which its function takes elsewhere."""
    parts = [n for n in ast.walk(site.function) if isinstance(n, ast.Subscript)]
    for node in site.terms:
        taken = (p for p in parts if isinstance(node, ast.Name) and p.value is not node)
        same = (p for p in taken if ast.unparse(p.value) == ast.unparse(node))
        for index, text in enumerate(dict.fromkeys(map(ast.unparse, same))):
            yield site.put(node, text, 0.1 + index / 50)


def twins(site: Site) -> Iterator[Change]:
    """Yield edits that call the other one of two functions that are taken for each other."""
    for node in site.expressions:
        plain = isinstance(site.argument_of(node), ast.Constant)
        if isinstance(node, ast.Call) and call_name(node) in _TWINS and not plain:
            yield site.renamed(node, _TWINS[call_name(node)], 0.15)


def summed(site: Site) -> Iterator[Change]:
    """Yield edits that sum where there is a mean."""
    for node in site.expressions:
        if isinstance(node, ast.Call) and call_name(node) in ("mean", "nanmean"):
            yield site.renamed(node, "sum", 0.0)


def slogdets(site: Site) -> Iterator[Change]:
    """Yield edits that take log|det| at once: a determinant may be negative, or underflow."""
    for node in site.expressions:
        if call_name(node) == "logdet":
            yield from _slogdet(site, node, node, 0.0, "logdet")
        elif call_name(node) == "log":
            inner = site.argument_of(node)
            if inner is not None and call_name(inner) in _ABSOLUTES:
                inner = site.argument_of(inner)
            yield from _slogdet(site, node, inner, 0.0)


def beyond_trace(site: Site) -> Iterator[Change]:
    """Yield log|det(I + A)| where the first term of its series stands, the trace of A."""
    for node in site.expressions:
        inner = site.argument_of(node) if call_name(node) in ("trace", "sum") else None
        if inner is not None and call_name(node) == "sum":
            inner = site.argument_of(inner) if call_name(inner) == "diagonal" else None
        if inner is not None:
            a, size = site.text(inner), f"{site.as_atom(inner)}.shape[-1]"
            text = f"torch.linalg.slogdet(torch.eye({size}).to({a}) + {a})[1]"
            yield site.put(node, text, 0.3)


def beyond_diagonal(site: Site) -> Iterator[Change]:
    """Yield log|det A| where the logarithms of its diagonal are summed, as of no triangle."""
    for whole, inner in site.calls("sum"):
        taken = [n for n in ast.walk(inner) if call_name(n) in ("diagonal", "diag")]
        logs = any(call_name(n) in _LOGS for n in ast.walk(inner))
        for node in taken if logs else ():
            of = site.argument_of(node)
            if of is not None:
                yield site.put(whole, f"torch.linalg.slogdet({site.text(of)})[1]", 0.15)


def _slogdet(
    site: Site, node: ast.expr, of: ast.expr | None, cost: float, name: str = "det"
) -> Iterator[Change]:
    """Yield what takes log|det| in a node's place, of what a determinant is taken of."""
    matrix = None if of is None or call_name(of) != name else site.argument_of(of)
    if matrix is not None:
        yield site.put(node, f"torch.slogdet({site.text(matrix)})[1]", cost)


def _absolute(site: Site, node: ast.expr) -> Iterator[str]:
    parent = site.parent(node)
    if (
        isinstance(parent, ast.Attribute)
        and call_name(site.parent(parent)) in _LOGS
        and parent.value is node
    ):
        yield f"{site.as_atom(node)}.abs()"
    elif "torch" in site.modules.values():
        yield f"torch.abs({site.text(node)})"
    yield f"abs({site.text(node)})"


def _logarithms(site: Site, node: ast.expr) -> Iterator[str]:
    """Yield ways to write a logarithm, the one that the function uses first.

    That of an exponential is its argument.
    """
    inner = site.argument_of(node)
    if call_name(node) == "exp" and inner is not None:
        yield site.kept(node, inner)
    text, atom, source = site.text(node), site.as_atom(node), ast.unparse(site.function)
    modules = site.modules.values()
    styles = [f"torch.log({text})"] if "torch" in modules else []
    styles.append(f"{atom}.log()")
    if "torch.log(" not in source and ".log()" in source:
        styles.reverse()
    for module in ("np", "numpy", "math"):
        if module in modules:
            front = f"{module}.log(" in source
            styles.insert(0 if front else len(styles), f"{module}.log({text})")
    yield from styles
    positive = call_name(node) in ("abs", "exp", "softplus", "sigmoid", "diag")
    if not positive and not is_sum(node):
        if "torch" in modules:
            yield f"torch.log(torch.abs({text}))"
        yield f"{atom}.abs().log()"


def uncut(site: Site) -> Iterator[Change]:
    """Yield the statement without one `detach`, `.data`, `.item()` or `no_grad`."""
    for node in site.expressions:
        inner = site.argument_of(node)
        if call_name(node) in _CUTTING and inner is not None:
            yield site.put(node, site.kept(node, inner), 0.0)
        elif isinstance(node, ast.Call) and call_name(node) == "grad" and node.args:
            if all(k.arg != "create_graph" for k in node.keywords):
                text = site.text(node)[:-1].rstrip().rstrip(",")
                yield site.put(node, f"{text}, create_graph=True)", 0.0)
        elif isinstance(node, ast.Attribute) and node.attr == "data":
            yield site.put(node, site.kept(node, node.value), 0.0)
    around = site.parent(site.statement)
    if isinstance(around, ast.With) and len(around.items) == 1:
        cutting = ("no_grad", "inference_mode", "set_grad_enabled")
        cuts = call_name(around.items[0].context_expr) in cutting
        if cuts and around.body[0].lineno == around.lineno + 1:
            text = site.dedented(around.body, around.col_offset)
            yield site.put(around, text, 0.1)
