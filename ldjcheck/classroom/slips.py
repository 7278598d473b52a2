"""Slips of the pen: edits of one statement of an ldj, each a mistake that people make."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldjcheck.mistakes.rewriting.sites import as_atom, as_factor, is_product, is_sum
from ldjcheck.revision import Replacement, call_name

if TYPE_CHECKING:
    from ldjcheck.mistakes.rewriting.sites import Site

_LOGS = {"log": ("log2", "log10")}
_REDUCTIONS = ("sum",)
_KINDS = ("shape", "size", "numel", "ndim", "dim", "dtype", "device", "type_as")


@dataclass(frozen=True, slots=True)
class Slip:
    """One edit: what it is called, the line that it changes, and the new text there."""

    what: str
    line: int
    text: str  # the changed part, as it stands afterwards
    replacements: tuple[Replacement, ...]
    part: tuple[str, int, int]  # where the value begins that it is a slip in

    @property
    def file(self) -> str:
        """The file that it is planted in, as it was loaded."""
        return self.part[0]


def slips(site: Site) -> Iterator[Slip]:
    """Yield every slip that a statement of the ldj has room for."""
    for part in _parts(site.statement):
        at = site.source.file, part.lineno, part.col_offset
        for kind, text, changes in _all(site, part):
            yield Slip(kind, changes[0].line, text, changes, at)


_Found = tuple[str, str, tuple[Replacement, ...]]


def _parts(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the values that a statement makes: of `return y, ldj`, one after the other."""
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Tuple):
        yield from value.elts
    elif isinstance(value, ast.expr):
        yield value


def _all(site: Site, part: ast.expr) -> Iterator[_Found]:
    yield from _of_value(site, part)
    inside = set(ast.walk(part))
    for node in site.expressions:
        if node not in inside:
            continue
        if isinstance(node, ast.BinOp):
            yield from _of_operation(site, node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            if not _is_axis(site, node):
                yield _put(site, "minus lost", node, as_factor(site, node.operand))
        elif isinstance(node, ast.Call):
            yield from _of_call(site, node)
        elif isinstance(node, ast.Subscript):
            yield from _of_index(site, node)
    yield from _at_output(site, part)


def _is_axis(site: Site, node: ast.UnaryOp) -> bool:
    """Return whether a negative number is an argument, as in `sum(-1)`."""
    parent = site.parent(node)
    is_argument = isinstance(parent, ast.Call | ast.keyword | ast.Tuple | ast.List)
    return isinstance(node.operand, ast.Constant) and is_argument


def _put(site: Site, what: str, node: ast.AST, text: str) -> _Found:
    return what, text, (site.source.put(node, text),)


def _of_value(site: Site, value: ast.expr) -> Iterator[_Found]:
    statement = site.statement
    if isinstance(statement, ast.AugAssign):
        if isinstance(statement.op, ast.Add | ast.Sub):
            yield from _of_addition(site, statement, value)
        return
    if not isinstance(statement, ast.Assign | ast.Return):
        return
    # A name that is returned among others may be a total that was handed through.
    is_handed_on = isinstance(statement, ast.Return) and value is not statement.value
    if _makes_a_term(value) or (is_handed_on and isinstance(value, ast.Name)):
        yield _put(site, "one too many", value, f"{site.text(value)} + 1")
        if not (isinstance(value, ast.Call) and "zeros" in call_name(value)):
            yield _put(site, "sign turned", value, f"-{as_atom(site, value)}")
            yield _put(site, "counted twice", value, f"2 * {as_factor(site, value)}")
            yield _put(site, "term forgotten", value, f"0 * {as_factor(site, value)}")
    if isinstance(statement, ast.Assign):
        yield from _moved(site, statement)


def _of_addition(
    site: Site, statement: ast.AugAssign, value: ast.expr
) -> Iterator[_Found]:
    old, new = ("+", "-") if isinstance(statement.op, ast.Add) else ("-", "+")
    swapped = site.swap(statement.target, value, old, new)
    if swapped is not None:
        yield "sign turned", f"{new}=", (swapped,)
        target = site.text(statement.target)
        lost = f"{target} = {'-' * (old == '-')}{as_factor(site, value)}"
        yield _put(site, "total overwritten", statement, lost)
    yield _put(site, "term forgotten", statement, "pass")
    yield _put(site, "counted twice", value, f"2 * {as_factor(site, value)}")
    yield _put(site, "one too many", value, f"{site.text(value)} + 1")
    yield from _moved(site, statement)


def _makes_a_term(value: ast.expr) -> bool:
    """Return whether an expression makes an ldj, rather than hand several things on."""
    return isinstance(value, ast.BinOp | ast.Call | ast.UnaryOp | ast.Subscript)


def _moved(site: Site, statement: ast.AugAssign | ast.Assign) -> Iterator[_Found]:
    """Yield the statement done after the next one, which moves what it looks at."""
    block = site.source.block(statement)
    place = block.index(statement)
    following = block[place + 1] if place + 1 < len(block) else None
    if (
        not isinstance(following, ast.Assign)
        or following.lineno != following.end_lineno
    ):
        return
    made = {t.id for t in following.targets if isinstance(t, ast.Name)}
    used = {n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)}
    if not made & used:
        return
    later = f"{site.text(following)}; {site.text(statement)}"
    yield (
        "after the step",
        "; ".join(later.split("\n")),
        (site.source.put(statement, "pass"), site.source.put(following, later)),
    )


def _at_output(site: Site, part: ast.expr) -> Iterator[_Found]:
    """Yield the derivative taken at what a step makes, for what the step takes.

    Both names are read off the statement just above, as in `y = torch.tanh(x)`.
    """
    block = site.source.block(site.statement)
    place = block.index(site.statement)
    step = block[place - 1] if place else None
    if not isinstance(step, ast.Assign) or not isinstance(step.targets[0], ast.Name):
        return
    made = step.targets[0].id
    taken = {n.id for n in ast.walk(step.value) if isinstance(n, ast.Name)} - {made}
    uses = [
        node
        for node in ast.walk(part)
        if isinstance(node, ast.Name)
        and node.id in taken & set(site.names)
        and not _asks_the_kind(site.parent(node))
    ]
    if uses and made not in {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}:
        put = tuple(site.source.put(node, made) for node in uses)
        yield "at the output", f"of {made}", put


def _asks_the_kind(node: ast.AST) -> bool:
    """Return whether a use of a tensor is about its size or type, not its values."""
    if isinstance(node, ast.Attribute):
        return node.attr in _KINDS or node.attr.startswith("new_")
    return isinstance(node, ast.Call) and call_name(node) == "len"


def _of_operation(site: Site, node: ast.BinOp) -> Iterator[_Found]:
    left, right = node.left, node.right
    if is_sum(node):
        yield from _of_sum(site, node)
    elif isinstance(node.op, ast.Mult):
        parent = site.parent(node)
        if not (isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult)):
            factors = [as_factor(site, factor) for factor in _factors(node)]
            for index in reversed(range(len(factors))):
                kept = " * ".join(factors[:index] + factors[index + 1 :])
                yield _put(site, "factor forgotten", node, f"({kept})")
    elif is_product(node):
        yield _put(site, "factor forgotten", node, as_atom(site, left))
        if isinstance(node.op, ast.Div):
            turned = site.swap(left, right, "/", "*")
            if turned is not None:
                yield "multiplied", f"* {site.text(right)}", (turned,)


def _factors(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _of_sum(site: Site, node: ast.BinOp) -> Iterator[_Found]:
    left, right = node.left, node.right
    is_plus = isinstance(node.op, ast.Add)
    old, new = ("+", "-") if is_plus else ("-", "+")
    swapped = site.swap(left, right, old, new)
    if swapped is not None:
        yield "sign turned", f"{new} {site.text(right)}", (swapped,)
    yield _put(site, "term forgotten", node, as_atom(site, left))
    if not isinstance(right, ast.Constant):
        yield _put(site, "counted twice", right, f"2 * {as_factor(site, right)}")
    if is_sum(left):
        return  # its own terms have their turn
    alone = f"({'' if is_plus else '-'}{as_factor(site, right)})"
    if isinstance(left, ast.Name) and left.id in _totals(site):
        yield _put(site, "total overwritten", node, alone)
    elif not isinstance(left, ast.Constant):
        yield _put(site, "term forgotten", node, alone)
        yield _put(site, "counted twice", left, f"2 * {as_factor(site, left)}")


def _totals(site: Site) -> set[str]:
    """Return what may be a running total: arguments, and what the statement renews."""
    names = {node.arg for node in site.inside if isinstance(node, ast.arg)}
    targets = getattr(site.statement, "targets", [])
    return names | {t.id for t in targets if isinstance(t, ast.Name)}


def _of_call(site: Site, node: ast.Call) -> Iterator[_Found]:
    name, inner = call_name(node), _operand(node)
    if inner is None:
        return
    text, kept = site.text(node), as_atom(site, inner)
    if name in _LOGS:
        for base in _LOGS[name]:
            yield _renamed(site, f"{base} for log", node, name, base)
        yield _put(site, "log forgotten", node, kept)
        yield _put(site, "abs outside", node, f"abs({text})")
        more = f"{site.text(inner)} + 1e-3"
        yield _put(
            site, "number in log", inner, more if inner in node.args else f"({more})"
        )
    elif name == "where" and len(node.args) == 3:
        first, second = node.args[1:]
        put = site.source.put
        swapped = put(first, site.text(second)), put(second, site.text(first))
        yield "branches swapped", site.text(second), swapped
    elif name == "abs":
        yield _put(site, "abs forgotten", node, kept)
    elif name in _REDUCTIONS:
        yield _renamed(site, "mean for sum", node, name, "mean")
        if len(node.args) + len(node.keywords) > (inner in node.args):
            yield _put(site, "batch summed too", node, f"{kept}.sum()")
            yield _put(site, "sum forgotten", node, kept)
            if "keepdim" not in text and text.endswith(")"):
                column = f"{text[:-1].rstrip().rstrip(',')}, keepdim=True)"
                yield _put(site, "column kept", node, column)
    elif name == "numel" and isinstance(inner, ast.Subscript):
        yield _put(site, "batch counted", inner, site.text(inner.value))
    elif name == "prod":
        for part in ast.walk(node):
            if isinstance(part, ast.Subscript) and text != site.text(part):
                yield _put(site, "batch counted", part, site.text(part.value))


def _operand(node: ast.Call) -> ast.expr | None:
    """Return what a call is about: the object of a method, or the first argument."""
    function = node.func
    if isinstance(function, ast.Attribute):
        owner = function.value
        is_module = isinstance(owner, ast.Name) and owner.id in (
            "torch", "np", "numpy", "math", "F",
        )  # fmt: skip
        if not is_module and not _is_dotted_module(owner):
            return owner
    return node.args[0] if node.args else None


def _is_dotted_module(node: ast.expr) -> bool:
    return ast.unparse(node) in ("torch.linalg", "torch.nn.functional", "torch.special")


def _renamed(site: Site, what: str, node: ast.Call, old: str, new: str) -> _Found:
    function = node.func
    line, end = function.end_lineno or 0, function.end_col_offset or 0
    start = end - len(old.encode())
    change = Replacement(site.source.file, line, start, line, end, new)
    return what, f"{new}(...)", (change,)


def _of_index(site: Site, node: ast.Subscript) -> Iterator[_Found]:
    """Yield the sign that `slogdet` gives kept, where its second result is taken."""
    call = node.value
    if isinstance(call, ast.Call) and call_name(call) == "slogdet" and call.args:
        matrix = site.text(call.args[0])
        yield _put(site, "abs forgotten", node, f"torch.logdet({matrix})")
        yield _put(site, "log forgotten", node, f"torch.det({matrix}).abs()")
