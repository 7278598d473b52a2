"""Slips of the pen: edits of one statement of an ldj, each a mistake that people make."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ldjcheck.mistakes.rewriting.sites import Site, signs_of
from ldjcheck.revision import Replacement, call_name
from ldjcheck.revision.text import is_minus, is_product, is_sum, names_in, targets_of

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
    value = getattr(site.statement, "value", None)
    for part in value.elts if isinstance(value, ast.Tuple) else [value]:
        if isinstance(part, ast.expr):  # of `return y, ldj`, one after the other
            at = site.source.file, part.lineno, part.col_offset
            for kind, text, changes in _all(site, part):
                yield Slip(kind, changes[0].line, text, changes, at)


_Found = tuple[str, str, tuple[Replacement, ...]]


def _all(site: Site, part: ast.expr) -> Iterator[_Found]:
    yield from _of_value(site, part)
    inside = set(ast.walk(part))
    for node in site.expressions:
        if node not in inside:
            continue
        if is_sum(node):
            yield from _of_sum(site, node)
        elif is_product(node):
            yield from _of_product(site, node)
        elif is_minus(node):
            around = site.parent(node)
            given = isinstance(around, ast.Call | ast.keyword | ast.Tuple | ast.List)
            if not given or not isinstance(node.operand, ast.Constant):  # `sum(-1)`
                yield _put(site, "minus lost", node, site.as_factor(node.operand))
        elif isinstance(node, ast.Call):
            yield from _of_call(site, node)
        elif isinstance(node, ast.Subscript):
            yield from _of_index(site, node)
    yield from _at_output(site, part)


def _put(site: Site, what: str, node: ast.AST, text: str) -> _Found:
    return what, text, (site.source.put(node, text),)


def _of_value(site: Site, value: ast.expr) -> Iterator[_Found]:
    statement, more = site.statement, f"{site.text(value)} + 1"
    twice = f"2 * {site.as_factor(value)}"
    if isinstance(statement, ast.AugAssign):
        if isinstance(statement.op, ast.Add | ast.Sub):
            swapped, (old, new) = site.turned(statement), signs_of(statement)
            if swapped is not None:
                yield "sign turned", f"{new}=", (swapped,)
                minus = "-" if old == "-" else ""
                lost = f"{site.text(statement.target)} = {minus}{site.as_factor(value)}"
                yield _put(site, "total overwritten", statement, lost)
            yield _put(site, "term forgotten", statement, "pass")
            yield _put(site, "counted twice", value, twice)
            yield _put(site, "one too many", value, more)
            yield from _moved(site, statement)
        return
    if not isinstance(statement, ast.Assign | ast.Return):
        return
    # A name that is returned among others may be a total that was handed through.
    is_handed_on = isinstance(statement, ast.Return) and value is not statement.value
    makes_a_term = isinstance(value, ast.BinOp | ast.Call | ast.UnaryOp | ast.Subscript)
    if makes_a_term or (is_handed_on and isinstance(value, ast.Name)):
        yield _put(site, "one too many", value, more)
        if "zeros" not in call_name(value):
            yield _put(site, "sign turned", value, f"-{site.as_atom(value)}")
            yield _put(site, "counted twice", value, twice)
            yield _put(site, "term forgotten", value, f"0 * {site.as_factor(value)}")
    if isinstance(statement, ast.Assign):
        yield from _moved(site, statement)


def _moved(site: Site, statement: ast.AugAssign | ast.Assign) -> Iterator[_Found]:
    """Yield the statement done after the next one, which moves what it looks at."""
    block = site.source.block(statement)
    following = next(iter(block[block.index(statement) + 1 :]), None)
    if (
        not isinstance(following, ast.Assign)
        or following.lineno != following.end_lineno
    ):
        return
    made = {t.id for t in following.targets if isinstance(t, ast.Name)}
    if made & names_in(statement.value):
        later = f"{site.text(following)}; {site.text(statement)}"
        put = site.source.put(statement, "pass"), site.source.put(following, later)
        yield "after the step", "; ".join(later.split("\n")), put


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
    taken = (names_in(step.value) - {made}) & set(site.names)
    names = (node for node in ast.walk(part) if isinstance(node, ast.Name))
    of_taken = (name for name in names if name.id in taken)
    uses = [name for name in of_taken if not _asks_the_kind(site.parent(name))]
    if uses and made not in names_in(part):
        put = tuple(site.source.put(node, made) for node in uses)
        yield "at the output", f"of {made}", put


def _asks_the_kind(node: ast.AST) -> bool:
    """Return whether a use of a tensor is about its size or type, not its values."""
    if isinstance(node, ast.Attribute):
        return node.attr in _KINDS or node.attr.startswith("new_")
    return call_name(node) == "len"


def _of_product(site: Site, node: ast.BinOp) -> Iterator[_Found]:
    if isinstance(node.op, ast.Mult):
        parent = site.parent(node)
        if not (isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult)):
            factors = [site.as_factor(factor) for factor in _factors(node)]
            for index in reversed(range(len(factors))):
                kept = " * ".join(factors[:index] + factors[index + 1 :])
                yield _put(site, "factor forgotten", node, f"({kept})")
        return
    yield _put(site, "factor forgotten", node, site.as_atom(node.left))
    if isinstance(node.op, ast.Div):
        turned = site.operator(node.left, node.right, "/", "*")
        if turned is not None:
            yield "multiplied", f"* {site.text(node.right)}", (turned,)


def _factors(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _of_sum(site: Site, node: ast.BinOp) -> Iterator[_Found]:
    left, right, (old, new) = node.left, node.right, signs_of(node)
    swapped = site.turned(node)
    if swapped is not None:
        yield "sign turned", f"{new} {site.text(right)}", (swapped,)
    yield _put(site, "term forgotten", node, site.as_atom(left))
    if not isinstance(right, ast.Constant):
        yield _put(site, "counted twice", right, f"2 * {site.as_factor(right)}")
    if is_sum(left):
        return  # its own terms have their turn
    alone = f"({old.strip('+')}{site.as_factor(right)})"
    # What may be a running total: arguments, and what the statement renews.
    totals = {node.arg for node in site.inside if isinstance(node, ast.arg)}
    totals |= {t.id for t in targets_of(site.statement) if isinstance(t, ast.Name)}
    if isinstance(left, ast.Name) and left.id in totals:
        yield _put(site, "total overwritten", node, alone)
    elif not isinstance(left, ast.Constant):
        yield _put(site, "term forgotten", node, alone)
        yield _put(site, "counted twice", left, f"2 * {site.as_factor(left)}")


def _of_call(site: Site, node: ast.Call) -> Iterator[_Found]:
    name, inner = call_name(node), site.argument_of(node)
    if inner is None:
        return
    text, kept = site.text(node), site.as_atom(inner)
    if name == "log":
        for base in ("log2", "log10"):
            yield _renamed(site, f"{base} for log", node, base)
        yield _put(site, "log forgotten", node, kept)
        yield _put(site, "abs outside", node, f"abs({text})")
        more = f"{site.text(inner)} + 1e-3"
        more = more if inner in node.args else f"({more})"
        yield _put(site, "number in log", inner, more)
    elif name == "where" and len(node.args) == 3:
        first, second = node.args[1:]
        put = site.source.put
        swapped = put(first, site.text(second)), put(second, site.text(first))
        yield "branches swapped", site.text(second), swapped
    elif name == "abs":
        yield _put(site, "abs forgotten", node, kept)
    elif name == "sum":
        yield _renamed(site, "mean for sum", node, "mean")
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


def _renamed(site: Site, what: str, node: ast.Call, new: str) -> _Found:
    return what, f"{new}(...)", site.renamed(node, new, 0.0).replacements


def _of_index(site: Site, node: ast.Subscript) -> Iterator[_Found]:
    """Yield the sign that `slogdet` gives kept, where its second result is taken."""
    call = node.value
    if isinstance(call, ast.Call) and call_name(call) == "slogdet" and call.args:
        matrix = site.text(call.args[0])
        yield _put(site, "abs forgotten", node, f"torch.logdet({matrix})")
        yield _put(site, "log forgotten", node, f"torch.det({matrix}).abs()")
