"""Edits that make a log-density of what is nearly one: its constant, its scale, its sum."""

import ast
import re
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.factors import counts_for
from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.revision import call_name
from ldjcheck.revision.text import is_power, is_sum, names_in


def normalised(site: Site) -> Iterator[Change]:
    """Yield edits that take off what a log-density of one entry lacks.

    The constant of the normal density, or the log of a scale that the function divides by.
    """
    lacking = [_constant(site), *_log_scales(site)]
    for value in _entries(site):
        text = site.text(value)
        for index, term in enumerate(lacking):
            yield site.put(value, f"{text} - {term}", 0.1 + index / 50)
        for index, term in enumerate(lacking[1:]):
            if lacking[0] != term:
                both = f"{text} - {term} - {lacking[0]}"
                yield site.put(value, both, 0.5 + index / 50)


def counted(site: Site) -> Iterator[Change]:
    """Yield the normal density's constant once for each dim, where it stands alone."""
    from ldjcheck.settling.guesses.shapes import is_named_size  # loads torch

    names = [name for name in site.held if is_named_size(name.removeprefix("self."))]
    for call, inner in site.calls("log"):
        if ".pi" in site.text(inner):
            for count in (*names, *counts_for(site, ("dims",))):
                text = f"{count} * {site.text(call)}"
                parent = site.parent(call)
                times = isinstance(parent, ast.BinOp) and isinstance(
                    parent.op, ast.Mult
                )
                yield site.put(call, text if times else site.in_place(call, text), 0.1)


def weighted(site: Site) -> Iterator[Change]:
    """Yield mixtures whose components are weighted alike, by one over how many there are."""
    logs = [n for m, n in site.modules.items() if m in ("math", "numpy")]
    for call, inner in site.calls("logsumexp"):
        axes = [*call.args[1:], *(k.value for k in call.keywords if k.arg == "dim")]
        if isinstance(inner, ast.Name | ast.Attribute) and axes:
            count = f"{site.text(inner)}.shape[{site.text(axes[0])}]"
            log = f"{logs[0]}.log({count})" if logs else f"torch.tensor({count}).log()"
            yield site.put(call, site.in_place(call, f"{site.text(call)} - {log}"), 0.1)


def _entries(site: Site) -> Iterator[ast.expr]:
    """Yield what may be a log-density of each entry: what is assigned, what is summed."""
    statement = site.statement
    squares = any(
        is_power(node) or call_name(node) in ("pow", "square")
        for node in ast.walk(statement)
    )
    if not squares:
        return
    if isinstance(statement, ast.Assign):
        yield statement.value
    yield from (inner for _, inner in site.calls("sum") if isinstance(inner, ast.BinOp))


def _constant(site: Site) -> str:
    """Return the logarithm that the normal density of one entry takes off."""
    for module in ("math", "numpy"):
        if module in site.modules:
            name = site.modules[module]
            return f"0.5 * {name}.log(2 * {name}.pi)"
    torch = site.modules.get("torch", "torch")
    return f"0.5 * {torch}.log({torch}.tensor(2 * {torch}.pi))"


def _log_scales(site: Site) -> Iterator[str]:
    """Yield the logs of what the function scales by: the arguments of its exponentials."""
    found: dict[str, None] = {}
    for node in site.inside:
        if not isinstance(node, ast.Call) or call_name(node) != "exp":
            continue
        inner = site.argument_of(node)
        while isinstance(inner, ast.UnaryOp):
            inner = inner.operand
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Mult):
            sides = (inner.left, inner.right)
            bare = (s.operand if isinstance(s, ast.UnaryOp) else s for s in sides)
            pairs = zip(sides, bare, strict=True)
            whole = (s for s, b in pairs if not isinstance(b, ast.Constant))
            inner = next(whole, None)
        if inner is not None:
            found.setdefault(site.as_factor(inner))
    yield from found


def of_what_leaves(site: Site) -> Iterator[Change]:
    """Yield edits that count the log-density of what a statement cuts off.

    It has a name that is never read, and its density is written as that of another value
    is, in a term of a sum or a value of its own, further down in the same function. What is
    returned lacks the density of all of z.
    """
    cut = site.statement
    if isinstance(cut, ast.Return) and cut.value is not None:
        yield from _of_all(site, cut.value)
        return
    below = [
        node
        for node in site.inside
        if isinstance(node, ast.expr) and node.lineno > (cut.end_lineno or cut.lineno)
    ]
    terms = [node for node in below if _is_term(site, node)]
    for target, name in _unread(site):
        named = () if target is None else (site.source.put(target, name),)
        for index, term in enumerate(terms):
            for known in dict.fromkeys(
                node.id
                for node in ast.walk(term)
                if isinstance(node, ast.Name) and node.id in site.names
            ):
                text = site.text(term)
                other = re.sub(rf"(?<![\w.]){known}\b(?!\s*=[^=])", name, text)
                more = f"- {other[1:]}" if other.startswith("-") else f"+ {other}"
                around = site.parent(term)
                if is_sum(around) and isinstance(around.op, ast.Sub):
                    more = f"- {other}" if around.right is term else more
                added = site.put(term, f"{text} {more}", index / 50)
                yield Change(added.cost, (*named, *added.replacements))


def _of_all(site: Site, returned: ast.expr) -> Iterator[Change]:
    """Yield edits that add the log-density of z: worked out and not read, or asked for.

    Whom to ask is what is asked for a density or a sample elsewhere.
    """
    text = site.text(returned)
    asked = (
        f"{base}.log_prob({z}){total}"
        for base in _bases(site)
        for z in _beside(site, returned)
        for total in ("", ".flatten(1).sum(1)")
    )
    for index, term in enumerate((*site.unused, *asked)):
        for sign in "+-":
            cost = index / 50 + 0.01 * (sign == "-")
            yield site.put(returned, f"{text} {sign} {term}", cost)


def _bases(site: Site) -> list[str]:
    """Return what a file's classes ask for densities, or for samples, as they write that."""
    *_, home = site.function, *site.source.around(site.function)
    asked = (
        site.text(node.func.value)
        for node in ast.walk(home)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("log_prob", "sample", "rsample")
        and isinstance(node.func.value, ast.Attribute)
    )
    return list(dict.fromkeys(asked))


def _beside(site: Site, returned: ast.expr) -> list[str]:
    """Return the names that are assigned together with what is returned: z, ldj = ..."""
    names = names_in(returned)
    found: dict[str, None] = {}
    for node in site.inside:
        if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store):
            together = [each.id for each in node.elts if isinstance(each, ast.Name)]
            if names & {*together}:
                found |= dict.fromkeys(n for n in together if n not in names)
    return list(found)


def _unread(site: Site) -> Iterator[tuple[ast.Name | None, str]]:
    """Yield names that a statement assigns and nobody reads; a throwaway is renamed."""
    stored = [
        node
        for node in ast.walk(site.statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    for node in stored:
        if node.id in site.unused:
            yield None, node.id
        elif node.id == "_" and "dropped" not in site.names:
            yield node, "dropped"


def _is_term(site: Site, node: ast.expr) -> bool:
    """Return whether a node is all that is assigned or returned, or is summed with others."""
    around = site.parent(node)
    if is_sum(node) or isinstance(node, ast.Name | ast.Constant | ast.Tuple):
        return False
    if isinstance(around, ast.Assign | ast.AugAssign | ast.Return):
        return around.value is node
    return is_sum(around)
