"""Comparing: what the layer says against what is true, sample by sample.

Nothing is named here. A verdict says whether a direction agrees everywhere, and if it
does, whether that proves anything.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.records import (
    Check,
    CheckStatus,
    Comparison,
    Config,
    ConfigMeasured,
    Dimension,
    Direction,
    DirectionMeasured,
    Measurement,
    Sample,
    Unavailable,
    Verdict,
)
from ldjcheck.tolerance import VISIBLE, hides_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOLVER = 1e-4  # a way back that is off by at most this may be a solver's own residual
_COUPLED = 1e-8  # relative to the entries of J: what rounding leaves between samples


def compare(measurement: Measurement) -> Comparison:
    """Return what agrees, what does not, and what proves nothing."""
    forward = _verdict(measurement, "forward")
    inverse = _verdict(measurement, "inverse")
    return Comparison(
        measurement=measurement,
        forward=forward,
        inverse=inverse,
        round_trip=_round_trip(measurement, inverse),
        contract=_contract(forward, inverse),
    )


def _verdict(measurement: Measurement, direction: Direction) -> Verdict:
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
    faults = tuple(dict.fromkeys(_faults(sides, measurement)))
    if first.form is not None and first.reported is None:
        faults = (
            first.form,
            *faults,
        )  # no way of reading it gives one value per sample
    square = (
        first.jacobian is None or first.jacobian.shape[1] == first.jacobian.shape[2]
    )
    if first.jacobian is not None and not square:
        dims = (first.jacobian.shape[2], first.jacobian.shape[1])
        return Verdict(
            direction=direction,
            check=_check(first, "unproven", None),
            resized=dims,
            faults=faults,
        )
    if first.exact is None or first.allowed is None:
        status: CheckStatus = "fail" if faults or not _finite(first.y) else "unproven"
        return Verdict(
            direction=direction,
            check=_check(first, status, None),
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
            check=_check(first, status, None),
            usable=usable,
            untracked=untracked,
            mismatched=not untracked,
            faults=faults or (() if untracked else ("the call reports no ldj",)),
        )
    if untracked:
        return Verdict(
            direction=direction,
            check=_check(first, "not-available", None),
            usable=usable,
            untracked=True,
            faults=faults,
        )
    return _judged(direction, first, usable, faults, measurement, singular=singular)


def _judged(
    direction: Direction,
    first: DirectionMeasured,
    usable: tuple[tuple[Config, DirectionMeasured, Tensor], ...],
    faults: tuple[str, ...],
    measurement: Measurement,
    *,
    singular: bool,
) -> Verdict:
    worst, mismatched, unanchored, ill = 0.0, singular, False, False
    shown = first if singular else None
    for _, side, good in usable:
        if side.reported is None:  # its form is broken there, which is a fault
            mismatched = True
            continue
        assert side.exact is not None
        assert side.allowed is not None
        off = (side.reported - side.exact)[good].abs()
        off = torch.where(torch.isnan(off), torch.full_like(off, math.inf), off)
        allowed = side.allowed[good]
        worst = max([worst, *off.tolist()])
        apart = bool((off > allowed).any())
        unanchored |= not side.anchored
        if apart and side.anchored:
            mismatched = True
            shown = shown or side  # numbers that agree are no evidence of a mistake
        elif (
            not apart
            and float(allowed.max()) > hides_mistakes(side.x[0].numel())
            and side.dtype == "float64"
        ):
            given = (measurement.options.atol, measurement.options.rtol)
            ill |= side is first and given == (None, None)
    vacuous = None if mismatched else _vacuous(usable)
    status: CheckStatus = "pass"
    if mismatched or first.form is not None:
        status = "fail"
    elif unanchored or vacuous or ill or measurement.one_sided:
        status = "unproven"
    return Verdict(
        direction=direction,
        check=_check(shown or first, status, worst),
        usable=usable,
        mismatched=mismatched,
        unanchored=unanchored and not mismatched,
        vacuous=vacuous,
        singular=singular,
        ill_conditioned=ill,
        form=first.form,
        faults=faults,
    )


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
    zero = all(s.reported is not None and not s.reported[g].any() for _, s, g in usable)
    moves = any(
        s.exact is not None and bool((s.exact[g].abs() > VISIBLE).any())
        for _, s, g in usable
    )
    return bool(usable) and zero and moves


def _vacuous(
    usable: tuple[tuple[Config, DirectionMeasured, Tensor], ...],
) -> str | None:
    """Return why agreement proves nothing, or None when it does.

    An ldj of zero is proved when the map is a rotation or a permutation that moves x, or
    when it stays zero while the Jacobian varies.
    """
    for _, side, good in usable:
        if side.exact is not None and (side.exact[good].abs() > VISIBLE).any():
            return None
    if all(_is_identity(side) for _, side, _ in usable):
        return "identity"
    known = [side.jacobian for _, side, _ in usable if side.jacobian is not None]
    if known and all(_is_orthogonal(j) for j in known):
        return None
    if not known or any(_varies(j) for j in known) or _differ(known):
        return None
    return "zero"


def _is_identity(side: DirectionMeasured) -> bool:
    if side.x.shape != side.y.shape or side.wrt == "noise":
        return False
    return torch.allclose(side.x.double(), side.y.double(), rtol=0.0, atol=1e-12)


def _is_orthogonal(jacobian: Tensor) -> bool:
    eye = torch.eye(jacobian.shape[1], dtype=jacobian.dtype)
    return torch.allclose(jacobian @ jacobian.mT, eye.expand_as(jacobian), atol=1e-5)


def _varies(jacobian: Tensor) -> bool:
    return not torch.allclose(jacobian, jacobian[:1].expand_as(jacobian), atol=1e-9)


def _differ(jacobians: list[Tensor]) -> bool:
    same_size = [j for j in jacobians if j.shape[1:] == jacobians[0].shape[1:]]
    return any(
        not torch.allclose(j[0], jacobians[0][0], atol=1e-9) for j in same_size[1:]
    )


def _faults(
    sides: list[tuple[Config, DirectionMeasured]], measurement: Measurement
) -> Iterator[str]:
    """Yield what breaks the contract at the first configuration where something does."""
    for _, side in sides:
        found = list(side.faults)
        if side.coupled > _uncoupled(side) and measurement.options.mode == "eval":
            found.append(
                "a sample's output or ldj depends on the other samples of the batch "
                f"(by up to {side.coupled:.3g})"
            )
        if found:
            yield from found
            return


def _uncoupled(side: DirectionMeasured) -> float:
    """Return how far a sample may move with its companions: by rounding alone."""
    sizes = [1.0] + [
        float(values[torch.isfinite(values)].abs().max())
        for values in (side.jacobian, side.y, side.reported)
        if values is not None and torch.isfinite(values).any()
    ]
    rounding = _COUPLED * max(sizes) * (1.0 if side.dtype == "float64" else 1e5)
    # A solver that stops when the whole batch is good enough is coupled by its residual.
    residual = side.round_trip if side.round_trip is not None else 0.0
    return rounding + 10.0 * min(residual, _SOLVER)


def _round_trip(measurement: Measurement, inverse: Verdict) -> Check:
    sides = [m.inverse for m in measurement.measured]
    ways = [
        s
        for s in sides
        if isinstance(s, DirectionMeasured) and s.round_trip is not None
    ]
    if not ways or ways[0] is not sides[0]:
        return Check(name="round-trip", direction=None, status="not-available")
    first = max(ways, key=_round_trip_excess)
    worst, allowed = first.round_trip or 0.0, first.round_trip_allowed or 0.0
    agrees = not inverse.mismatched
    status: CheckStatus = "fail"
    if worst <= allowed:
        status = "pass"
    elif worst <= _SOLVER and agrees:
        status = "unproven"
    return Check(
        name="round-trip",
        direction=None,
        status=status,
        shape=tuple(first.x.shape[1:]),
        dims=first.x[0].numel(),
        dtype=first.dtype,
        tolerance=allowed,
        worst=worst,
    )


def _round_trip_excess(side: DirectionMeasured) -> float:
    """Return by how many times the way back misses what is allowed."""
    if side.round_trip is None or side.round_trip_allowed is None:
        return 0.0
    return side.round_trip / max(side.round_trip_allowed, 1e-300)


def _contract(forward: Verdict, inverse: Verdict) -> Check:
    faults = forward.faults or inverse.faults or forward.form or inverse.form
    ran = any(
        v.check.status not in ("not-available", "error") for v in (forward, inverse)
    )
    status: CheckStatus = "fail" if faults else "pass" if ran else "not-available"
    return Check(name="contract", direction=None, status=status)


def _check(side: DirectionMeasured, status: CheckStatus, worst: float | None) -> Check:
    return Check(
        name="ldj",
        direction=side.direction,
        status=status,
        wrt=side.wrt,
        shape=tuple(side.x.shape[1:]),
        dims=side.x[0].numel(),
        dtype=side.dtype,
        tolerance=None if side.allowed is None else float(side.allowed.max()),
        worst=worst,
        method=side.method,
        samples=tuple(_samples(side)),
        dimensions=tuple(_dimensions(side)),
        structure=side.structure,
    )


def _samples(side: DirectionMeasured) -> Iterator[Sample]:
    if side.exact is None or side.allowed is None:
        return
    for index, exact in enumerate(side.exact.tolist()):
        reported = None if side.reported is None else float(side.reported[index])
        yield Sample(
            index=index,
            reported=reported,
            exact=exact,
            difference=None if reported is None else reported - exact,
            allowed=float(side.allowed[index]),
        )


def _dimensions(side: DirectionMeasured) -> Iterator[Dimension]:
    if side.shares is None:
        return
    own = side.reported_shares
    for index, exact in enumerate(side.shares[0].tolist()):
        reported = None if own is None else float(own[0, index])
        yield Dimension(index=index, exact=exact, reported=reported)


def _side(
    measured: ConfigMeasured, direction: Direction
) -> DirectionMeasured | Unavailable:
    return measured.forward if direction == "forward" else measured.inverse


def _finite(y: Tensor) -> bool:
    return bool(torch.isfinite(y).all())
