"""A step that conditions itself: a coupling that leaks, a mask that lets too much pass.

An ldj that is the sum of the logs of a diagonal takes what a network says as given. It is
right only where the network of an output does not see the input of that very output, not
even by way of others. Where the reported number is the log|det| with all networks held
fixed, and the exact one is not, they do.
"""

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.derivation.map_edits import mended_map, mended_mask, statements_of
from ldjcheck.mistakes.mending import changed_at, in_function
from ldjcheck.mistakes.mending.rerun import trace_of
from ldjcheck.mistakes.mending.verify import Plans
from ldjcheck.mistakes.terms import wrong_derivative
from ldjcheck.numerics.closeness import same
from ldjcheck.oracle.derivatives.jacobian import log_abs_det
from ldjcheck.oracle.recording import UntraceableError, jacobian_between
from ldjcheck.oracle.structured import LARGE
from ldjcheck.records import Comparison, Direction, Finding, Fix, Location, Shape
from ldjcheck.running.bench import Bench
from ldjcheck.tape import (
    Node,
    Place,
    Trace,
    ancestors,
    dependents,
    in_order,
    location_of,
)
from ldjcheck.torch_ops import WEIGHTED, plain_name

_TOLD_AS = (
    "LDJ104", "LDJ110", "LDJ111", "LDJ112", "LDJ114", "LDJ119", "LDJ120", "LDJ199",
)  # fmt: skip
_MENDED = ("LDJ104", "LDJ110", "LDJ111", "LDJ112", "LDJ114")  # where an edit says more
_FOLLOWS = ("LDJ301", "LDJ304")
_LEAST = 2  # configurations at which it must be so
_MOST = 3
_SAME = 1e-7
_NOTHING = 1e-9  # of the largest entry


@dataclass(frozen=True, slots=True, eq=False)
class _Leak:
    """What an output depends on through a network, and must not."""

    network: Node  # its first product with a weight
    seen: tuple[Node, ...]  # the values that lead there, itself the first
    end: Node  # the output of the step
    ring: tuple[tuple[int, int], ...]  # outputs with their own inputs, each on the next
    slope: float  # of the first output by the next one's input, through the network
    masked: bool
    shape: Shape


def with_leaks(
    findings: tuple[Finding, ...], comparison: Comparison, bench: Bench, plans: Plans
) -> tuple[Finding, ...]:
    """Return the findings; a step that conditions itself is told as that, before the rest.

    What one edit of a term mends is no leak. What the network is given, or its mask, is
    edited where the layer then passes.
    """
    asked: list[Direction] = [
        f.direction
        for f in findings
        if f.code in _TOLD_AS
        and f.severity == "error"
        and f.direction is not None
        and not (f.code in _MENDED and f.fix and f.fix.applicability == "verified")
    ]
    for direction in dict.fromkeys(asked):
        leak = _localise_leak(bench, comparison, direction)
        if leak is None:
            continue
        live, sites = statements_of(leak.seen)
        at = live, bench, comparison, plans
        fix = mended_mask(*at) if leak.masked else mended_map(sites, *at)
        place = location_of(_place(leak))
        if fix is not None:
            place = in_function(live, changed_at(live, None, fix.edits)) or place
        findings = tuple(_name_leak(findings, leak, direction, place, fix))
    return findings


def _place(leak: _Leak) -> Place | None:
    """Return where a step asks its network, or the network's own line where a mask leaks."""
    calls = () if leak.masked else {place.call for place in leak.end.places}
    asked = (place for place in leak.network.places if place.call in calls)
    return next(asked, leak.network.place)


def _name_leak(
    findings: Sequence[Finding],
    leak: _Leak,
    direction: Direction,
    place: Location | None,
    fix: Fix | None,
) -> Iterator[Finding]:
    line = "" if place is None else f" in line {place.line}"
    for finding in findings:
        if finding.direction == direction and finding.code in _TOLD_AS:
            told = wrong_derivative.of_a_network(
                finding, _message(leak), place, tuple(_evidence(leak))
            )
            yield replace(told, fix=fix)
        elif finding.code in _FOLLOWS:
            follows = f"it follows from the network{line} that sees too much"
            yield replace(finding, evidence=(*finding.evidence, follows))
        else:
            yield finding


def _message(leak: _Leak) -> str:
    through = "through the network"
    why = ": the mask lets it pass." if leak.masked else "."
    (output, own), *others = leak.ring
    first = f"Output {_name(output, leak.shape)}"
    if not others:
        return f"{first} depends on input {_name(own, leak.shape)} {through}{why}"
    ((other, its_own), *_) = others
    return (
        f"{first} depends on input {_name(its_own, leak.shape)}, and output "
        f"{_name(other, leak.shape)} on input {_name(own, leak.shape)}, {through}{why}"
    )


def _evidence(leak: _Leak) -> Iterator[str]:
    (output, own), *others = leak.ring
    seen = others[0][1] if others else own
    yield (
        f"dy[{_name(output, leak.shape)}] / dx[{_name(seen, leak.shape)}] = "
        f"{leak.slope:+.4g} through the network alone; dims count from 0"
    )
    yield "with the network's outputs held fixed, log|det J| is what is reported"
    yield "in no order of the dims is J triangular, so its diagonal is not all of det J"
    if leak.masked:
        yield "between degrees, one of the masks needs `>` where the others have `>=`"
    else:
        yield "what conditions a step must be made of entries that the step leaves alone"


def _name(index: int, shape: Shape) -> str:
    place = []
    for size in reversed(shape):
        index, inner = divmod(index, size)
        place.append(str(inner))
    return ",".join(reversed(place))


def _localise_leak(
    bench: Bench, comparison: Comparison, direction: Direction
) -> _Leak | None:
    """Return the leak that explains all that is reported; None where there is none."""
    leaks = []
    for sides in comparison.measurement.measured[:_MOST]:
        side = sides.of(direction)
        if not side.answered or side.exact.ldj is None or side.dims >= LARGE:
            return None
        trace = trace_of(bench, sides, direction)
        try:
            leak = None if trace is None else _leak(trace)
        except UntraceableError:
            return None
        if leak is None:
            return None
        leaks.append(leak)
    return leaks[0] if len(leaks) >= _LEAST else None


def _leak(trace: Trace) -> _Leak | None:
    networks = {node for node in trace.order if _is_of_network(node, trace)}
    total = torch.zeros(trace.batch, dtype=torch.float64)
    found: _Leak | None = None
    for begin, end in itertools.pairwise(trace.points):
        between = [n for n in trace.order if begin.index < n.index <= end.index]
        depending = dependents(between, begin)
        inside = [node for node in between if node in networks and node in depending]
        at = begin, end, trace.batch
        held = whole = jacobian_between(between, depending, *at, doubled=True)
        if inside:
            free = dependents([n for n in between if n not in networks], begin)
            if end not in free:
                return None
            held = jacobian_between(between, free, *at, doubled=True)
        total = total + log_abs_det(held)[1]
        off = inside and not same(log_abs_det(whole)[1], log_abs_det(held)[1], _SAME)
        for network, sees in _apart(inside) if off and found is None else ():
            others = networks - sees
            free = dependents([n for n in between if n not in others], begin)
            through = jacobian_between(between, free, *at, doubled=True)
            seen = in_order(ancestors(network, beyond=(begin,)) & depending - {begin})
            found = _between(through, held, sees, trace, seen[::-1], end)
            if found is not None:
                break
    explained = same(total, trace.reported, _SAME)
    return found if explained and not same(total, trace.exact, _SAME) else None


def _apart(inside: Sequence[Node]) -> Iterator[tuple[Node, frozenset[Node]]]:
    """Yield each network by its first product, with all that it is made of, then all."""
    within = {node: ancestors(node).intersection(inside) for node in inside}
    for first in inside:
        if len(within[first]) == 1:
            yield first, frozenset(n for n in inside if first in within[n])
    yield inside[0], frozenset(inside)


def _is_of_network(node: Node, trace: Trace) -> bool:
    """Return whether a value is a product of what depends on x with a learnt weight."""
    if plain_name(node.name) not in WEIGHTED or node not in trace.depending:
        return False
    return any(_is_weight(parent, trace) for parent in node.parents)


def _is_weight(parent: Node, trace: Trace) -> bool:
    if parent in trace.depending or parent.value.dim() < 2:
        return False
    return any(each.learnable for each in ancestors(parent))


def _between(
    whole: Tensor,
    held: Tensor,
    inside: Collection[Node],
    trace: Trace,
    seen: Sequence[Node],
    end: Node,
) -> _Leak | None:
    """Return the shortest ring of outputs that see one another's own inputs."""
    through = (whole - held).abs().amax(0)
    direct = held.abs().amax(0)
    if bool(((direct > _NOTHING * direct.max()).sum(1) != 1).any()):
        return None  # no output has one input of its own
    own = direct.argmax(1).tolist()
    # sees[i, k]: output i moves with the own input of output k, through the network.
    sees = through[:, own] > _NOTHING * whole.abs().max()
    ring = next(_rings(sees), None)
    scaled = bool(((held - held[:1]).abs() > _NOTHING * direct.max()).any())
    if ring is None or (bool(sees.all()) and not scaled):
        return None  # a residual step lets all see all, and means to
    masked = any(_is_masked(node, trace) for node in inside)
    of_others = sees.double().fill_diagonal_(0.0)
    if not (masked or torch.linalg.matrix_power(of_others, len(sees)).any()):
        return None  # J is triangular: a network of the very entry may be an integrand
    first, then = ring[0], ring[1 % len(ring)]
    moved = (whole - held)[:, first, own[then]]
    return _Leak(
        network=seen[0],
        seen=tuple(seen),
        end=end,
        ring=tuple((i, own[i]) for i in ring),
        slope=float(moved[moved.abs().argmax()]),
        masked=masked,
        shape=trace.shape,
    )


def _rings(sees: Tensor) -> Iterator[tuple[int, ...]]:
    """Yield outputs that see their own input, then pairs that see each other's."""
    dims = len(sees)
    yield from ((i,) for i in range(dims) if sees[i, i])
    both = sees & sees.T
    yield from ((i, k) for i in range(dims) for k in range(i) if both[i, k])


def _is_masked(node: Node, trace: Trace) -> bool:
    """Return whether the weight of a product is a product with zeros and ones itself."""
    weights = [parent for parent in node.parents if _is_weight(parent, trace)]
    factors = (
        each
        for weight in weights
        for made in ancestors(weight)
        if made.name.rstrip("_") in ("mul", "multiply", "__mul__", "__rmul__", "where")
        for each in made.parents
    )
    return any(
        not each.learnable and bool(((each.value == 0) | (each.value == 1)).all())
        for each in factors
        if each.value.dim() > 1
    )
