"""Which step the way back does not undo, and the edit of one statement that mends it.

Of every value on the way back it is asked whether one of the way there would have been
right in its place: then all that follows lands on x. The earliest such value is where the
way back goes wrong; all before it cannot be mended by anything behind it. What people get
wrong when they solve y = f(x) for x: the operation that undoes the other one, the order of
operations, a minus that is missing or too many.
"""

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ldjcheck.mistakes.mending.repair import repair
from ldjcheck.mistakes.mending.verify import Plans, Verification
from ldjcheck.mistakes.rewriting.sites import Change, Site, binding_of
from ldjcheck.numerics.closeness import same
from ldjcheck.oracle.recording import UntraceableError, record_map
from ldjcheck.records import Comparison, Deadline, Direction, Finding, Fix, Sides
from ldjcheck.revision import Live
from ldjcheck.revision.text import is_minus
from ldjcheck.running.bench import Bench
from ldjcheck.tape import Node, Trace, descendants, location_of, rerun
from ldjcheck.torch_ops import JOIN, MOVES, SAME, UNDOES, WEIGHTED, plain_name

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip


_CODE = "LDJ301"
_MOST = 100_000  # operations that are run again, with values in the place of others
_EDITS = 16  # of one line, each run as a whole check
_CLOSE = 1e-7
_REST = "with the right value there, the rest of the way back lands on x"


def turned_back(site: Site) -> Iterator[Change]:
    """Yield edits of a statement of a way back, the plainest first."""
    nodes = site.expressions
    found = [(likely, node, new) for node in nodes for likely, new in _undoing(node)]
    for _, node, new in sorted(found, key=lambda each: each[0]):
        text = ast.unparse(ast.fix_missing_locations(new))
        yield site.put(node, site.in_place(node, text, binding_of(new)), 0.0)


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
            (given,) = node.args
            turned = (
                given.operand if is_minus(given) else ast.UnaryOp(ast.USub(), given)
            )
            yield 2, ast.Call(node.func, [turned], [])
        if isinstance(node.func, ast.Attribute) and node.func.attr in UNDOES:
            function = ast.Attribute(
                node.func.value, UNDOES[node.func.attr], ast.Load()
            )
            yield 3, ast.Call(function, node.args, node.keywords)


@dataclass(frozen=True, slots=True, eq=False)
class _Missed:
    """A value of the way back that is wrong, and the step that it should undo.

    The value is `known` where the way there has it as well: then nothing is wrong with it,
    and what should undo the next step is not there at all.
    """

    came_to: Node
    step: Node
    known: bool


def with_steps_not_undone(
    findings: tuple[Finding, ...], comparison: Comparison, bench: Bench, plans: Plans
) -> tuple[Finding, ...]:
    """Return the findings; one of a way back that does not undo the map has its line.

    Where nothing else is wrong, and an edit of that line makes it undo its step, it has
    that edit as well.
    """
    asked = [f for f in findings if f.code == _CODE and f.severity == "error"]
    if not asked:
        return findings
    for sides in comparison.measurement.measured:
        off, allowed = sides.inverse.round_trip.off, sides.inverse.round_trip.allowed
        if off is None or allowed is None or off <= allowed:
            continue
        lines, node = _seen(bench, sides)
        alone = sum(f.severity == "error" for f in findings) == 1
        fix = _fix(node, bench, comparison, plans) if alone else None
        place = None if node is None else location_of(node.place)
        return tuple(
            replace(
                f,
                evidence=(*f.evidence, *lines),
                location=f.location or place,
                fix=fix or f.fix,
            )
            if f in asked
            else f
            for f in findings
        )
    return findings


def _fix(
    node: Node | None, bench: Bench, comparison: Comparison, plans: Plans
) -> Fix | None:
    """Return the edit of one line with which there and back returns, as all else stays."""
    place = None if node is None else node.place
    if place is None:
        return None
    live = Live([place.file])
    sites = [Site(*each, 0.0) for each in live.statements(place.file, place.line)]
    if len(sites) != 1:
        return None
    tries = dict.fromkeys(itertools.islice(turned_back(sites[0]), _EDITS))
    verification = Verification(bench, comparison, plans, live)
    weighed = ((c, verification.passing(c.replacements)) for c in tries)
    found = repair(live, weighed)
    return None if found is None else found[0]


def _seen(bench: Bench, sides: Sides) -> tuple[tuple[str, ...], Node | None]:
    """Return what one there and back shows, in words, and where the way back goes wrong."""
    if not sides.forward.answered:  # the way back alone is asked for
        return (), None
    there, back = _trace(bench, sides, "forward"), _trace(bench, sides, "inverse")
    if there is None or back is None or there.output is None or back.output is None:
        return (), None
    if not _is_close(back.source.value, there.output.value):
        return (), None
    other = next(_otherwise_conditioned(there, back), None)
    missed = missed_step(there, back, bench.options.timeout)
    if other is not None and (missed is None or missed.came_to.index >= other[1].index):
        return _conditioned(*other), other[1]
    if missed is None:
        return (), None
    if missed.step.place is None:
        return (), missed.came_to
    return (_not_undone(missed, missed.step.place.line), _REST), missed.came_to


def _not_undone(missed: _Missed, undone: int) -> str:
    place = missed.came_to.place
    if place is None:
        return f"before all else, nothing undoes line {undone}"
    if missed.known:
        return f"after line {place.line}, nothing undoes line {undone}"
    if place.line == undone:
        return f"line {undone} does the same on the way back"
    return f"line {place.line} does not undo line {undone}"


def _conditioned(there: Node, back: Node) -> tuple[str, ...]:
    lines = [node.place.line for node in (there, back) if node.place is not None]
    at = " and ".join(f"line {line}" for line in dict.fromkeys(lines))
    return (
        f"the network ({at}) has another output on the way back than on the way there",
        "what conditions a step must be made of entries that the step leaves alone",
    )


def _trace(bench: Bench, sides: Sides, direction: Direction) -> Trace | None:
    runner, _, _ = bench.ready(sides.probe)
    try:
        return record_map(runner, sides.probe, sides.of(direction))
    except UntraceableError:
        return None


def missed_step(
    there: Trace, back: Trace, deadline: Deadline | None = None
) -> _Missed | None:
    """Return where the way back first goes wrong, and the step of the map it should undo.

    None of a way back that is long to run again and again, as one that goes dim by dim is.

    Raises:
        TimeIsUpError: the deadline is over.
    """
    if back.output is None:
        return None
    x = there.source.value
    values = [n for n in there.order if n is there.source or n in there.depending]
    done = 0
    for came_to, should in _pairs(values, back):
        if done > _MOST:
            break
        if deadline is not None:
            deadline.check()
        moved = descendants(back.order, came_to)
        done += len(moved)
        if back.output not in moved:
            continue
        try:
            put = should.value.to(came_to.value)
            end = rerun(back.order, moved, came_to, put, back.output)
        except (RuntimeError, ValueError, IndexError):
            continue
        if _is_close(end, x):
            known = _is_among(came_to, values)
            step = _step_from(there, should) or should  # it is the output itself
            return _Missed(came_to, step, known)
    return None


def _pairs(values: Sequence[Node], back: Trace) -> Iterator[tuple[Node, Node]]:
    for node in back.order:
        if node is not back.source and node not in back.depending:
            continue
        hands_on = node.name in MOVES | JOIN or plain_name(node.name) in SAME
        if hands_on and node is not back.output and not _is_among(node, values):
            continue  # what only hands on is wrong where that was made
        for value in values:
            alike = value.value.shape == node.value.shape
            if alike and not _is_close(value.value, node.value):
                yield node, value


def _is_among(node: Node, values: Sequence[Node]) -> bool:
    return any(_is_close(value.value, node.value) for value in values)


def _step_from(there: Trace, value: Node) -> Node | None:
    """Return the step of the map that a value goes into, what only moves it left aside."""
    reached = {value}
    for node in there.order:
        if not any(parent in reached for parent in node.parents):
            continue
        if node.name in MOVES or plain_name(node.name) in SAME:
            reached.add(node)
        elif node.value.numel() == value.value.numel():
            return node
    return None


def _otherwise_conditioned(there: Trace, back: Trace) -> Iterator[tuple[Node, Node]]:
    """Yield the products with one weight whose outputs are not the same on both ways."""
    known, again = _by_weight(there), _by_weight(back)
    for key, nodes in again.items():
        twins = known.get(key, [])
        if len(nodes) != 1 or len(twins) != 1:
            continue  # a loop over the dims runs it again and again
        twin, node = twins[0], nodes[0]
        differ = not _is_close(twin.value, node.value)
        if differ and twin.value.shape == node.value.shape and twin not in there.points:
            yield twin, node


def _by_weight(trace: Trace) -> dict[bytes, list[Node]]:
    """Return the products with a learnt weight, by the weight's own numbers."""
    found: dict[bytes, list[Node]] = {}
    for node in trace.order:
        if plain_name(node.name) in WEIGHTED and node in trace.depending:
            for parent in node.parents:
                if parent.learnable and parent.value.dim() > 1:
                    key = parent.value.detach().double().numpy().tobytes()
                    found.setdefault(key, []).append(node)
    return found


def _is_close(a: Tensor, b: Tensor) -> bool:
    real = a.is_floating_point() and b.is_floating_point()
    return real and same(a, b, _CLOSE)
