"""log|det J| of a whole flow: the sum over its parts, at the points where it runs them.

J = P J_K ... P J_2 P J_1, where each part's Jacobian has a structure of its own, and P are
permutations: between the parts numbers are squeezed, split off and put together. Parts are
what autograd recorded between the tensors that enter and leave calls, and what lies between
such calls. That they are the flow is looked up number by number, and proved by random
products: those through the whole equal those through the parts, one after the other. A part
may be a flow itself. One that no structure explains is taken apart once more, at points
that all of it goes through.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.anchor import followed
from ldjcheck.oracle.derivatives.jacobian import random_direction
from ldjcheck.oracle.derivatives.products import (
    EventMap,
    NoProductsError,
    PartialProducts,
    ReverseProducts,
)
from ldjcheck.oracle.derivatives.waypoints import waypoints
from ldjcheck.oracle.structures.by_structure import (
    Wanted,
    glimpsed,
    looked_at,
    solved_by,
)
from ldjcheck.oracle.structures.determinant import Determinant
from ldjcheck.oracle.structures.permutation import parities
from ldjcheck.running.observers.calls import Point, SubmoduleCall, SubmoduleCalls

_PROBES = 1
_ROUNDING = 2.0**10  # units that the rounding of products explains, per part
_LOUD = 8.0  # times the noise that was seen, and no more, may a residual be
_FACTOR = 1.1  # no power of two, by which nothing is rounded
_MANY = 128  # dims from which on all entries cost more than to take a map apart
_NEAR = 1e-10  # relative: a number that is computed once more


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """What a flow does between two points, to numbers that stand at some places.

    The places are among those of the whole flow's numbers, in the order of the part's own.
    """

    start: Point
    end: Point
    places: Tensor
    products: ReverseProducts
    calls: Sequence[SubmoduleCall] = ()  # that were made on the way


def determined(
    f: EventMap, x: Tensor, heard: SubmoduleCalls, wanted: Wanted
) -> Determinant:
    """Return log|det J| by the parts of a map, or by the structure of the whole.

    Args:
        f: the map, as `determinant` takes it.
        x: the points, `(batch, *event)`.
        heard: listens while f is recorded.
        wanted: what is asked.

    Raises:
        NoProductsError, NoTensorError, UnequalDimsError: as `determinant`.
    """
    generator = torch.Generator().manual_seed(wanted.seed)

    def listened(x: Tensor) -> Tensor:
        if not x.requires_grad:
            return f(x)
        with heard.listening():
            return f(x)

    products, glimpses = looked_at(listened, x, generator, wanted)
    if isinstance(products, ReverseProducts):
        found = composed(products, heard.calls, wanted) if heard.calls else None
        if found is None and products.dims >= _MANY:
            simply = replace(wanted, entries=False)
            found = solved_by(products, glimpses, generator, simply)
            if not bool(found.is_known.all()):
                found = _passed_through(products, wanted)
        if found is not None:
            return found
    return solved_by(products, glimpses, generator, wanted)


def _passed_through(products: ReverseProducts, wanted: Wanted) -> Determinant | None:
    """Return log|det J| as the sum over what lies between points that all goes through."""
    every = torch.arange(products.dims, device=products.x.device)
    try:
        start, end = products.points
    except NoProductsError:
        return None
    whole = Part(start=start, end=end, places=every, products=products)
    known = _between_waypoints(whole, waypoints(start, end), wanted)
    return None if not known else _summed(products, known, every, wanted)


def composed(
    products: ReverseProducts, calls: Sequence[SubmoduleCall], wanted: Wanted
) -> Determinant | None:
    """Return log|det J| as the sum over parts; None where they do not tell it.

    `calls` are those that were heard while the products were recorded.
    """
    start, end = products.points
    every = torch.arange(products.dims, device=products.x.device)
    whole = Part(start=start, end=end, places=every, products=products, calls=calls)
    try:
        parts, order = _taken_apart(whole, wanted.seed)
    except NoProductsError:
        return None
    if len(parts) < 2:
        return None
    known = []
    for part in parts:
        found = _solutions(part, wanted)
        if not found:
            return None
        known += found
    return _summed(products, known, order, wanted)


def _solutions(
    part: Part, wanted: Wanted, points: list[Point] | None = None
) -> list[Determinant]:
    """Return what is known of a part, or of all that it is made of; nothing where a bit is not.

    `points` are those that all of it goes through, where they are known. All of its entries
    are worked out where nothing else serves.
    """
    if len(part.places) >= _MANY:
        found = _solved(part, replace(wanted, entries=False))
        if found is not None:
            return [found]
        if points is None:
            points = waypoints(part.start, part.end)
        within = _between_waypoints(part, points, wanted)
        if within:
            return within
    found = _solved(part, wanted)
    return [] if found is None else [found]


def _between_waypoints(
    part: Part, points: list[Point], wanted: Wanted
) -> list[Determinant]:
    """Return what is known of both halves of a part, each of which may be halved again."""
    if not points:
        return []
    middle, found = len(points) // 2, list[Determinant]()
    ends = (
        (part.start, points[middle], points[:middle]),
        (points[middle], part.end, points[middle + 1 :]),
    )
    for start, end, inner in ends:
        half = _between(part, start, end, part.places)
        known = [] if half is None else _solutions(half, wanted, inner)
        if not known:
            return []
        found += known
    return found


def _solved(part: Part, wanted: Wanted) -> Determinant | None:
    """Return what is known of a part by itself, where that is something."""
    generator = torch.Generator().manual_seed(wanted.seed)
    try:
        glimpses = glimpsed(part.products, generator)
        alone = replace(wanted, anchor=False)
        found = solved_by(part.products, glimpses, generator, alone)
    except NoProductsError:
        return None
    coupled = found.coupled is not None and bool(found.coupled.any())
    return None if coupled or not bool(found.is_known.all()) else found


def _summed(
    products: ReverseProducts,
    known: Sequence[Determinant],
    order: Tensor,
    wanted: Wanted,
) -> Determinant:
    def stacked(name: str) -> Tensor:
        return torch.stack([getattr(each, name) for each in known])

    holds = None
    if wanted.anchor:
        generator = torch.Generator().manual_seed(wanted.seed)
        try:
            holds = followed(products, generator)
        except NoProductsError:  # no product from the other side to hold against
            holds = torch.zeros_like(stacked("exact")[0], dtype=torch.bool)
    parity = float(parities(order[None]))
    return Determinant(
        exact=stacked("exact").sum(dim=0),
        sign=stacked("sign").prod(dim=0) * parity,
        allowed=stacked("allowed").sum(dim=0) if wanted.bounds else None,
        parts=tuple(each for one in known for each in one.parts),
        method="composition",
        products=products.products + sum(each.products for each in known),
        calls=products.calls,
        anchored=holds,
    )


def _taken_apart(whole: Part, seed: int) -> tuple[list[Part], Tensor]:
    """Return the parts that a flow is made of, and where its output's numbers stand then.

    The flow itself, where none are found that multiply to it.
    """
    every = torch.arange(len(whole.places), device=whole.places.device)
    outermost = _outermost(whole.calls)
    reporting = [each for each in outermost if each.reports]
    some = [] if len(reporting) == len(outermost) else [reporting]
    for calls, bridged in product((*some, outermost), (False, True)):
        route = _route(whole, calls, bridged=bridged)
        if route is None:
            continue
        parts, order = route
        alone = [_taken_apart(parts[0], seed)] if len(parts) == 1 else []
        if alone and len(alone[0][0]) == 1:
            continue  # one call hands on to another, and nothing is told apart
        edges = [(part.start.edge, part.end.edge) for part in parts]
        is_whole = edges == [(whole.start.edge, whole.end.edge)]  # a call hands it on
        if not is_whole and not _multiply(parts, order, whole, seed):
            continue
        found, moved = list[Part](), every.clone()  # parts leave theirs in their order
        inside = alone or [_taken_apart(part, seed) for part in parts]
        for part, (within, last) in zip(parts, inside, strict=True):
            at = moved[part.places]
            found += [replace(each, places=at[each.places]) for each in within]
            moved[part.places] = at[last]
        return found, moved[order]
    return [replace(whole, places=every)], every


def _outermost(calls: Sequence[SubmoduleCall]) -> list[SubmoduleCall]:
    """Return the calls that were made within no other."""
    found: list[SubmoduleCall] = []
    for each in calls:  # in the order in which they began
        if not found or not found[-1].holds(each):
            found.append(each)
    return found


def _route(
    whole: Part, calls: Sequence[SubmoduleCall], *, bridged: bool
) -> tuple[list[Part], Tensor] | None:
    """Return parts that lead from the input's numbers to the output's, one after the other.

    Each takes numbers that are there, in whatever order. Where a call that reports takes
    others, and gaps may be `bridged`, what lies between is a part too, if it makes them of
    all that came out last.
    """
    state = whole.start.values.clone()
    start = Part(
        start=whole.start,
        end=whole.start,
        places=torch.arange(state.shape[1], device=state.device),
        products=whole.products,
    )
    parts, last = list[Part](), start
    closed: tuple[int, Tensor] | None = None
    for call in calls:
        more = _next(whole, call, state, last, bridged=bridged)
        if not more:
            continue
        parts += more
        last = more[-1]
        state[:, last.places] = last.end.values
        order = _places_of(whole.end.values, state)
        if order is not None and len(order) == len(start.places):
            closed = len(parts), order
    if closed is not None:
        return parts[: closed[0]], closed[1]
    if not bridged or not parts or len(last.places) != len(start.places):
        return None
    rest = _between(whole, last.end, whole.end, last.places)
    return None if rest is None else ([*parts, rest], last.places)


def _next(
    whole: Part, call: SubmoduleCall, state: Tensor, last: Part, *, bridged: bool
) -> list[Part]:
    """Return the parts that a call adds to those before it, if any."""
    if call.left.edge is None or call.left.size > state.shape[1]:
        return []
    inner = [each for each in whole.calls if call.holds(each)]
    places = None
    if call.entered.edge is not None:
        places = _places_of(call.entered.values, state)
    if places is not None:
        part = _between(whole, call.entered, call.left, places, inner)
        return [] if part is None else [part]
    if not bridged or not call.reports or call.left.size != len(last.places):
        return []
    if call.entered.edge is None:  # what moves comes in on the way, as noise does
        part = _between(whole, last.end, call.left, last.places, inner)
        return [] if part is None else [part]
    if call.entered.edge == whole.start.edge:
        return []  # nothing leads from what came out last back to the input
    before = _between(whole, last.end, call.entered, last.places)
    part = _between(whole, call.entered, call.left, last.places, inner)
    return [] if before is None or part is None else [before, part]


def _between(
    whole: Part,
    start: Point,
    end: Point,
    places: Tensor,
    calls: Sequence[SubmoduleCall] = (),
) -> Part | None:
    """Return what lies between two points; None where the one does not hang on the other."""
    try:
        products = PartialProducts(whole.products, start, end)
        reached = products.times(
            torch.ones(products.batch, products.dims).to(places.device)
        )
    except NoProductsError:
        return None
    if not reached.any():
        return None
    return Part(start=start, end=end, places=places, products=products, calls=calls)


def _multiply(parts: Sequence[Part], order: Tensor, whole: Part, seed: int) -> bool:
    """Return whether products through the whole are those through the parts."""
    shape = (_PROBES, whole.products.batch, whole.products.dims)
    w = random_direction(shape, torch.Generator().manual_seed(seed))
    w = w.to(whole.places.device)
    through = torch.zeros_like(w)
    through[..., order] = w
    for part in reversed(parts):
        through[..., part.places] = part.products.times(through[..., part.places])
    direct = whole.products.times(torch.cat([w, _FACTOR * w[:1]]))
    noise = (direct[-1] / _FACTOR - direct[0]).abs()
    direct = direct[:-1]
    units = _ROUNDING * whole.products.epsilon * (1 + len(parts))
    allowed = units * (direct.abs() + through.abs()) + _LOUD * noise
    return bool(((direct - through).abs() <= allowed).all())


def _places_of(values: Tensor, among: Tensor) -> Tensor | None:
    """Return where values `(batch, n)` stand among others, in all samples, or None.

    What is computed once more may be off in its last digits.
    """
    if len(values) != len(among) or values.shape[1] > among.shape[1]:
        return None  # a call on all pixels of all samples has other rows
    if values.shape == among.shape and _is_near(values, among):
        return torch.arange(values.shape[1], device=values.device)
    # One number may be there twice in a sample, but not in all samples at one place.
    blend = torch.cos(torch.arange(1.0, len(values) + 1.0)).to(values)
    wanted, there = blend @ values, blend @ among
    ranked, order = there.sort()
    right = torch.searchsorted(ranked, wanted).clamp_max(len(ranked) - 1)
    left = (right - 1).clamp_min(0)
    nearer = (wanted - ranked[left]).abs() < (ranked[right] - wanted).abs()
    places = order[torch.where(nearer, left, right)]
    alone = len(places.unique()) == len(places)
    return places if alone and _is_near(values, among[:, places]) else None


def _is_near(here: Tensor, there: Tensor) -> bool:
    return bool(((here - there).abs() <= _NEAR * (1.0 + here.abs())).all())
