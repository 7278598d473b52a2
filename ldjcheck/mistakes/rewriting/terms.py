"""Edits of whole terms: taken away, put in the place of another, or added where one lacks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.factors import counts_for
from ldjcheck.mistakes.rewriting.sites import (
    Change,
    Site,
    alone,
    argument_of,
    as_atom,
    as_factor,
    is_sum,
    without_statement,
)
from ldjcheck.revision import Replacement, call_name

_ZEROS = ("zeros", "new_zeros", "zeros_like")


def taken_away(site: Site) -> Iterator[Change]:
    """Yield every sum without one of its parts, and the code without the statement."""
    statement = site.statement
    if isinstance(statement, ast.AugAssign | ast.Assign | ast.Expr):
        yield Change(0.1, (without_statement(site, statement),))
    yield from shorter_sums(site)


def shorter_sums(site: Site) -> Iterator[Change]:
    """Yield every sum without one of its parts."""
    for node in site.expressions:
        if not isinstance(node, ast.BinOp) or not is_sum(node):
            continue
        if _is_running_total(site, node):
            assert isinstance(site.statement, ast.stmt)
            yield Change(0.04, (without_statement(site, site.statement),))
            continue
        yield Change(0.05, (alone(site, node, node.left),))
        if isinstance(node.op, ast.Add):
            yield Change(0.06, (alone(site, node, node.right),))
        else:
            yield site.put(node, f"-{as_factor(site, node.right)}", 0.06)


def _is_running_total(site: Site, node: ast.BinOp) -> bool:
    """Return whether a statement adds one term to a name: without it, nothing is left."""
    statement = site.statement
    return (
        isinstance(statement, ast.Assign)
        and statement.value is node
        and ast.unparse(node.left) in [ast.unparse(t) for t in statement.targets]
    )


def zero_for_one(site: Site) -> Iterator[Change]:
    """Yield edits that start from zero instead of one."""
    for node in site.expressions:
        if isinstance(node, ast.Call) and call_name(node).startswith(
            ("ones", "new_ones")
        ):
            text = site.text(node.func)
            name = call_name(node)
            new = text[: -len(name)] + name.replace("ones", "zeros")
            yield site.put(node.func, new, 0.0)
        elif isinstance(node, ast.Constant) and site.text(node) in ("1", "1.0"):
            yield site.put(node, site.text(node).replace("1", "0"), 0.1)
    yield from shorter_sums(site)


def added_to_total(site: Site) -> Iterator[Change]:
    """Yield edits that add to the total where it is overwritten."""
    statement, source = site.statement, site.source
    parameters = [
        node.arg
        for node in site.inside
        if isinstance(node, ast.arg) and node.arg not in ("self", "cls")
    ]
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            if target.id in parameters and call_name(statement.value) in _ZEROS:
                yield Change(0.0, (without_statement(site, statement),))
                yield Change(0.005, (_where_none(site, statement, target.id),))
            swapped = site.swap(target, statement.value, "=", "+=")
            text = _plus(site, target.id, statement.value)
            yield Change(0.01, (source.put(statement.value, text),))
            if swapped is not None:
                yield Change(0.1, (swapped,))
        elif isinstance(target, ast.Tuple):
            yield from _kept_apart(site, target)
    for node in site.terms:
        for index, name in enumerate(parameters[1:4]):
            if site.text(node) != name:
                yield site.put(node, _plus(site, name, node), 0.2 + index / 20)


def _where_none(site: Site, statement: ast.Assign, total: str) -> Replacement:
    """Return the replacement that starts a total at zero where none was passed."""
    row = site.source.lines[statement.lineno - 1]
    indent = row[: statement.col_offset].decode()
    inside = f"{indent}    {site.text(statement)}"
    return site.source.put(statement, f"if {total} is None:\n{inside}")


def _kept_apart(site: Site, target: ast.Tuple) -> Iterator[Change]:
    """Yield what gives a call's ldj a name of its own, and adds it to the total."""
    before = {
        node.id
        for node in site.inside
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Store)
        and node.lineno < target.lineno
    }
    for element in target.elts[1:]:
        if not isinstance(element, ast.Name) or element.id not in before:
            continue
        name = f"step_{element.id}"
        if name in site.names:
            continue
        apart = site.source.put(element, name)
        for place in site.beside(f"{element.id} = {element.id} + {name}")[:1]:
            yield Change(0.02, (apart, place))


def _plus(site: Site, total: str, node: ast.expr) -> str:
    """Return a total with a term added to it, or taken off where the term has a minus."""
    text = as_factor(site, node)
    if text.startswith("-"):
        return f"{total} - {text[1:].lstrip()}"
    return f"{total} + {text}"


_MOST = 12  # terms that are tried at one place


def added(site: Site) -> Iterator[Change]:
    """Yield edits that add a term after a step, before it, or where the ldj is returned."""
    yield from _kept_of_sublayer(site)
    terms = list(dict.fromkeys(_terms(site)))[:_MOST]
    total = total_of(site)
    for index, term in enumerate(terms):
        for sign in ("+", "-"):
            cost = 0.1 + index / 20 + 0.01 * (sign == "-")
            if total is not None and not isinstance(site.statement, ast.Return):
                written = _added_to(site, total, sign, term)
                for place in site.beside(written):
                    yield Change(cost, (place,))
            elif isinstance(site.statement, ast.Return):
                value = _returned(site.statement)
                if value is not None:
                    text = f"{site.text(value)} {sign} {_operand(term)}"
                    yield site.put(value, text, cost)


def instead(site: Site) -> Iterator[Change]:
    """Yield edits that put a term where the ldj is set to zero, or is lost."""
    statement = site.statement
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        for index, term in enumerate(_terms(site)):
            for sign in ("", "-"):
                text = f"{sign}{_operand(term) if sign else term}"
                yield site.put(statement.value, text, 0.1 + index / 20)
    yield from added(site)


def total_of(site: Site) -> str | None:
    """Return the name under which a function hands back its ldj."""
    for node in site.inside:
        value = _returned(node)
        if isinstance(value, ast.Name):
            return value.id
    return None


def _returned(node: ast.AST) -> ast.expr | None:
    if not isinstance(node, ast.Return):
        return None
    if isinstance(node.value, ast.Tuple):
        return node.value.elts[1] if len(node.value.elts) == 2 else None
    return node.value  # of a method that computes the ldj alone


def _terms(site: Site) -> Iterator[str]:
    """Yield the terms that may be missing: of the step itself, or as written elsewhere.

    What is worked out and then not used comes first.
    """
    yield from site.unused
    yield from _of_constant(site, site.operand)
    here = [site.statement, *_steps(site)]
    for statement in here:
        if isinstance(statement, ast.Assign):
            yield from _of_step(site, statement.value)
    yield from _elsewhere(site)


def _of_constant(site: Site, operand: str | None) -> Iterator[str]:
    """Yield the logarithm of a constant, for every dim, or of each where none is summed."""
    inner = _logged(operand or "")
    if inner is None:
        return
    logarithm = _logarithm(site, inner)
    for count in list(dict.fromkeys(counts_for(site, "dims")))[:3]:
        yield f"{logarithm} * {count}"
    yield logarithm


def _logarithm(site: Site, number: str) -> str:
    """Return how the source at hand would write the log of a number: by what it imports."""
    tree = ast.parse(number, mode="eval").body
    half = ""
    if call_name(tree) == "sqrt" and isinstance(tree, ast.Call):
        half, tree = "0.5 * ", tree.args[0]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    inner = ast.unparse(tree)
    for module in ("math", "numpy", "torch"):
        name = site.modules.get(module)
        if name is None:
            continue
        inner = re.sub(r"\bmath\.", f"{name}.", inner)
        if module == "torch" and names <= {"math"}:
            inner = f"{name}.tensor({inner})"
        return f"{half}{name}.log({inner})"
    return f"{half}torch.log({inner})"


def _logged(operand: str) -> str | None:
    """Return what the operand is the logarithm of; None where it is no logarithm.

    A name may begin with "log", and a sum may begin and end with one.
    """
    found = re.fullmatch(r"log(?:\((.*)\)|\|(.*)\|)", operand, re.DOTALL)
    if found is None:
        return None
    inner = found[1] or found[2] or ""
    try:
        ast.parse(inner, mode="eval")
    except SyntaxError:
        return None
    return inner


def _steps(site: Site) -> list[ast.stmt]:
    """Return the statements of the block that make a value by a step of a map."""
    return [s for s in site.source.block(site.statement) if s is not site.statement]


def _of_step(site: Site, value: ast.expr) -> Iterator[str]:
    """Yield the log-derivative of a plain step, summed over the event."""
    name = call_name(value)
    if isinstance(value, ast.Call):
        inner = argument_of(site, value)
        if inner is None:
            return
        text, atom = site.text(inner), as_atom(site, inner)
        functional = next(
            (f for f in ("F", "nn.functional") if re.search(rf"\b{f}\.", _file(site))),
            "torch.nn.functional",
        )
        minus = as_factor(site, inner)
        derivatives = {
            "exp": atom,
            "log": f"(-torch.log({text}))",
            "sinh": f"torch.log(torch.cosh({text}))",
            "sigmoid": f"(-{functional}.softplus({minus}) "
            f"- {functional}.softplus(-{minus}))",
            "tanh": f"torch.log(1 - torch.tanh({text}) ** 2)",
        }
        if name in derivatives:
            yield f"{derivatives[name]}.flatten(1).sum(1)"
    products = [
        node
        for node in ast.walk(value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)
    ]
    for product in products[:2]:
        for side in (product.right, product.left):
            text = site.text(side)
            if call_name(side) == "exp" and isinstance(side, ast.Call):
                argument = argument_of(site, side)
                if argument is not None:
                    yield f"{as_atom(site, argument)}.sum()"
                    yield f"{as_atom(site, argument)}.flatten(1).sum(1)"
            elif not isinstance(side, ast.Constant):
                yield f"torch.log(torch.abs({text})).sum()"


def _elsewhere(site: Site) -> Iterator[str]:
    """Yield the terms that the same class adds to its total elsewhere."""
    home: ast.AST = site.function
    while home in site.source.parents and not isinstance(home, ast.ClassDef):
        home = site.source.parents[home]
    total = total_of(site)
    for node in ast.walk(home):
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == total:
            yield site.text(node.value)
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.BinOp)
            and isinstance(node.value.op, ast.Add | ast.Sub)
            and ast.unparse(node.value.left) == total
        ):
            yield site.text(node.value.right)


def _kept_of_sublayer(site: Site) -> Iterator[Change]:
    """Yield edits that keep the ldj of a sublayer which is thrown away."""
    statement = site.statement
    if not isinstance(statement, ast.Assign) or not isinstance(
        statement.value, ast.Call
    ):
        return
    total = total_of(site)
    for target in statement.targets:
        if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
            continue
        lost = target.elts[1]
        if not isinstance(lost, ast.Name) or not lost.id.startswith("_"):
            continue
        name = f"{call_name(statement.value).strip('_')}_{total or 'ldj'}"
        kept = site.source.put(lost, name)
        if total is not None:
            for place in site.beside(_added_to(site, total, "+", name))[:1]:
                yield Change(0.0, (kept, place))
        for node in site.inside:
            value = _returned(node)
            if value is not None:
                text = f"{site.text(value)} + {name}"
                yield Change(0.01, (kept, site.source.put(value, text)))


def _added_to(site: Site, total: str, sign: str, term: str) -> str:
    """Return the statement that adds a term, as the function writes such statements."""
    in_place = any(
        isinstance(node, ast.AugAssign) and ast.unparse(node.target) == total
        for node in site.inside
    )
    if in_place:
        return f"{total} {sign}= {term}"
    return f"{total} = {total} {sign} {_operand(term)}"


def _operand(term: str) -> str:
    tree = ast.parse(term, mode="eval").body
    loose = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub)
    return f"({term})" if loose else term


def _file(site: Site) -> str:
    return b"".join(site.source.lines).decode()
