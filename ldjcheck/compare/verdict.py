"""How one direction came out: what it says against what is true, sample by sample."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.compare.checks import ldj_check
from ldjcheck.compare.contract import behaviour_seen
from ldjcheck.compare.folded import changes_orientation, is_singular_everywhere
from ldjcheck.compare.resized import resized_verdict
from ldjcheck.compare.vacuous import vacuous
from ldjcheck.records import (
    Check,
    CheckStatus,
    Config,
    ConfigMeasured,
    Direction,
    DirectionMeasured,
    Measurement,
    Shape,
    Unavailable,
    Verdict,
)
from ldjcheck.tolerance import (
    CHANCE,
    CHANCE_OF_ALL,
    OPEN,
    VISIBLE,
    common_factor,
    hides_mistakes,
    says_nothing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


_HALF = 0.45  # what is left open of a factor must be less than half of it


def verdict_on(measurement: Measurement, direction: Direction) -> Verdict:
    """Return how a direction came out over all configurations."""
    first = _side(measurement.measured[0], direction)
    if isinstance(first, Unavailable):
        return Verdict(
            direction=direction,
            check=Check(
                name="ldj",
                direction=direction,
                status="error" if first.raised else "not-available",
            ),
            raised=first.raised,
            why=first.why,
        )
    sides = [
        (m.config, side)
        for m in measurement.measured
        if isinstance(side := _side(m, direction), DirectionMeasured)
    ]
    seen = behaviour_seen([side for _, side in sides])
    verdict = _by_numbers(sides, seen.faults, measurement)
    verdict = replace(verdict, behaviour=seen)
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
        form=None,
    )


def _by_numbers(
    sides: list[tuple[Config, DirectionMeasured]],
    faults: tuple[str, ...],
    measurement: Measurement,
) -> Verdict:
    first = sides[0][1]
    direction = first.direction
    if first.form is not None and first.reported is None:
        faults = (
            first.form,
            *faults,
        )  # no way of reading it gives one value per sample
    square = (
        first.jacobian is None or first.jacobian.shape[1] == first.jacobian.shape[2]
    )
    if first.jacobian is not None and not square:
        return resized_verdict([side for _, side in sides], faults)
    if first.exact is None or first.allowed is None:
        status: CheckStatus = "fail" if faults or not _finite(first.y) else "unproven"
        return Verdict(
            direction=direction,
            check=ldj_check(first, status, None),
            mismatched=status == "fail",
            faults=faults or ("the output or its Jacobian is NaN or infinite",),
        )
    usable = tuple(_usable(sides))
    singular = not usable or usable[0][1] is not first
    untracked = _untracked(direction, first, usable)
    if first.reported is None:
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
    return _invertible(verdict, first, sides, learns=measurement.has_parameters)


def _invertible(
    verdict: Verdict,
    first: DirectionMeasured,
    sides: list[tuple[Config, DirectionMeasured]],
    *,
    learns: bool,
) -> Verdict:
    """Return the verdict with what it means for one whose map cannot be undone."""
    if is_singular_everywhere(sides):
        check = ldj_check(first, "fail", verdict.check.worst)
        return replace(verdict, check=check, mismatched=True, flat=True, singular=True)
    if not changes_orientation(sides, learns=learns):
        return verdict
    status: CheckStatus = "fail" if verdict.mismatched else "unproven"
    return replace(verdict, check=replace(verdict.check, status=status), folds=True)


def _judged(
    direction: Direction,
    first: DirectionMeasured,
    usable: tuple[tuple[Config, DirectionMeasured, Tensor], ...],
    faults: tuple[str, ...],
    measurement: Measurement,
    *,
    singular: bool,
) -> Verdict:
    worst, mismatched, unanchored, ill = (0.0, 0.0), False, False, False
    shown = first if singular else None
    failing: list[Shape] = []
    for _, side, good in usable:
        if side.reported is None:  # its form is broken there, which is a fault
            mismatched = True
            continue
        assert side.exact is not None
        assert side.allowed is not None
        off = (side.reported - side.exact)[good].abs()
        off = torch.where(torch.isnan(off), torch.full_like(off, math.inf), off)
        allowed = side.allowed[good]
        worst = max([worst, *zip(off.tolist(), allowed.tolist(), strict=True)])
        apart = bool((off > allowed).any())
        unanchored |= not side.anchored
        if apart and side.anchored:
            mismatched = True
            failing.append(tuple(side.x.shape[1:]))
            shown = shown or side  # numbers that agree are no evidence of a mistake
        elif (
            not apart
            and not side.estimated
            and not side.approximate
            and _proves_nothing(side, allowed)
        ):
            given = (measurement.options.atol, measurement.options.rtol)
            ill |= side is first and given == (None, None)
    if first.estimated:
        factor, error = common_factor(_estimates(usable))
        mismatched |= abs(factor - 1.0) > CHANCE_OF_ALL * error + 1e-6
        ill |= CHANCE_OF_ALL * error > _HALF
    nothing = None if mismatched or singular else vacuous(usable)
    status: CheckStatus = "pass"
    if mismatched or first.form is not None:
        status = "fail"
    elif singular or unanchored or nothing or ill or measurement.one_sided:
        status = "unproven"
    return Verdict(
        direction=direction,
        check=replace(
            _with_worst(ldj_check(shown or first, status, worst[0]), worst[1]),
            smallest_failing=min(failing, key=math.prod, default=None),
        ),
        usable=usable,
        mismatched=mismatched,
        unanchored=unanchored and not mismatched,
        vacuous=nothing,
        singular=singular,
        ill_conditioned=ill,
        form=first.form,
        faults=faults,
    )


def _with_worst(check: Check, allowed: float) -> Check:
    """Return a check that does not hold the worst sample of all to what another is allowed."""
    assert check.tolerance is not None
    assert check.worst is not None
    if check.status == "fail" or check.worst <= check.tolerance:
        return check
    return replace(check, tolerance=max(check.tolerance, allowed))


def _hides(allowed: Tensor, dims: int) -> bool:
    """Return whether a mistake could hide in more than half of the samples."""
    return 2 * int((allowed > hides_mistakes(dims)).sum()) > len(allowed)


def _proves_nothing(side: DirectionMeasured, allowed: Tensor) -> bool:
    """Return whether agreement is no proof, for what rounding hides in its precision."""
    hidden = side.dtype == "float64" and _hides(allowed, side.x[0].numel())
    return hidden or _is_open(side)


def _is_open(side: DirectionMeasured) -> bool:
    """Return whether float32's rounding leaves nothing of log|det J| in most samples."""
    return side.open is not None and 2 * int((side.open > OPEN).sum()) > len(side.open)


def _estimates(
    usable: tuple[tuple[Config, DirectionMeasured, Tensor], ...],
) -> Iterator[tuple[float, float, float]]:
    """Yield reported, exact, and the standard error of reported, of every sample."""
    for _, side, good in usable:
        if side.reported is not None and side.exact is not None and side.estimated:
            assert side.allowed is not None
            error = side.allowed[good] / CHANCE
            columns = (side.reported[good], side.exact[good], error)
            yield from zip(*(column.tolist() for column in columns), strict=True)


def _usable(
    sides: list[tuple[Config, DirectionMeasured]],
) -> Iterator[tuple[Config, DirectionMeasured, Tensor]]:
    """Yield the configurations that say something, with the samples that do.

    Away from the first configuration a layer may saturate, or a size may not be meant:
    what is singular or not square there is left out. A sample without a finite exact value
    proves nothing either way.
    """
    for config, side in sides:
        if side.exact is None or side.allowed is None:
            continue
        good = torch.isfinite(side.exact)
        if good.any():
            yield config, side, good


def _untracked(
    direction: Direction,
    first: DirectionMeasured,
    usable: tuple[tuple[Config, DirectionMeasured, Tensor], ...],
) -> bool:
    """Return whether a way back reports nothing: None, zeros, or what was passed in."""
    if direction == "forward":
        return False
    if first.reported is None:
        return first.form is None
    zero = all(
        s.reported is not None and says_nothing(s.reported[g], s.x[0].numel(), s.dtype)
        for _, s, g in usable
    )
    moves = any(
        s.exact is not None and bool((s.exact[g].abs() > VISIBLE).any())
        for _, s, g in usable
    )
    return bool(usable) and zero and moves


def _side(
    measured: ConfigMeasured, direction: Direction
) -> DirectionMeasured | Unavailable:
    return measured.forward if direction == "forward" else measured.inverse


def _finite(y: Tensor) -> bool:
    return bool(torch.isfinite(y).all())
