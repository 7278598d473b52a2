"""How one direction came out: what it says against what is true, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.judging.checks import ldj_check
from ldjcheck.judging.contract import behaviour_seen
from ldjcheck.judging.dims_changed import resized_verdict
from ldjcheck.judging.invertibility import changes_orientation, is_singular_everywhere
from ldjcheck.judging.vacuous import vacuous
from ldjcheck.numerics.tolerance import (
    CHANCE,
    CHANCE_OF_ALL,
    COARSE,
    OPEN,
    VISIBLE,
    common_factor,
    hides_mistakes,
    says_nothing,
)
from ldjcheck.records import Check, Direction, Measurement, Probe, Shape, Side, Verdict
from ldjcheck.records.words import CheckStatus

_SHARE = 0.25  # of the exact value: what is off by more is seen in two digits
_HALF = 0.45  # what is left open of a factor must be less than half of it


def verdict_on(measurement: Measurement, direction: Direction) -> Verdict:
    """Return how a direction came out over all configurations."""
    first = measurement.measured[0].of(direction)
    if not first.answered:
        absent: CheckStatus = "unproven" if first.said.unfinished else "not-available"
        return Verdict(
            direction=direction,
            check=Check(
                name="ldj",
                direction=direction,
                status="error" if first.said.raised else absent,
            ),
            raised=first.said.raised,
            why=first.said.why_absent,
        )
    sides = [
        (m.probe, side)
        for m in measurement.measured
        if (side := m.of(direction)).answered
    ]
    seen = behaviour_seen([side for _, side in sides])
    verdict = _by_numbers(sides, seen.faults, measurement)
    verdict = _with_its_bases(replace(verdict, behaviour=seen), first)
    meet = seen.coupling is not None and seen.coupling.output
    if not meet and not (seen.state is not None and seen.state.by_mode):
        return verdict
    # Where samples meet, the exact value of one sample by itself is not defined; and of a
    # layer that is another one at each call, no two numbers belong together.
    return replace(
        verdict,
        check=replace(verdict.check, status="unproven"),
        mismatched=False,
        unanchored=False,
        vacuous=None,
        singular=False,
        flat=False,
        folds=False,
        ill_conditioned=False,
        between=None,
        form=None,
    )


def _with_its_bases(verdict: Verdict, first: Side) -> Verdict:
    """Return the verdict with what it means for a model that a base of it is no density.

    Its ldj may be right, and its density is off by what the base integrates to. Where that
    is not known, nothing is proved.
    """
    logs = [base.log for base in first.said.bases]
    if not logs or verdict.check.status not in ("pass", "unproven"):
        return verdict
    known = [log for log in logs if log is not None]
    if not known or first.said.ldj is None:
        return replace(verdict, check=replace(verdict.check, status="unproven"))
    total = torch.stack(known).sum(0)
    counted = replace(first, said=replace(first.said, ldj=first.said.ldj + total))
    check = ldj_check(counted, "fail", float(total.abs().max()))
    return replace(verdict, check=check)


def _by_numbers(
    sides: list[tuple[Probe, Side]],
    faults: tuple[str, ...],
    measurement: Measurement,
) -> Verdict:
    first = sides[0][1]
    direction = first.direction
    if first.said.form is not None and first.said.ldj is None:
        faults = (
            first.said.form,
            *faults,
        )  # no way of reading it gives one value per sample
    if first.exact.is_resizing:
        verdict = resized_verdict([side for _, side in sides], faults)
        if verdict.instead != "volume" or verdict.check.status != "fail":
            return verdict
        usable = tuple(_usable(sides))
        return replace(verdict, usable=usable, mismatched=True)
    if first.exact.ldj is None or first.exact.allowed is None:
        lost = not _finite(first.y)
        wrong = bool(faults) or (lost and not _saturated(first, measurement))
        status: CheckStatus = "fail" if wrong else "unproven"
        jacobian = first.exact.jacobian
        if not (faults or lost or jacobian is None or _finite(jacobian)):
            faults = ("the Jacobian is NaN or infinite",)
        return Verdict(
            direction=direction,
            check=ldj_check(first, status, None),
            mismatched=status == "fail",
            no_output=lost,
            faults=faults,
        )
    usable = tuple(_usable(sides))
    singular = not usable or usable[0][1] is not first
    untracked = _untracked(direction, first, usable)
    if first.said.ldj is None:
        status = "not-available" if untracked else "fail"
        return Verdict(
            direction=direction,
            check=ldj_check(first, status, None),
            usable=usable,
            untracked=untracked,
            mismatched=not untracked,
            faults=faults or (() if untracked else ("the call reports no ldj",)),
        )
    if untracked:
        return Verdict(
            direction=direction,
            check=ldj_check(first, "not-available", None),
            usable=usable,
            untracked=True,
            faults=faults,
        )
    verdict = _judged(direction, first, usable, faults, measurement, singular=singular)
    return _invertible(verdict, first, sides, measurement)


def _saturated(back: Side, measurement: Measurement) -> bool:
    """Return whether a way back is infinite only where the way there is flat in float64.

    There the one x that a y came from is lost to rounding, and no formula finds it.
    """
    there = measurement.measured[0].forward
    if back.direction == "forward" or there.exact.ldj is None:
        return False
    if not (there.y.shape == back.x.shape and torch.equal(there.y, back.x)):
        return False
    lost = ~torch.isfinite(back.y).flatten(1).all(dim=1)
    return bool((there.exact.ldj[lost] == -math.inf).all())


def _invertible(
    verdict: Verdict,
    first: Side,
    sides: list[tuple[Probe, Side]],
    measurement: Measurement,
) -> Verdict:
    """Return the verdict with what it means for one whose map cannot be undone."""
    if is_singular_everywhere(sides):
        check = ldj_check(first, "fail", verdict.check.worst)
        return replace(verdict, check=check, mismatched=True, flat=True, singular=True)
    learns, fed = measurement.has_parameters, bool(measurement.fed)
    if not changes_orientation(sides, learns=learns, fed=fed):
        return verdict
    status: CheckStatus = "fail" if verdict.mismatched else "unproven"
    return replace(verdict, check=replace(verdict.check, status=status), folds=True)


def _judged(
    direction: Direction,
    first: Side,
    usable: tuple[tuple[Probe, Side, Tensor], ...],
    faults: tuple[str, ...],
    measurement: Measurement,
    *,
    singular: bool,
) -> Verdict:
    mismatched, unanchored, ill = False, False, False
    between: tuple[float, float] | None = None
    numbers: list[tuple[bool, float, float]] = [(False, 0.0, 0.0)]
    shown = first if singular else None
    bounds: list[float] = []  # of the first samples, but for those that tell nothing
    failing: list[Shape] = []
    for _, side, good in usable:
        if side.said.ldj is None:  # its form is broken there, which is a fault
            mismatched = True
            continue
        assert side.exact.ldj is not None
        assert side.exact.allowed is not None
        assert side.exact.refuting is not None
        off = (side.said.ldj - side.exact.ldj)[good].abs()
        off = torch.where(torch.isnan(off), torch.full_like(off, math.inf), off)
        allowed = side.exact.allowed[good]
        # Rounding alone says that these are right.
        blurred = (allowed > hides_mistakes(side.dims)) & (off <= allowed)
        pairs = zip(blurred.tolist(), off.tolist(), allowed.tolist(), strict=True)
        here = [(not hidden, apart, within) for hidden, apart, within in pairs]
        numbers += here
        if side is first:
            bounds = [within for telling, _, within in here if telling]
        apart = bool((off > side.exact.refuting[good]).any())
        agrees = bool((off <= allowed).all())
        unanchored |= not side.exact.anchored
        if apart and side.exact.anchored:
            mismatched = True
            failing.append(side.shape)
            shown = shown or side  # numbers that agree are no evidence of a mistake
        elif side.exact.anchored and not agrees and not apart:
            worst_here = int((off / allowed).argmax())
            pair = float(off[worst_here]), float(allowed[worst_here])
            between = max(between or pair, pair)
        elif (
            agrees
            and not side.said.estimated
            and not side.exact.approximate
            and _proves_nothing(side, allowed)
        ):
            given = (measurement.options.atol, measurement.options.rtol)
            ill |= side is first and given == (None, None)
    if first.said.estimated:
        factor, error = common_factor(_estimates(usable))
        mismatched |= abs(factor - 1.0) > CHANCE_OF_ALL * error + 1e-6
        ill |= CHANCE_OF_ALL * error > _HALF
    undecided = between is not None and between[0] > VISIBLE
    _, worst, within = max(numbers)  # of samples that tell something, if any does
    nothing = None if mismatched or singular else vacuous(usable)
    status: CheckStatus = "pass"
    if mismatched or first.said.form is not None:
        status = "fail"
    elif singular or unanchored or nothing or ill or undecided or measurement.one_sided:
        status = "unproven"
    return Verdict(
        direction=direction,
        check=replace(
            _with_worst(ldj_check(shown or first, status, worst), within, bounds),
            smallest_failing=min(failing, key=math.prod, default=None),
        ),
        usable=usable,
        mismatched=mismatched,
        unanchored=unanchored and not mismatched,
        vacuous=nothing,
        singular=singular,
        ill_conditioned=ill,
        between=None if mismatched else between,
        form=first.said.form,
        faults=faults,
    )


def _with_worst(check: Check, allowed: float, bounds: list[float]) -> Check:
    """Return a check that does not hold the worst sample of all to what another is allowed.

    `allowed` is what that sample is; `bounds` are those of the check's own samples that
    tell something, if any does.
    """
    assert check.tolerance is not None
    assert check.worst is not None
    if check.status == "fail":
        return check
    own = max(bounds, default=check.tolerance)
    return replace(check, tolerance=own if check.worst <= own else max(own, allowed))


def _hides(allowed: Tensor, dims: int) -> bool:
    """Return whether a mistake could hide in more than half of the samples."""
    return 2 * int((allowed > hides_mistakes(dims)).sum()) > len(allowed)


def _proves_nothing(side: Side, allowed: Tensor) -> bool:
    """Return whether agreement is no proof, for what rounding hides in its precision."""
    if side.said.dtype in COARSE:
        return _hides_shares(allowed, side)
    hidden = side.said.dtype == "float64" and _hides(allowed, side.dims)
    return hidden or _is_open(side)


def _hides_shares(allowed: Tensor, side: Side) -> bool:
    """Return whether, in more than half of the samples, a mistake could hide that is large.

    Two digits tell of the sign and of half or twice as much, and of no small constant.
    """
    assert side.exact.ldj is not None
    known = side.exact.ldj.abs()
    return 2 * int((allowed.max() > _SHARE * known).sum()) > len(known)


def _is_open(side: Side) -> bool:
    """Return whether float32's rounding leaves nothing of log|det J| in most samples."""
    moved = side.open
    return moved is not None and 2 * int((moved > OPEN).sum()) > len(moved)


def _estimates(
    usable: tuple[tuple[Probe, Side, Tensor], ...],
) -> Iterator[tuple[float, float, float]]:
    """Yield reported, exact, and the standard error of reported, of every sample."""
    for _, side, good in usable:
        if (
            side.said.ldj is not None
            and side.exact.ldj is not None
            and side.said.estimated
        ):
            assert side.exact.allowed is not None
            error = side.exact.allowed[good] / CHANCE
            columns = (side.said.ldj[good], side.exact.ldj[good], error)
            yield from zip(*(column.tolist() for column in columns), strict=True)


def _usable(
    sides: list[tuple[Probe, Side]],
) -> Iterator[tuple[Probe, Side, Tensor]]:
    """Yield the configurations that say something, with the samples that do.

    Away from the first configuration a layer may saturate, or a size may not be meant:
    what is singular or not square there is left out. A sample whose exact value is not
    known proves nothing either way.
    """
    for probe, side in sides:
        if side.exact.ldj is None or side.exact.allowed is None:
            continue
        good = side.known
        if good.any():
            yield probe, side, good


def _untracked(
    direction: Direction,
    first: Side,
    usable: tuple[tuple[Probe, Side, Tensor], ...],
) -> bool:
    """Return whether a way back reports nothing: None, zeros, or what was passed in."""
    if direction == "forward":
        return False
    if first.said.ldj is None:
        return first.said.form is None
    zero = all(
        s.said.ldj is not None and says_nothing(s.said.ldj[g], s.dims, s.said.dtype)
        for _, s, g in usable
    )
    moves = any(
        s.exact.ldj is not None and bool((s.exact.ldj[g].abs() > VISIBLE).any())
        for _, s, g in usable
    )
    return bool(usable) and zero and moves


def _finite(y: Tensor) -> bool:
    return bool(torch.isfinite(y).all())
