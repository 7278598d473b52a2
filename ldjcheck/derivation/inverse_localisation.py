"""Which step the way back does not undo, and the edit of one statement that mends it.

Of every value on the way back it is asked whether one of the way there would have been
right in its place: then all that follows lands on x. The earliest such value is where the
way back goes wrong; all before it cannot be mended by anything behind it. What people get
wrong when they solve y = f(x) for x: the operation that undoes the other one, the order of
operations, a minus that is missing or too many.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from ldjcheck.derivation.map_edits import mended_map, statements_of, undoing
from ldjcheck.mistakes.mending import changed_at, in_function
from ldjcheck.mistakes.mending.rerun import BOTH_WAYS
from ldjcheck.mistakes.mending.verify import Plans
from ldjcheck.numerics.closeness import same
from ldjcheck.oracle.recording import UntraceableError, record_map
from ldjcheck.records import (
    Comparison,
    Deadline,
    Direction,
    Finding,
    Fix,
    Location,
    Sides,
)
from ldjcheck.running.bench import Bench
from ldjcheck.tape import Node, Trace, descendants, location_of, rerun
from ldjcheck.torch_ops import JOIN, MOVES, SAME, WEIGHTED, plain_name

_CODE = "LDJ301"
_MOST = 100_000  # operations that are run again, with values in the place of others
_CLOSE = 1e-7
_REST = "with the right value there, the rest of the way back lands on x"


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

    Where nothing else is known to mend the layer, and an edit of a statement of either
    way does, it has that edit as well.
    """
    asked = [f for f in findings if f.code == _CODE and f.severity == "error"]
    if not asked:
        return findings
    for sides in comparison.measurement.measured:
        off, allowed = sides.inverse.round_trip.off, sides.inverse.round_trip.allowed
        if off is None or allowed is None or off <= allowed:
            continue
        lines, node, undone = _seen(bench, sides)
        place = None if node is None else location_of(node.place)
        found = None
        if not any(f.fix and f.fix.applicability == "verified" for f in findings):
            errors = [f for f in findings if f.severity == "error"]
            ways = BOTH_WAYS if len(errors) > 1 else BOTH_WAYS[1:]
            live, sites = statements_of(_nearest(bench, sides, ways, node))
            _, steps = statements_of(() if undone is None else (undone,))
            more = [partial(undoing, step.statement) for step in steps[:1]]
            fix = mended_map(sites, live, bench, comparison, plans, more)
            if fix is not None:
                at = in_function(live, changed_at(live, place, fix.edits))
                found = fix, at
        return tuple(
            _told(f, lines, place, found) if f in asked else f for f in findings
        )
    return findings


def _nearest(
    bench: Bench, sides: Sides, ways: Sequence[Direction], blamed: Node | None
) -> list[Node]:
    """Return what some ways make of their input, by the distance from a blamed value."""
    traces = [_trace(bench, sides, way) for way in reversed(ways)]
    nodes = [n for t in traces if t is not None for n in t.order if n in t.depending]
    at = len(nodes) - 1
    known = None if blamed is None else blamed.places[:1]
    for index, node in enumerate(nodes if known else ()):
        if node.places[:1] == known:
            at = index
    order = sorted(range(len(nodes)), key=lambda index: abs(index - at))
    return [nodes[index] for index in order]


def _told(
    finding: Finding,
    lines: Sequence[str],
    place: Location | None,
    found: tuple[Fix, Location | None] | None,
) -> Finding:
    fix, at = found or (finding.fix, finding.location or place)
    return replace(finding, evidence=(*finding.evidence, *lines), location=at, fix=fix)


def _seen(
    bench: Bench, sides: Sides
) -> tuple[tuple[str, ...], Node | None, Node | None]:
    """Return what one there and back shows, in words, and where the way back goes wrong.

    And the step that it should undo there, where that is known.
    """
    if not sides.forward.answered:  # the way back alone is asked for
        return (), None, None
    there, back = _trace(bench, sides, "forward"), _trace(bench, sides, "inverse")
    if there is None or back is None or there.output is None or back.output is None:
        return (), None, None
    if not _is_close(back.source.value, there.output.value):
        return (), None, None
    other = next(_otherwise_conditioned(there, back), None)
    missed = missed_step(there, back, bench.options.timeout)
    if other is not None and (missed is None or missed.came_to.index >= other[1].index):
        return _conditioned(*other), other[1], None
    if missed is None:
        return (), None, None
    if missed.step.place is None:
        return (), missed.came_to, missed.step
    return (
        (_not_undone(missed, missed.step.place.line), _REST),
        missed.came_to,
        missed.step,
    )


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
