"""Whole flows: which sublayer is wrong, and what the flow makes of its sublayers' ldj."""

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import CodeType

from ldjcheck.errors import CannotCheckError
from ldjcheck.explaining import diagnosed_alone
from ldjcheck.mistakes.diagnosis import (
    Blamed,
    blame_sublayers,
    diagnose_traces,
    sublayer_lines,
)
from ldjcheck.mistakes.engine.kinds import LEFT_OUT_BY_FLOW, SUM_FOR_MEAN, UNEXPLAINED
from ldjcheck.numerics.tolerance import says_nothing
from ldjcheck.object_graph import is_alike, owner_of
from ldjcheck.records import (
    Comparison,
    Context,
    Diagnosis,
    Direction,
    Explanation,
    Layer,
    Location,
    Shape,
    Sides,
)
from ldjcheck.running.bench import Bench
from ldjcheck.tape import FlowParts, Part, file_of, location_of, stands_in
from ldjcheck.tracebacks import home_of, is_own

_PROBES = 3  # at so many configurations the sublayers are looked at
_ALONE = 3  # so many wrong sublayers are diagnosed by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    """A flow that was found wrong, and how its sublayers can be looked into."""

    layer: Layer
    bench: Bench
    measured: Sequence[Sides]


class Sublayers:
    """What the sublayers of a wrong flow do, looked at where more of it is asked for."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._seen: dict[Direction, list[FlowParts] | None] = {}

    def flow(self, bench: Bench) -> _Flow:
        """Return the flow, and what is left of its time."""
        measurement = self._comparison.measurement
        return _Flow(
            layer=measurement.layer, bench=bench, measured=measurement.measured
        )

    def seen(self, bench: Bench, direction: Direction, count: int) -> list[FlowParts]:
        """Return the sublayers at some configurations, wrong ones first; none of no flow."""
        known = self._seen.get(direction, [])
        if known is not None and len(known) < count:
            known = _seen(self.flow(bench), direction, known, count)
            self._seen[direction] = known
        return (known or [])[:count]


def by_sublayers_alone(
    comparison: Comparison, bench: Bench, sublayers: Sublayers
) -> tuple[Diagnosis, ...] | None:
    """Return what explains a flow whose sublayers are wrong, and all else right.

    Each has its mistake by itself, and the whole need not be recorded at many
    configurations. None where more than that is wrong, or a sublayer is not explained.
    """
    from ldjcheck.mistakes.diagnosis.investigation import record_directions

    wrong = [v.direction for v in comparison.verdicts if v.mismatched and v.usable]
    if not wrong or any(v.form is not None for v in comparison.verdicts):
        return None
    flow, found = sublayers.flow(bench), []
    # Each size of the flow gives its sublayers another: so they are told apart.
    sizes = min(_PROBES, len({sides.probe.shape for sides in flow.measured}))
    for direction in wrong:
        seen = sublayers.seen(bench, direction, sizes)
        blamed = blame_sublayers(seen) if seen else None
        if blamed is None or not blamed.complete or blamed.explained:
            return None
        mistakes = _of_parts(flow, seen, blamed)
        if not mistakes or any(UNEXPLAINED.holds(each[0]) for each in mistakes):
            return None
        found.append((tuple(mistakes), sublayer_lines(seen[0], direction, blamed)))
    traced = record_directions(bench, wrong, flow.measured[:1])
    if not all(traced):
        return None
    return tuple(
        replace(diagnose_traces(traces, mistakes), sublayers=lines)
        for traces, (mistakes, lines) in zip(traced, found, strict=True)
    )


def with_sublayers(
    diagnoses: tuple[Diagnosis, ...],
    comparison: Comparison,
    bench: Bench,
    sublayers: Sublayers,
) -> tuple[Diagnosis, ...]:
    """Return the diagnoses of a wrong layer with what its sublayers show, if it has any."""
    if not any(verdict.mismatched for verdict in comparison.verdicts):
        return diagnoses
    flow = sublayers.flow(bench)
    return tuple(
        _by_sublayers(
            flow, diagnosis, sublayers.seen(bench, diagnosis.direction, _PROBES)
        )
        for diagnosis in diagnoses
    )


def _by_sublayers(
    flow: _Flow, diagnosis: Diagnosis, seen: Sequence[FlowParts]
) -> Diagnosis:
    if not seen:
        return diagnosis
    blamed = blame_sublayers(seen)
    return replace(
        diagnosis,
        mistakes=_mistakes(flow, diagnosis, seen, blamed),
        sublayers=sublayer_lines(seen[0], diagnosis.direction, blamed),
        known_right=tuple(_code_known_right(flow, seen[0].parts, blamed)),
    )


def _code_known_right(
    flow: _Flow, parts: Sequence[Part], blamed: Blamed
) -> Iterator[CodeType]:
    """Yield the methods of sublayers that are right wherever the flow calls them.

    Of a model whose density is asked, the call is a part: its other methods are asked too.
    """
    right = {type(parts[i].owner) for i in blamed.right}
    others = {type(p.owner) for i, p in enumerate(parts) if i not in blamed.right}
    others.add(type(owner_of(flow.layer.obj)))
    for kind in right - others:
        yield from (m.__code__ for m in vars(kind).values() if inspect.isfunction(m))


def _seen(
    flow: _Flow, direction: Direction, known: Sequence[FlowParts], count: int
) -> list[FlowParts] | None:
    """Return the sublayers at the first configurations, wrong ones first; None of no flow.

    What is known of the first of these is kept.
    """
    from ldjcheck.oracle.direction import are_all_apart
    from ldjcheck.settling.flows.sublayers import record_parts

    sides = [
        (item.probe, side)
        for item in flow.measured
        if (side := item.of(direction)).exact.ldj is not None
        and side.said.ldj is not None
        and bool(side.exact.ldj.isfinite().all() and side.said.ldj.isfinite().all())
    ]
    sides.sort(key=lambda pair: not pair[1].disagrees)
    shapes = [probe.shape for probe, _ in sides]
    # Each shape once, before any comes again: sizes tell counts apart.
    order = sorted(range(len(sides)), key=lambda i: shapes[:i].count(shapes[i]))
    bench = flow.bench
    # Parts of a flow that keeps samples apart do so too.
    apart = bench.behaviour and are_all_apart(flow.measured)
    bench = replace(bench, apart=apart)
    seen = [*known]
    for probe, side in (sides[i] for i in order[len(known) : count]):
        like = seen[0] if seen else None
        parts = record_parts(bench, probe, side, like)
        if parts is None:
            return None
        seen.append(parts)
    return seen


def _mistakes(
    flow: _Flow, diagnosis: Diagnosis, seen: Sequence[FlowParts], blamed: Blamed
) -> tuple[tuple[Explanation, ...], ...]:
    """Return the mistakes, by sublayer where that says more than the flow as a whole.

    What one edit of the whole ldj mends is one mistake of the flow. Else the flow's own
    miscounting comes first, and then each sublayer that is wrong, with the mistake that it
    has by itself.
    """
    whole = diagnosis.mistakes
    if any(mistake and mistake[0].whole for mistake in whole) or not blamed.complete:
        return whole
    if not blamed.wrong and len(whole) == 1 and _is_averaged(whole[0]):
        return whole
    named = len(whole) == 1 and bool(whole[0])
    found: list[tuple[Explanation, ...]] = [
        (_placed(flow, e, whole if named else (), seen[0].parts),)
        for e in blamed.explained
    ]
    found += _of_parts(flow, seen, blamed)
    if len(found) == 1 and UNEXPLAINED.holds(found[0][0]) and named:
        part = seen[0].parts[blamed.wrong[0]]
        return (tuple(_of_part(e, part) for e in whole[0]),)
    return tuple(found) if found else whole


def _of_parts(
    flow: _Flow, seen: Sequence[FlowParts], blamed: Blamed
) -> list[tuple[Explanation, ...]]:
    """Return the mistakes that the wrong sublayers have by themselves."""
    found: list[tuple[Explanation, ...]] = []
    kinds: set[object] = set()
    asked: list[object] = []
    for index in blamed.wrong:
        part = seen[0].parts[index]
        if any(is_alike(part.owner, other) for other in asked):
            continue  # wrong in the same lines, and explained no better
        sizes = tuple(each.parts[index].shape for each in seen)
        most = len(kinds) >= _ALONE
        alone = [_unexplained()] if most else _alone(flow, part, sizes)
        asked.append(part.owner)
        for mistake in alone:
            first = mistake[0]
            mark = part.path if first.location is None else (first.kind, first.location)
            if mark not in kinds:  # of equal sublayers, the first one stands for all
                kinds.add(mark)
                told = (_of_part(each, part) for each in mistake)
                found.append(tuple(_at_own(flow, each, part) for each in told))
    return found


def _is_averaged(mistake: Sequence[Explanation]) -> bool:
    """Return whether a mean is written where a sum belongs: no count says it better."""
    return bool(mistake) and SUM_FOR_MEAN.holds(mistake[0])


def _of_part(explanation: Explanation, part: Part) -> Explanation:
    """Return what is wrong with a sublayer as a mistake of the flow that holds it."""
    nothing = says_nothing(part.claimed, math.prod(part.shape))
    if nothing and not UNEXPLAINED.holds(explanation):
        return replace(
            explanation, kind=LEFT_OUT_BY_FLOW.name, within=part.name, whole=True
        )
    return replace(explanation, within=part.name)


def _at_own(flow: _Flow, explanation: Explanation, part: Part) -> Explanation:
    """Return what is wrong with a sublayer of others where the target's own calls it."""
    from ldjcheck.mistakes.rewriting.sites import real_file

    home = home_of((file_of(flow.layer.obj), file_of(part.owner)))
    place = explanation.location
    called = None if part.caller is None else location_of(part.caller)
    if place is None or called is None or is_own(real_file(place), home):
        return explanation
    if not is_own(real_file(called), home):
        return explanation
    return replace(explanation, location=called, spans=(), operand=None)


def _unexplained(suspect: Location | None = None) -> tuple[Explanation, ...]:
    return (UNEXPLAINED.explanation(location=suspect),)


def _placed(
    flow: _Flow,
    explanation: Explanation,
    whole: Sequence[tuple[Explanation, ...]],
    parts: Sequence[Part],
) -> Explanation:
    """Return a miscounting with the place where the flow's own edit would mend it.

    No line of the sublayers is that: they are right, and are counted by others.
    """
    called = explanation.location
    counted = [part.owner for part in parts if part.name in explanation.sublayers]
    for other in whole[0] if whole else ():
        if (other.kind, other.multiplier) != (explanation.kind, explanation.multiplier):
            continue
        mended = other.location
        if mended is None or called is None:
            return explanation
        before = mended.file == called.file and mended.line < called.line
        if mended.function == called.function and before:
            return explanation  # a line that ran before the call cannot carry its ldj
        is_of_flow = stands_in(mended, flow.layer.obj)
        if not is_of_flow and any(stands_in(mended, owner) for owner in counted):
            return explanation
        return replace(explanation, location=mended)
    return explanation


def _alone(
    flow: _Flow, part: Part, sizes: tuple[Shape, ...]
) -> Sequence[tuple[Explanation, ...]]:
    """Return the mistakes that a sublayer has by itself, one of them unexplained perhaps.

    `sizes` are the shapes of the events that reach it in the flow.
    """
    path = part.path.removeprefix(".")
    name = f"{flow.layer.name}.{path}".replace(".[", "[")
    layer = Layer(target=name, name=name, obj=part.owner, sizes=sizes)
    options = replace(
        flow.bench.options,
        shape=((None, part.shape),),
        domain=None,
        inputs=None,  # they are the flow's
        context=tuple(Context(*each) for each in part.contexts),
        convention="auto",
        kind="auto",  # the flow may be a model, and none of its sublayers is
        wrt="auto",
        direction=part.direction,
        ledger=False,
    )
    try:
        diagnosis = diagnosed_alone(layer, options, part.direction)
    except CannotCheckError:
        diagnosis = None
    if diagnosis is None or not diagnosis.mistakes:
        return [_unexplained()]
    return [m or _unexplained(diagnosis.suspect) for m in diagnosis.mistakes]
