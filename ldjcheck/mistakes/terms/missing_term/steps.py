"""Steps of the map that the ldj does not account for, whole or in part."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.closeness import (
    SOMETHING,
    adds_something,
    alike,
    fits,
    is_constant,
    same,
)
from ldjcheck.mistakes.engine.pairing import scalings_of
from ldjcheck.mistakes.engine.places import (
    largest_step,
    ldj_statement,
    logged,
    missing_statement,
    operand_of_step,
    returned_name,
    source_text,
    statement_of,
    words_for,
)
from ldjcheck.mistakes.terms.missing_term.left_out import left_out, normaliser_left_out
from ldjcheck.records import Explanation
from ldjcheck.tape import Node, Place, Trace, location_of


def step_explanations(
    traces: Sequence[Trace], found: Sequence[Explanation]
) -> Iterator[Explanation]:
    """Yield the runs of steps, executions and parts of steps that the ldj lacks."""
    if not all(bool(torch.isfinite(trace.reported).all()) for trace in traces):
        return
    steps = list(_missing_steps(traces))
    yield from steps
    dropped = list(_overwritten(traces))
    yield from dropped
    yield from normaliser_left_out(traces)
    plain = any(e.cost < kinds.PART_ONLY_BELOW for e in (*found, *steps, *dropped))
    if not plain:
        yield from _missing_scalings(traces)
        yield from left_out(traces)
    if steps or not plain:
        yield from _missing_parts(traces, read_only=plain)


def _missing_scalings(traces: Sequence[Trace]) -> Iterator[Explanation]:
    """Yield the factors that scale entries of the map within a step, and count nowhere."""
    for scaling in scalings_of(traces):
        if all(
            bool((amount.abs() > SOMETHING).any())
            and fits(trace, trace.reported + amount, trace.exact)
            for trace, amount in zip(traces, scaling.amounts, strict=True)
        ):
            place = missing_statement(traces[0], scaling.node)
            yield kinds.SCALING_UNACCOUNTED.explanation(
                constant=is_constant(scaling.amounts),
                location=location_of(place or ldj_statement(traces[0])),
                operand=logged(scaling.operand),
            )


def _missing_steps(traces: Sequence[Trace]) -> Iterator[Explanation]:
    count = len(traces[0].steps)
    if any(len(trace.steps) != count for trace in traces):
        return
    moves = [
        adds_something(trace.steps[i].logdet for trace in traces) for i in range(count)
    ]
    for first in range(count):
        for last in range(first + 1, count + 1):
            if not moves[first] or not moves[last - 1]:
                continue
            sums = [trace.step_sum(first, last) for trace in traces]
            if all(
                fits(trace, trace.reported + total, trace.exact)
                for trace, total in zip(traces, sums, strict=True)
            ):
                moving = sum(moves[first:last])
                yield kinds.STEP_UNACCOUNTED.explanation(
                    more=kinds.MORE_STEPS * (moving - 1),
                    constant=is_constant(sums),
                    location=location_of(_carrying(traces[0], first, last)),
                    operand=operand_of_step(traces, first, last),
                )


def _carrying(trace: Trace, first: int, last: int) -> Place | None:
    step = largest_step(trace, first, last)
    if step is None:
        return None
    return missing_statement(trace, step) or ldj_statement(trace)


def _overwritten(traces: Sequence[Trace]) -> Iterator[Explanation]:
    """Yield statements that ran several times and whose earlier results were lost."""
    candidates: list[Node] = [node for node in traces[0].own if node.place is not None]
    ldj = traces[0].ldj
    if ldj is not None and ldj not in traces[0].own_set and ldj.place is not None:
        candidates = [ldj]
    executions = [_executions(trace) for trace in traces]
    for node in candidates:
        assert node.place is not None
        key = (node.place.span, node.name)
        if max(len(runs.get(key, ())) for runs in executions) > 1 and all(
            (total := _total(trace, runs.get(key, []))) is not None
            and same(total, trace.exact)
            for trace, runs in zip(traces, executions, strict=True)
        ):
            place = _lost_at(traces[0], executions[0][key])
            place = place or statement_of(traces[0], node) or node.place
            yield kinds.OVERWRITTEN.explanation(
                location=location_of(place), operand=source_text(node.place)
            )
            return


def _lost_at(trace: Trace, runs: Sequence[Node]) -> Place | None:
    """Return where the caller of several calls keeps what one of them made; None of one.

    Each call is right by itself: who has them all loses what the others made.
    """
    shared = set.intersection(*({p.call for p in run.places} for run in runs))
    outer = next((p for p in runs[-1].places if p.call in shared), None)
    if outer is None or outer == runs[-1].place:
        return None
    kept = returned_name(trace, outer)
    last = (source_text(kept) or "").split(",")[-1].strip()
    return outer if last.isidentifier() else kept


def _executions(trace: Trace) -> dict[tuple[object, str], list[Node]]:
    """Return the operations of a call by where they stand, and what they are."""
    found: dict[tuple[object, str], list[Node]] = {}
    for node in trace.nodes:
        if node.place is not None:
            found.setdefault((node.place.span, node.name), []).append(node)
    return found


def _total(trace: Trace, runs: list[Node]) -> Tensor | None:
    """Return the ldj with all executions of a statement summed; None if they are one."""
    used = [n for n in runs if n in trace.own_set or n is trace.ldj]
    if len(used) != 1:
        return None
    runs = [n for n in runs if n.value.shape == used[0].value.shape]
    if len(runs) < 2:
        return trace.reported  # of one turn nothing is lost
    if all(alike(n.value, used[0].value) for n in runs):
        return None
    total = runs[0].value
    for node in runs[1:]:
        total = total + node.value
    try:
        if used[0] is trace.ldj:
            return trace.per_sample(total)
        return trace.replayed({used[0]: total})
    except (RuntimeError, ValueError):
        return None


def _missing_parts(traces: Sequence[Trace], read_only: bool) -> Iterator[Explanation]:
    """Yield values u of the map with difference = q * sum(log|u|), or of u, or log|1-u|.

    What the ldj reads already, as the scale in a normal density, was left out there: that
    says more than the step that is made with it, and with `read_only` no other is told.
    """
    features = [_features(trace) for trace in traces]
    differences = [trace.exact - trace.reported for trace in traces]
    for key, firsts in features[0].items():
        if any(key not in feature for feature in features):
            continue
        for nth in range(min(3, *(len(feature[key]) for feature in features))):
            values = [feature[key][nth][1] for feature in features]
            quotient = _common_quotient(values, differences)
            if quotient is None:
                continue
            node = firsts[nth][0]
            users = [own for own in traces[0].own if node in own.parents]
            if read_only and not users:
                continue
            place = (
                statement_of(traces[0], users[0])
                if users
                else missing_statement(traces[0], _used(traces[0], node))
                or ldj_statement(traces[0])
            )
            kind = kinds.PART_READ if read_only else kinds.PART_UNACCOUNTED
            yield kind.explanation(
                location=location_of(place),
                operand=_written(key[1], words_for(traces[0], node)),
                detail=None if abs(quotient) == 1.0 else f"{quotient:+g}",
            )
            return


def _used(trace: Trace, node: Node) -> Node:
    """Return where the map uses a value first, on another line than it is made."""
    made = node.place and node.place.line
    users = (user for user in trace.order if node in user.parents and user.place)
    return next((u for u in users if u.place and u.place.line != made), node)


def _written(form: str, text: str | None) -> str | None:
    if text is None:
        return None
    return {"log": f"log|{text}|", "log1m": f"log|1 - {text}|"}.get(form, text)


def _features(trace: Trace) -> dict[tuple[object, str], list[tuple[Node, Tensor]]]:
    found: dict[tuple[object, str], list[tuple[Node, Tensor]]] = {}
    for node in trace.order:
        value = node.value
        if node.place is None and node is not trace.source:
            continue
        if not value.is_floating_point() or value.dim() < 1:
            continue
        if len(value) != trace.batch or value.numel() > 8 * trace.batch * trace.dims:
            continue
        for form, u in (
            ("log", value.abs().log()),
            ("linear", value),
            ("log1m", (1 - value).abs().log()),
        ):
            span = node.place.span if node.place is not None else None
            key = ((span, node.name), form)
            total = u.double().reshape(trace.batch, -1).sum(1)
            found.setdefault(key, []).append((node, total))
    return found


def _common_quotient(values: list[Tensor], differences: list[Tensor]) -> float | None:
    quotients = []
    for value, difference in zip(values, differences, strict=True):
        if not torch.isfinite(value).all() or float(value.abs().max()) < SOMETHING:
            return None
        quotient = (value @ difference) / (value @ value)
        if not same(quotient * value, difference):
            return None
        quotients.append(float(quotient))
    spread = max(quotients) - min(quotients)
    simple = (q for q in (1.0, 2.0, 0.5, 3.0) if abs(abs(quotients[0]) - q) < 1e-6)
    size = next(simple, None)
    if spread >= 1e-6 or size is None:
        return None
    return math.copysign(size, quotients[0])
