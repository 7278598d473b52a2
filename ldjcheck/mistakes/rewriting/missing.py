"""Edits that add a term which a step of the map lacks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.counts import counts_for
from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.mistakes.rewriting.wording import argument_of, as_atom, as_factor
from ldjcheck.revision import call_name

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
