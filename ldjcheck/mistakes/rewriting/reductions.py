"""Edits of a reduction: over all of the event and nothing else, one number a sample."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.revision import Replacement, SourceText, call_name, is_disjoint
from ldjcheck.revision.text import edited_functions, replaced, span_of, text_with

_RETURNED = 0.5  # what callers return is a likely place, however far off
_AXES = ("1", "[1, 2]", "[1, 2, 3]", "-1", "[-1, -2]")


_SUMS = ("sum", "mean")
_ONE_AXIS = [["1"], ["-1"], ["[1]"], ["(1,)"], ["[-1]"], ["(-1,)"]]
_FLAT, _ALL = ".flatten(1)", "[0].numel()"


def over_events(site: Site) -> Iterator[Change]:
    """Yield edits that let a sum leave the batch alone."""
    for node in site.expressions:
        if not isinstance(node, ast.Call):
            continue
        if call_name(node) in ("sum", "nansum", "mean"):
            inner = site.argument_of(node)
            if inner is not None:  # it may be one number a sample already
                reduces = any(call_name(n) in ("sum", "mean") for n in ast.walk(inner))
                yield site.put(node, site.kept(node, inner), 0.01 if reduces else 0.15)
                yield from _with_axes(site, node, inner)
        first = node.args[0] if call_name(node) == "range" and node.args[1:] else None
        if isinstance(first, ast.Constant):
            yield site.put(first, "1", 0.05)
    yield from reduced(site)


def where_returned(site: Site) -> Iterator[Change]:
    """Yield edits that sum what a function hands back beside its output."""
    value = getattr(site.statement, "value", None)
    if not isinstance(site.statement, ast.Return) or not isinstance(value, ast.Tuple):
        return
    for node in value.elts[1:]:
        options = [f"{name}({site.text(node)})" for name in _helpers(site)]
        options.append(f"{site.as_atom(node)}.flatten(1).sum(1)")
        for index, option in enumerate(options):
            yield site.put(node, option, _RETURNED - site.rank + 0.02 * index)


def reduced(site: Site) -> Iterator[Change]:
    """Yield edits that sum what is left of the event in an ldj."""
    yield from _dropped_keepdim(site)
    own = list(_written_here(site))
    for node in site.terms:
        if isinstance(node, ast.UnaryOp | ast.Constant):
            continue
        text, atom = site.text(node), site.as_atom(node)
        options = [f"{name}({text})" for name in _helpers(site)]
        options += [f"{atom}.sum({axes})" for axes in own]
        options += [f"{atom}.flatten(1).sum(1)"]
        options += [f"{atom}.sum(dim={axes})" for axes in _AXES[:4]]
        for index, option in enumerate(options):
            yield site.put(node, option, 0.2 + 0.02 * index)


def one_per_sample(site: Site) -> Iterator[Change]:
    """Yield edits that hand back `(batch,)` where there is an axis too many.

    An axis that was kept is where the mistake was made, however far that is from its use.
    """
    for change in _dropped_keepdim(site):
        yield replace(change, cost=-0.99 * site.rank)
    yield from reduced(site)
    for node, inner in site.calls("unsqueeze"):
        yield site.put(node, site.text(inner), 0.05)
    for depth, term in enumerate(site.terms):
        atom = site.as_atom(term)
        for index, tail in enumerate((".squeeze(1)", ".squeeze(-1)", ".reshape(-1)")):
            yield site.put(term, atom + tail, 0.1 + 0.02 * index + depth / 1000)
        yield site.put(term, f"{atom}.squeeze(0)", 0.2)


def _with_axes(site: Site, node: ast.Call, inner: ast.expr) -> Iterator[Change]:
    """Yield a sum over other axes than those that are written, if any are."""
    method = isinstance(node.func, ast.Attribute) and node.func.value is inner
    name, text = call_name(node), site.text(inner)
    head = f"{site.text(node.func)}(" + ("" if method else f"{text}, ")
    for helper in _helpers(site) if name == "sum" else ():
        yield site.put(node, f"{helper}({text})", 0.0)
    for index, axes in enumerate(_written_here(site)):
        yield site.put(node, f"{head}{axes})", 0.05 + index / 100)
    # However many axes an event has, this sums over all of them.
    yield site.put(node, f"{site.as_atom(inner)}.flatten(1).{name}(1)", 0.09)
    if name == "mean":
        yield site.put(node, f"{site.as_atom(inner)}.flatten(1).sum(1)", 0.095)
    keywords = {k.arg: k.value for k in node.keywords}
    place = 0 if method else 1
    for index, axes in enumerate(_AXES):
        cost = 0.1 + index / 50
        if "dim" in keywords:
            yield site.put(keywords["dim"], axes, cost)
        elif len(node.args) == place:
            yield site.put(node, f"{head}dim={axes})", cost)
        else:
            yield site.put(node.args[place], axes, cost)


def _dropped_keepdim(site: Site) -> Iterator[Change]:
    for node in site.expressions:
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in ("keepdim", "keepdims"):
                    yield Change(0.0, (_without_keyword(site, node, keyword),))


def _without_keyword(site: Site, call: ast.Call, keyword: ast.keyword) -> Replacement:
    """Return what takes a keyword out of a call, or gives it the value it has without."""
    source = site.source
    before = [
        node
        for node in (*call.args, *call.keywords)
        if span_of(node)[2:] <= span_of(keyword)[:2]
    ]
    if before:
        last = max(before, key=lambda node: span_of(node)[2:])
        gap = source.between(last, keyword)
        if source.at(*gap).strip() == ",":
            return source.put_at((*gap[:2], *span_of(keyword)[2:]), "")
    return source.put(keyword.value, "False")


def _written_here(site: Site) -> Iterator[str]:
    """Yield the axes that sums of the same function name, as they are written."""
    found: dict[str, None] = {}
    for node in site.inside:
        if not isinstance(node, ast.Call) or call_name(node) != "sum":
            continue
        for keyword in node.keywords:
            if keyword.arg in ("dim", "axis"):
                found.setdefault(f"{keyword.arg}={ast.unparse(keyword.value)}")
    yield from list(found)[:4]


def _helpers(site: Site) -> Iterator[str]:
    """Yield what the file calls its own function that sums over the event."""
    calls = site.source.calls.get("sum_except_batch", ())
    yield from dict.fromkeys(ast.unparse(node.func) for node in calls)


def over_all_axes(
    source: SourceText, changes: Sequence[Replacement], lines: Iterable[int]
) -> tuple[Replacement, ...]:
    """Return edits of a file with which its functions take any rank.

    Those are the functions that are edited, and those of some further `lines`. What sums
    over one axis sums over all, and what counts the entries of one counts all.
    """
    there = (Replacement(source.file, line, 0, line, 0, "") for line in lines)
    found = []
    for function in edited_functions(source, (*changes, *there)):
        text = text_with(source, function, changes)
        found.append(source.put(function, _widened(text) or text))
    within = [
        sum(c.line in range(p.line, p.end_line + 1) for p in found) for c in changes
    ]
    return tuple(found) if is_disjoint(found) and all(within) else tuple(changes)


def _widened(text: str) -> str | None:
    """Return a function's text with sums over all axes; None where it has them already."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    puts = [put for node in ast.walk(tree) for put in _puts(node)]
    lines = text.encode().splitlines(keepends=True)
    return replaced(lines, puts).decode() if puts else None


def _puts(node: ast.AST) -> Iterator[Replacement]:
    """Yield what makes one sum, or one count, that of all axes."""
    name = call_name(node)
    if isinstance(node, ast.Call) and name in (*_SUMS, "size"):
        given = (*node.args, *(keyword.value for keyword in node.keywords))
        axes = [ast.unparse(each) for each in given]
        if not isinstance(node.func, ast.Attribute) or axes[-1:] not in _ONE_AXIS:
            return
        if name == "size" and len(axes) == 1:
            yield Replacement("", *_dot(node.func), *span_of(node)[2:], _ALL)
        elif len(axes) == 1 and call_name(node.func.value) != "flatten":
            yield Replacement("", *_dot(node.func), *_dot(node.func), _FLAT)
        elif len(axes) == 1:
            yield from _once_more(node)
        elif len(axes) == 2 and node.args:  # torch.sum(inner, axis)
            start, end = span_of(node.args[0])[:2], span_of(node.args[0])[2:]
            yield Replacement("", *start, *start, "(")
            yield Replacement("", *end, *end, f"){_FLAT}")
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "shape"
        and [ast.unparse(node.slice)] in _ONE_AXIS
    ):
        yield Replacement("", *_dot(node.value), *span_of(node)[2:], _ALL)


def _once_more(node: ast.Call) -> Iterator[Replacement]:
    """Yield what takes a sum over the rest away, behind one that is over all axes then."""
    assert isinstance(node.func, ast.Attribute)
    flat = node.func.value
    if isinstance(flat, ast.Call) and isinstance(flat.func, ast.Attribute):
        inner = flat.func.value
        if any(True for _ in _puts(inner)):
            yield Replacement("", *span_of(inner)[2:], *span_of(node)[2:], "")


def _dot(node: ast.Attribute) -> tuple[int, int]:
    """Return where the dot of an attribute stands."""
    _, _, line, column = span_of(node)
    return line, column - len(node.attr) - 1
