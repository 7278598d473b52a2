"""Edits of whole terms: taken away, put in the place of another, or added where one lacks."""

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ldjcheck.calling.parameter_names import is_total
from ldjcheck.mistakes.rewriting.factors import counts_for
from ldjcheck.mistakes.rewriting.signs import added_to
from ldjcheck.mistakes.rewriting.sites import SUM, Change, Site
from ldjcheck.revision import Replacement, call_name, is_disjoint
from ldjcheck.revision.text import is_minus, is_sum, names_in

_ZEROS = ("zeros", "new_zeros", "zeros_like")
_MOST = 12  # terms that are tried at one place
_NEAR = 4  # steps whose slopes are summed at another
_HELD = 24  # names whose logarithm is
_OF_NUMBERS, _OF_TENSORS = ("math", "numpy", "torch"), ("torch", "math", "numpy")


def taken_away(site: Site) -> Iterator[Change]:
    """Yield every sum without one of its parts, and the code without the statement."""
    if isinstance(site.statement, ast.AugAssign | ast.Assign | ast.Expr):
        yield Change(0.1, (site.gone(),))
    yield from shorter_sums(site)


def shorter_sums(site: Site) -> Iterator[Change]:
    """Yield every sum without one of its parts."""
    statement = site.statement
    total = added_to(statement) if isinstance(statement, ast.Assign) else None
    numbers: list[Replacement] = []
    for node in site.expressions:
        if not is_sum(node):
            continue
        if isinstance(node.right, ast.Constant):
            numbers.append(site.alone(node, node.left))
        if total is not None and site.parent(node) is statement:
            yield Change(0.04, (site.gone(),))  # one term is all that it adds to a name
            continue
        yield Change(0.05, (site.alone(node, node.left),))
        if isinstance(node.op, ast.Add):
            yield Change(0.06, (site.alone(node, node.right),))
        else:
            yield site.put(node, f"-{site.as_factor(node.right)}", 0.06)
    if len(numbers) > 1 and is_disjoint(numbers):
        yield Change(0.07, tuple(numbers))  # as of both sides of an image


def zero_for_one(site: Site) -> Iterator[Change]:
    """Yield edits that start from zero instead of one."""
    for node in site.expressions:
        name = call_name(node)
        if isinstance(node, ast.Call) and name.startswith(("ones", "new_ones")):
            yield site.renamed(node, name.replace("ones", "zeros"), 0.0)
        elif isinstance(node, ast.Constant) and site.text(node) in ("1", "1.0"):
            yield site.put(node, site.text(node).replace("1", "0"), 0.1)
    yield from shorter_sums(site)


def added_to_total(site: Site) -> Iterator[Change]:
    """Yield edits that add to the total where it is overwritten."""
    statement = site.statement
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            if target.id in site.parameters and call_name(statement.value) in _ZEROS:
                yield Change(0.0, (site.gone(),))
                inside = f"{' ' * statement.col_offset}    {site.text(statement)}"
                yield site.put(statement, f"if {target.id} is None:\n{inside}", 0.005)
            yield site.put(
                statement.value, _plus(site, target.id, statement.value), 0.01
            )
            swapped = site.operator(target, statement.value, "=", "+=")
            if swapped is not None:
                yield Change(0.1, (swapped,))
        elif isinstance(target, ast.Tuple):
            yield from _kept_apart(site, target)
    for node in site.terms:
        for index, name in enumerate(site.parameters[1:4]):
            if site.text(node) != name:
                yield site.put(node, _plus(site, name, node), 0.2 + index / 20)


def overwritten(site: Site) -> Iterator[Change]:
    """Yield edits that add to what the function has given the same name before.

    Or that have the name where what began it is written anew.
    """
    statement = site.statement
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return
    name = site.text(statement.targets[0])
    stored = (n for n in site.inside if isinstance(n, ast.Assign))
    before = [n for n in stored if n.lineno < statement.lineno]
    begun = [n.value for n in before if name in map(site.text, n.targets)]
    for node in site.expressions:
        if node is not statement.value and site.text(node) in map(site.text, begun):
            yield site.put(node, name, 0.0)
    if begun:
        yield site.put(statement.value, _plus(site, name, statement.value), 0.0)


def last_of_all(site: Site) -> Iterator[Change]:
    """Yield the last of what is summed, as of running totals; and the sum for the last."""
    for node in site.expressions:
        inner = site.argument_of(node)
        if isinstance(node, ast.Call) and call_name(node) == "sum":
            if isinstance(inner, ast.Name) and inner in node.args:
                yield site.put(node, f"{inner.id}[-1]", 0.2)
        elif isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "-1":
            yield site.put(node, f"sum({site.text(node.value)})", 0.2)


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
        total = element.id if isinstance(element, ast.Name) else ""
        if total in before and f"step_{total}" not in site.names:
            apart = site.source.put(element, f"step_{total}")
            for place in site.beside(f"{total} = {total} + step_{total}")[:1]:
                yield Change(0.02, (apart, place))


def _plus(site: Site, total: str, node: ast.expr) -> str:
    """Return a total with a term added to it, or taken off where the term has a minus."""
    text = site.as_factor(node)
    if text.startswith("-"):
        return f"{total} - {text[1:].lstrip()}"
    return f"{total} + {text}"


def added(site: Site) -> Iterator[Change]:
    """Yield edits that add a term after a step, before it, or where the ldj is returned."""
    yield from _kept_of_sublayer(site)
    yield from _logged_beside(site, _logged(site.operand or ""))
    yield from _added_as_written(site)
    terms = list(dict.fromkeys(_terms(site)))[:_MOST]
    total = total_of(site)
    for index, term in enumerate(terms):
        for sign in ("+", "-"):
            cost = 0.1 + index / 20 + 0.01 * (sign == "-")
            if total is not None and not isinstance(site.statement, ast.Return):
                if not _is_begun(site, total):
                    continue
                written = _added_to(site, total, sign, term)
                for place in site.beside(written):
                    yield Change(cost, (place,))
            elif isinstance(site.statement, ast.Return):
                value = _returned(site.statement)
                if value is not None:
                    text = f"{site.text(value)} {sign} {_operand(term)}"
                    yield site.put(value, text, cost)


def _added_as_written(site: Site) -> Iterator[Change]:
    """Yield the log-derivatives of steps nearby as a statement has those that it adds.

    For each entry where it sums nothing yet, else summed as it sums, or as a parameter is.
    """
    statement, sums = site.statement, [*site.calls("sum")]
    if not isinstance(statement, ast.Assign):
        return
    value, written = statement.value, [*map(ast.unparse, statement.targets)]
    if not (sums or total_of(site) in written):
        return
    steps = [s for s in site.source.block(site.statement) if isinstance(s, ast.Assign)]
    near = sorted(steps, key=lambda step: abs(step.lineno - _blamed_line(site)))
    slopes = (slope for step in near for slope in _slopes(site, step.value))
    few = itertools.islice(dict.fromkeys(slopes), _NEAR if sums else _MOST)
    for (index, slope), sign in itertools.product(enumerate(few), "+-"):
        cost = 0.2 + index / 20 + 0.01 * (sign == "-")
        if not sums:
            text = f"{site.text(value)} {sign} {_operand(slope)}"
            yield site.put(value, text, cost)
        for call, inner in sums:
            alike = site.text(call).replace(site.text(inner), slope, 1)
            for term in dict.fromkeys((f"{slope}.sum()", alike)):
                text = site.in_place(call, f"{site.text(call)} {sign} {term}", SUM)
                yield site.put(call, text, cost - (term == alike) / 200)


def held_numbers(site: Site) -> Iterator[Change]:
    """Yield the logarithm of each number that has a name, where a logarithm is summed.

    It is written beside the term, or its number inside the logarithm.
    """
    for index, name in enumerate(site.computed_with[:_HELD]):
        for change in _logged_beside(site, name):
            cost = 1 + change.cost + index / 1000
            yield replace(change, cost=cost, lacked=f"log({name})")
        for _, inner in site.calls("log"):
            text = site.in_place(inner, f"{site.as_factor(inner)} * {name}")
            change = site.put(inner, text, 1.5 + index / 1000)
            yield replace(change, lacked=f"log({name})")


def with_names(site: Site) -> Iterator[Change]:
    """Yield sums and logarithms with one more term: a name that the function holds.

    What it works out and never uses is the likeliest to be forgotten.
    """
    unused = site.unused
    names = list(dict.fromkeys((*unused, *site.values)))[:_MOST]
    costs = (0.05 if n in unused else 0.3 + i / 50 for i, n in enumerate(names))
    yield from _with(site, list(zip(names, costs, strict=True)))


def told(site: Site) -> Iterator[Change]:
    """Yield sums and logarithms with what is said to lack, if that is no logarithm itself."""
    if site.operand and _logged(site.operand) is None:
        yield from _with(site, [(site.operand, 0.05)])


def _with(site: Site, names: Sequence[tuple[str, float]]) -> Iterator[Change]:
    for node in site.expressions:
        whole = is_sum(node) or call_name(node) in ("log", "log1p")
        whole |= isinstance(site.parent(node), ast.AugAssign)
        if not whole or is_sum(site.parent(node)):
            continue
        for name, cost in names:
            for sign in "-+":
                text = site.in_place(node, f"{site.text(node)} {sign} {name}", SUM)
                yield replace(site.put(node, text, cost), lacked=name)


def of_siblings(site: Site) -> Iterator[Change]:
    """Yield what another part of the object says as well: `self.a.f() + self.b.f()`."""
    held = site.held
    for node in site.expressions:
        asked = node.func if isinstance(node, ast.Call) else None
        part = site.text(asked.value) if isinstance(asked, ast.Attribute) else ""
        others = [name for name in held if name != part] if part in held else []
        for index, name in enumerate(others[:_MOST]):
            text = site.text(node)
            text = f"{text} + {name}{text.removeprefix(part)}"
            yield Change(0.2 + index / 50, (site.rewritten(node, text),))


def of_other_way(site: Site) -> Iterator[Change]:
    """Yield the ldj that the class hands back elsewhere, or its negative, in its place.

    Or what it gives the same name elsewhere.
    """
    statement = site.statement
    name, value = _set_name(statement), _returned(statement)
    if isinstance(statement, ast.Assign) and name is not None:
        value = statement.value
    for node in ast.walk(site.home) if value is not None else ():
        other = _returned(node)
        if name is not None:
            is_set = isinstance(node, ast.Assign) and _set_name(node) == name
            other = node.value if isinstance(node, ast.Assign) and is_set else None
        if value is None or other is None or node is statement:
            continue
        if names_in(other) <= {*site.names, *site.modules.values()}:
            bare = other.operand if is_minus(other) else other
            turned = f"-{site.as_factor(bare)}".removeprefix("--")
            for index, text in enumerate((turned, site.text(bare))):
                for spot in dict.fromkeys((site.source.made_alone_for(value), value)):
                    yield site.put(spot, text, 0.4 + index / 50 + (spot is value) / 100)


def _set_name(node: ast.AST) -> str | None:
    """Return the one name that a statement sets, if it sets one."""
    match node:
        case ast.Assign([ast.Name(name)]):
            return name
    return None


def _logged_beside(site: Site, inner: str | None) -> Iterator[Change]:
    """Yield a logarithm in the sum that a statement makes for each dim, or sample."""
    statement = site.statement
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.Return):
        value = _returned(statement)
    if inner is None or not isinstance(value, ast.BinOp | ast.Call | ast.Name):
        return
    is_number = names_in(ast.parse(inner, mode="eval")) <= {"math"}
    others = _OF_NUMBERS if is_number else _OF_TENSORS
    for index, logarithm in enumerate(_logarithms(site, inner, others)):
        for sign in ("+", "-"):
            cost = 0.3 + index / 50 + 0.01 * (sign == "-")
            text = f"{site.text(value)} {sign} {logarithm}"
            yield site.put(value, text, cost)
            for call, summed in site.calls("sum"):
                if call is value:
                    text = f"{site.text(summed)} {sign} {logarithm}"
                    yield site.put(summed, site.in_place(summed, text), cost - 0.05)


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
    """Return the name under which a function hands back its ldj, in whatever shape.

    Or keeps it: `self.ldj`.
    """
    kept = None
    for node in site.inside:
        value = _returned(node)
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            value = value.func.value
        if isinstance(value, ast.Name) and value.id not in site.modules.values():
            return value.id
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            kept = ast.unparse(node) if is_total(node.attr) else kept
    return kept


def _is_begun(site: Site, total: str) -> bool:
    """Return whether a total is there at a statement, or behind it."""
    begun = (
        node.lineno
        for node in site.inside
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node) == total
    )
    first = 0 if total in site.parameters else min(begun, default=0)
    return site.statement.lineno >= first


def _returned(node: ast.AST) -> ast.expr | None:
    value = node.value if isinstance(node, ast.Return) else None
    if isinstance(value, ast.Tuple):
        return value.elts[1] if len(value.elts) == 2 else None
    return value  # of a method that computes the ldj alone


def _terms(site: Site) -> Iterator[str]:
    """Yield the terms that may be missing: of the step itself, or as written elsewhere.

    What is worked out and then not used comes first, then the step that was blamed.
    """
    yield from site.unused
    yield from _of_constant(site, site.operand)
    block, blamed = site.source.block(site.statement), _blamed_line(site)
    step = site.operand

    def how_far(statement: ast.stmt) -> tuple[bool, int]:
        is_step = step is not None and step in ast.unparse(statement)
        return not is_step, abs(statement.lineno - blamed)

    near = sorted(block, key=how_far)
    for statement in (site.statement, *(s for s in near if s is not site.statement)):
        if isinstance(statement, ast.Assign):
            yield from _of_step(site, statement.value)
    yield from _elsewhere(site)


def _blamed_line(site: Site) -> int:
    place = None if site.explanation is None else site.explanation.location
    return site.statement.lineno if place is None else place.line


def _of_constant(site: Site, operand: str | None) -> Iterator[str]:
    """Yield the logarithm of a constant, for every dim, or of each where none is summed."""
    inner = _logged(operand or "")
    if inner is None:
        return
    logarithm = next(_logarithms(site, inner, _OF_NUMBERS))
    for count in list(dict.fromkeys(counts_for(site, ("dims",))))[:3]:
        yield f"{logarithm} * {count}"
    yield logarithm


def _logarithms(site: Site, number: str, modules: Sequence[str]) -> Iterator[str]:
    """Yield how the source at hand would write the log of a number: by what it imports."""
    tree = ast.parse(number, mode="eval").body
    half = ""
    if call_name(tree) == "sqrt" and isinstance(tree, ast.Call):
        half, tree = "0.5 * ", tree.args[0]
    names = names_in(tree)
    for module in modules:
        name = site.modules.get(module, "torch" if module == "torch" else None)
        if name is None:
            continue
        inner = re.sub(r"\bmath\.", f"{name}.", ast.unparse(tree))
        if module == "torch" and names <= {"math"}:
            inner = f"{name}.tensor({inner})"
        yield f"{half}{name}.log({inner})"


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


def _of_step(site: Site, value: ast.expr) -> Iterator[str]:
    """Yield the log-derivative of a plain step, summed over the event."""
    for slope in _slopes(site, value):
        yield f"{slope}.sum()"
        yield f"{slope}.flatten(1).sum(1)"


def _slopes(site: Site, value: ast.expr) -> Iterator[str]:
    """Yield the log-derivative of a plain step for each entry."""
    inner = site.argument_of(value)
    if isinstance(value, ast.Call) and inner is None:
        return
    if inner is not None:
        text, minus = site.text(inner), site.as_factor(inner)
        file = b"".join(site.source.lines).decode()
        called = (f for f in ("F", "nn.functional") if re.search(rf"\b{f}\.", file))
        softplus = f"{next(called, 'torch.nn.functional')}.softplus"
        derivatives = {
            "exp": site.as_atom(inner),
            "log": f"(-torch.log({text}))",
            "sinh": f"torch.log(torch.cosh({text}))",
            "sigmoid": f"(-{softplus}({minus}) - {softplus}(-{minus}))",
            "tanh": f"torch.log(1 - torch.tanh({text}) ** 2)",
        }
        if call_name(value) in derivatives:
            yield derivatives[call_name(value)]
    products = [
        node
        for node in ast.walk(value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)
    ]
    for product in products[:2]:
        for side in (product.right, product.left):
            argument = site.argument_of(side)
            if call_name(side) == "exp":
                if argument is not None:
                    yield site.as_atom(argument)
            elif not isinstance(side, ast.Constant):
                yield f"torch.log(torch.abs({site.text(side)}))"


def _elsewhere(site: Site) -> Iterator[str]:
    """Yield the terms that the same class adds to its total elsewhere."""
    total = total_of(site)
    known = {*site.names, *site.modules.values()}
    for node in ast.walk(site.home):
        if isinstance(node, ast.Assign) and node is not site.statement:
            named = [ast.unparse(target) for target in node.targets]
            terms = _terms_of(node.value) if total in named else ()
            yield from (site.text(t) for t in terms if names_in(t) <= known)
    for node in ast.walk(site.home):
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == total:
            yield site.text(node.value)
        made = node.value if isinstance(node, ast.Assign) else node
        if is_sum(made) and made is not node and ast.unparse(made.left) == total:
            yield site.text(made.right)


def _terms_of(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what a sum adds and takes off, without signs."""
    if is_sum(node):
        yield from _terms_of(node.left)
        yield from _terms_of(node.right)
    elif isinstance(node, ast.UnaryOp):
        yield from _terms_of(node.operand)
    else:
        yield node


def _kept_of_sublayer(site: Site) -> Iterator[Change]:
    """Yield edits that keep the ldj of a sublayer which is thrown away."""
    statement, total = site.statement, total_of(site)
    made = statement.value if isinstance(statement, ast.Assign) else None
    if not isinstance(statement, ast.Assign) or not isinstance(made, ast.Call):
        return
    for target in statement.targets:
        if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
            continue
        lost = target.elts[1]
        if not isinstance(lost, ast.Name) or not lost.id.startswith("_"):
            continue
        name = f"{call_name(made).strip('_')}_{total or 'ldj'}"
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
    return f"({term})" if is_sum(ast.parse(term, mode="eval").body) else term
