"""Edits of a map, where the number that it reports is meant, and how it computes is not.

A way back that does not undo the way there, and a step that conditions itself, are mended
where the map is written: by another name, the other end of a slice, another method, what
undoes an operation. What counts is that the layer then passes, there and back. A mask is
made where the layer is built, so with an edit of that the layer is built anew.
"""

import ast
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from ldjcheck.mistakes.catalogue.rule import Way
from ldjcheck.mistakes.likelihood import split_prior_wrong
from ldjcheck.mistakes.mending import changed_at, in_function
from ldjcheck.mistakes.mending.repair import repair
from ldjcheck.mistakes.mending.rerun import trace_of
from ldjcheck.mistakes.mending.verify import Plans, Verification, Weighed
from ldjcheck.mistakes.rewriting import points
from ldjcheck.mistakes.rewriting.sites import Change, Site, binding_of
from ldjcheck.numerics.closeness import same
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.records import Comparison, Finding, Fix, Sides
from ldjcheck.revision import Live, Replacement, call_name
from ldjcheck.revision.text import is_minus
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.tape import Node
from ldjcheck.tape.frames import is_torchs
from ldjcheck.torch_ops import UNDOES

_MOST, _LEAST = 160, 16  # edits of one map that are run, each at one input
_WORK = 4000  # calls of the map in all, as its Jacobian takes one for each dim
_NEAR = 1e-3  # relative: what is further off is no solver's rest
_PATIENCE = 4  # times the operations of a call as it was
_HELD = 8  # things that a layer holds, tried in the place of one
_FURTHER = 0.02  # what each statement further off costs

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
_STRICT: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.GtE: (">=", ">"), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.Lt: ("<", "<="),
}  # fmt: skip
_ONCE = ("zip", "enumerate", "map", "filter")  # gone through once, and one way
_TRIANGLES = {"tril": -1, "triu": 1}


def turned_back(site: Site) -> Iterator[Change]:
    """Yield a statement of a way back with what undoes an operation, the plainest first."""
    nodes = site.expressions
    found = [(likely, node, new) for node in nodes for likely, new in _undoing(node)]
    for cost, node, new in found:
        text = ast.unparse(ast.fix_missing_locations(new))
        yield site.put(node, site.in_place(node, text, binding_of(new)), cost / 100)


def _undoing(node: ast.expr) -> Iterator[tuple[int, ast.expr]]:
    """Yield what may undo an operation that was meant to, with its place in the order."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        inner = node.left
        scaled = isinstance(node.op, ast.Mult | ast.Div)
        if isinstance(inner, ast.BinOp) and isinstance(
            inner.op, ast.Add | ast.Sub if scaled else ast.Mult | ast.Div
        ):  # (y - t) / s for y / s - t
            first = ast.BinOp(inner.left, node.op, node.right)
            yield 0, ast.BinOp(first, inner.op, inner.right)
        yield 1, ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.Call):
        if len(node.args) == 1 and not node.keywords:  # exp(-s) for exp(s)
            yield 2, ast.Call(node.func, [_negative(node.args[0])], [])
        if isinstance(node.func, ast.Attribute) and node.func.attr in UNDOES:
            function = ast.Attribute(
                node.func.value, UNDOES[node.func.attr], ast.Load()
            )
            yield 3, ast.Call(function, node.args, node.keywords)
        for index, given in enumerate(node.args[1:], 1):  # roll(x, -k) for roll(x, k)
            others = [*node.args[:index], _negative(given), *node.args[index + 1 :]]
            yield 4, ast.Call(node.func, others, node.keywords)


def _negative(node: ast.expr) -> ast.expr:
    return node.operand if is_minus(node) else ast.UnaryOp(ast.USub(), node)


def undoing(statement: ast.stmt, site: Site) -> Iterator[Change]:
    """Yield a statement of a way back that undoes an operation of another one as well."""
    value = getattr(site.statement, "value", None)
    value = value.elts[0] if isinstance(value, ast.Tuple) and value.elts else value
    if not isinstance(value, ast.expr):
        return
    for node in ast.walk(statement):
        found: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            both = isinstance(node.op, ast.Add | ast.Mult)
            for operand in (node.right, node.left)[: 1 + both]:
                found.append(ast.BinOp(value, _OPERATORS[type(node.op)](), operand))
        elif isinstance(node, ast.Call) and call_name(node) in UNDOES:
            inverse = UNDOES[call_name(node) or ""]
            if isinstance(node.func, ast.Attribute) and node.args:
                function = ast.Attribute(node.func.value, inverse, ast.Load())
                found.append(ast.Call(function, [value], []))
        for new in found:
            text = ast.unparse(ast.fix_missing_locations(new))
            yield site.put(value, site.in_place(value, text, binding_of(new)), 0.05)


def inverted_order(site: Site) -> Iterator[Change]:
    """Yield an index by which entries are put in order as the one that puts them back."""
    for node in site.expressions:
        index = getattr(node, "slice", None)
        for part in getattr(index, "elts", [index]):
            if isinstance(part, ast.Name | ast.Attribute):
                yield site.put(part, f"{site.text(part)}.argsort()", 0.3)


def other_held(site: Site) -> Iterator[Change]:
    """Yield something else that the layer holds, in the place of one such thing."""
    for node in site.expressions:
        if isinstance(node, ast.Attribute) and site.text(node) in site.held:
            others = [name for name in site.held if name != site.text(node)]
            for index, name in enumerate(others[:_HELD]):
                yield site.put(node, name, 0.1 + index / 50)


def other_way_round(site: Site) -> Iterator[Change]:
    """Yield a loop, or what a comprehension goes through, in the other order."""
    rounds = [
        n.iter for n in ast.walk(site.statement) if isinstance(n, ast.comprehension)
    ]
    around: ast.AST = site.statement
    while around is not site.function and around in site.source.parents:
        rounds += [around.iter] if isinstance(around, ast.For) else []
        around = site.parent(around)
    for each in rounds:
        text = site.text(each)
        if call_name(each) == "reversed" and isinstance(each, ast.Call):
            text = site.text(each.args[0])
        elif text.endswith("[::-1]"):
            text = text.removesuffix("[::-1]")
        else:
            whole = f"list({text})" if call_name(each) in _ONCE else text
            text = f"reversed({whole})"
        yield site.put(each, text, 0.08)


def other_half(site: Site) -> Iterator[Change]:
    """Yield a name as another one that is bound together with it, as halves are."""
    for node in site.expressions:
        if isinstance(node, ast.Name):
            for name in sorted(site.bound_with(node.id) - {node.id}):
                yield site.put(node, name, 0.1)


def stricter(site: Site) -> Iterator[Change]:
    """Yield a comparison with or without equality, a triangle with or without its diagonal."""
    for node in site.expressions:
        if isinstance(node, ast.Compare) and type(node.ops[0]) in _STRICT:
            span = site.source.between(node.left, node.comparators[0])
            text = site.source.at(*span).replace(*_STRICT[type(node.ops[0])])
            yield Change(0.0, (site.source.put_at(span, text),))
        if not isinstance(node, ast.Call) or call_name(node) not in _TRIANGLES:
            continue
        above = _TRIANGLES[call_name(node) or ""]
        on = site.text(getattr(node.func, "value", node.func))
        is_plain = on in site.modules.values() or isinstance(node.func, ast.Name)
        given = [*node.args[is_plain:], *(k.value for k in node.keywords)]
        for diagonal in (above, 0):
            if given:
                yield site.put(given[0], str(diagonal), 0.1)
            else:
                inside = ", ".join([*map(site.text, node.args), f"diagonal={diagonal}"])
                yield site.put(node, f"{site.text(node.func)}({inside})", 0.1)


WAYS: tuple[Way, ...] = (
    turned_back,
    other_way_round,
    points.other_side,
    other_held,
    points.other_names,
    points.swapped,
    points.other_parts,
    points.other_conditions,
    points.other_functions,
    inverted_order,
)
"""What is tried in a statement that a map runs."""


def statements_of(nodes: Iterable[Node]) -> tuple[Live, list[Site]]:
    """Return the statements that made some values, and those that called for them.

    Each comes once, those of the first values first, and then those that stand beside
    them and make nothing: what is missing there was to be made.
    """
    places = [p for node in nodes for p in node.places if not is_torchs(p.file)]
    live = Live([place.file for place in places])
    lines = dict.fromkeys((place.file, place.line) for place in places)
    found = dict.fromkeys(s for each in lines for s in live.statements(*each))
    for source, statement in [*found]:
        beside = (s for s in source.block(statement) if isinstance(s, ast.Assign))
        found |= dict.fromkeys((source, each) for each in beside)
    return live, [Site(*each, rank * _FURTHER) for rank, each in enumerate(found)]


def mended_map(
    sites: Sequence[Site],
    live: Live,
    bench: Bench,
    comparison: Comparison,
    plans: Plans,
    more: Sequence[Way] = (),
) -> Fix | None:
    """Return the plainest edit of a map with which its layer passes, there and back.

    There are `more` ways to edit it where it is known what a way back does not undo.
    """
    verification = Verification(bench, comparison, plans, live)
    return _first(live, _drafted(sites, (*WAYS, *more)), verification, lambda: bench)


def with_other_parts(
    findings: tuple[Finding, ...], comparison: Comparison, bench: Bench, plans: Plans
) -> tuple[Finding, ...]:
    """Return the findings; of a density that counts another part than it drops, its edit.

    It is known by no line: the statements that the density is made by are tried.
    """
    asked = [
        f
        for f in findings
        if f.code == split_prior_wrong.RULE.code and (f.location, f.fix) == (None, None)
    ]
    sides = comparison.measurement.measured[0]
    alone = len(asked) == 1 and sides.forward.answered
    trace = trace_of(bench, sides, "forward") if alone else None
    if trace is None:
        return findings
    live, sites = statements_of(reversed(trace.nodes))
    drafted = _drafted(sites, (other_half,))
    verification = Verification(bench, comparison, plans, live)
    fix = _first(live, drafted, verification, lambda: bench)
    if fix is None:
        return findings
    place = in_function(live, changed_at(live, None, fix.edits))
    told = replace(asked[0], fix=fix, location=place)
    return tuple(told if f is asked[0] else f for f in findings)


def mended_mask(
    live: Live, bench: Bench, comparison: Comparison, plans: Plans
) -> Fix | None:
    """Return the edit of a mask with which a layer passes that is built anew.

    Of several the last one: what an earlier mask lets pass a later one may hold back.
    """
    statements = dict.fromkeys(
        (source, statement)
        for source in live.sources.values()
        for line in sorted(source.statements, reverse=True)
        for statement in source.statements[line]
    )
    sites = [Site(*each, rank * _FURTHER) for rank, each in enumerate(statements)]
    verification = Verification(bench, comparison, plans, live)
    return _first(
        live,
        _drafted(sites, (stricter,)),
        verification,
        lambda: bench.built_anew(bench.options.seed),
    )


def _drafted(sites: Sequence[Site], ways: Sequence[Way]) -> list[Change]:
    found = [
        replace(change, cost=change.cost + site.rank)
        for site in sites
        for way in ways
        for change in way(site)
    ]
    return sorted(found, key=lambda change: round(change.cost, 6))


def _first(
    live: Live,
    drafted: Sequence[Change],
    verification: Verification,
    made: Callable[[], Bench | None],
) -> Fix | None:
    first = verification.before.measurement.measured[0]
    returns = verification.before.round_trip.status != "not-available"
    calls = 1 if returns else first.forward.dims
    tries = dict.fromkeys(c.replacements for c in drafted)
    patience = _PATIENCE * (1000 + _operations(verification.bench, first))

    def weighed(changes: tuple[Replacement, ...]) -> Weighed | None:
        bench = live.tried(changes, made)
        if bench is not None:
            bench = replace(bench, patience=patience)  # a search may never end now
        if bench is None or not live.tried(changes, partial(_returns, bench, first)):
            return None
        if not holds_otherwise(changes):
            return None
        bench = replace(bench, patience=math.inf)
        return replace(verification, bench=bench).passing(changes)

    def holds_otherwise(changes: tuple[Replacement, ...]) -> bool:
        """Return whether an edit leaves right what is right with other flags."""
        flagged = verification.with_other_flags(first.probe, changes)
        right = [bench for bench in flagged if _returns(bench, first)]
        return all(live.tried(changes, partial(_returns, b, first)) for b in right)

    some = itertools.islice(tries, max(_LEAST, min(_MOST, _WORK // max(1, calls))))
    found = repair(live, ((changes, weighed(changes)) for changes in some))
    return None if found is None else found[0]


@on_failure(0)
def _operations(bench: Bench, before: Sides) -> int:
    """Return how many operations the longer way takes as it is."""
    runner, _, _ = bench.ready(before.probe)
    ways = [side for side in before.both if side.answered]
    runs = [runner.run(side.direction, side.x, Frozen()) for side in ways]
    return max((run.operations for run in runs), default=0)


def _returns(bench: Bench, before: Sides) -> bool:
    """Return whether both numbers are right at one input, and there and back returns."""
    if not _comes_back(bench, before):
        return False
    sides = measure_sides(replace(bench, behaviour=False), before.probe)
    trip = sides.inverse.round_trip
    if trip.off is not None and (trip.allowed is None or trip.off > trip.allowed):
        return False
    return all(
        now.answered and not now.disagrees
        for was, now in zip(before.both, sides.both, strict=True)
        if was.answered
    )


def _comes_back(bench: Bench, before: Sides) -> bool:
    """Return whether there and back returns, as far as two calls tell."""
    if not all(side.answered for side in before.both):
        return True
    runner, x, _ = bench.ready(before.probe)
    try:
        y = runner.run("forward", x, Frozen()).y
        back = runner.run("inverse", y.detach(), Frozen()).y
    except FailedCallError:
        return False
    if y.numel() == 0 or back.numel() != x.numel():
        return False
    return same(back.detach().reshape(x.shape), x, _NEAR)
