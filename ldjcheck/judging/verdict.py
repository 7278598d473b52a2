"""How one direction came out: what it says against what is true, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.judging.checks import behaviour_seen, ldj_check
from ldjcheck.judging.invertibility import (
    changes_orientation,
    is_singular_everywhere,
    resized_verdict,
)
from ldjcheck.numerics.closeness import same
from ldjcheck.numerics.tolerance import (
    CHANCE,
    CHANCE_OF_ALL,
    COARSE,
    DOUBT,
    OPEN,
    VISIBLE,
    common_factor,
    common_shift,
    excess,
    hides_mistakes,
    says_nothing,
)
from ldjcheck.object_graph import children, reachable
from ldjcheck.oracle.way_back.round_trip import tells
from ldjcheck.records import Check, Direction, Measurement, Probe, Side, Verdict
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
        and (side is first or not _leads_anywhere(side, m.forward))
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
    sides: list[tuple[Probe, Side]], faults: tuple[str, ...], measurement: Measurement
) -> Verdict:
    first = sides[0][1]
    direction = first.direction
    if first.said.form is not None and first.said.ldj is None:
        # No way of reading it gives one value per sample.
        faults = (first.said.form, *faults)
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


def _leads_anywhere(side: Side, there: Side) -> bool:
    """Return whether rounding leads a way back anywhere, and no difference bears it out.

    There the map squeezes almost to nothing, and a search stops where it happens to.
    """
    if side.direction == "forward" or side.exact.anchored:
        return False
    return side.round_trip.allowed is not None and not tells(side, there)


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
    # The density of what several inputs lead to is a sum over these, and no determinant.
    is_sum = measurement.calls.convention in ("model", "density")
    mismatched = verdict.mismatched and not is_sum
    status: CheckStatus = "fail" if mismatched else "unproven"
    check = replace(verdict.check, status=status)
    return replace(verdict, check=check, mismatched=mismatched, folds=True)


def _judged(
    direction: Direction,
    first: Side,
    usable: tuple[tuple[Probe, Side, Tensor], ...],
    faults: tuple[str, ...],
    measurement: Measurement,
    *,
    singular: bool,
) -> Verdict:
    # A form that is broken at some size is a fault of the layer.
    broken = any(side.said.ldj is None for _, side, _ in usable)
    compared = [
        _Compared.of(side, good)
        for _, side, good in usable
        if side.said.ldj is not None
    ]
    refuted = [each.side for each in compared if each.refutes]
    unanchored = any(not each.side.exact.anchored for each in compared)
    between = max((each.between for each in compared if each.between), default=None)
    given = (measurement.options.atol, measurement.options.rtol) != (None, None)
    ill = not given and any(e.side is first and e.proves_nothing for e in compared)
    mismatched = broken or bool(refuted)
    if first.said.estimated and not first.said.expected:
        samples = tuple(_estimates(usable))
        factor, error = common_factor(samples)
        shift, apart = common_shift(samples)
        far = max(_beyond(factor - 1.0, error), _beyond(shift, apart), excess(samples))
        mismatched |= far > CHANCE_OF_ALL
        ill |= CHANCE_OF_ALL * error > _HALF or far > DOUBT
    undecided = between is not None and between[0] > VISIBLE
    numbers = [sample for each in compared for sample in each.samples]
    # Of samples that tell something, if any does.
    _, worst, within = max(numbers, default=(False, 0.0, 0.0))
    nothing = None if mismatched or singular else vacuous(usable)
    if nothing == "zero" and not _holds_numbers(measurement.layer.obj):
        nothing = None  # it is one linear map for good, and 0 its ldj
    status: CheckStatus = "pass"
    if mismatched or first.said.form is not None:
        status = "fail"
    elif singular or unanchored or nothing or ill or undecided or measurement.one_sided:
        status = "unproven"
    # Numbers that agree are no evidence of a mistake.
    shown = first if singular or not refuted else refuted[0]
    own = [e for each in compared if each.side is first for e in each.samples]
    return Verdict(
        direction=direction,
        check=replace(
            _with_worst(
                ldj_check(shown, status, worst),
                within,
                [allowed for telling, _, allowed in own if telling],
            ),
            smallest_failing=min(
                (s.shape for s in refuted), key=math.prod, default=None
            ),
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


@dataclass(frozen=True, slots=True)
class _Compared:
    """Reported against exact at one configuration, over the samples that say something."""

    side: Side
    off: Tensor  # |reported - exact|, `(samples,)`, infinite where nothing is reported
    allowed: Tensor
    refuting: Tensor

    @classmethod
    def of(cls, side: Side, good: Tensor) -> _Compared:
        """Return the comparison of a side that reports numbers, and whose exact are known."""
        reported, exact = side.numbers
        allowed, refuting = side.exact.bounds
        off = (reported - exact)[good].abs()
        off = torch.where(torch.isnan(off), torch.full_like(off, math.inf), off)
        return cls(side, off, allowed[good], refuting[good])

    @property
    def agrees(self) -> bool:
        """Whether all samples are right."""
        return bool((self.off <= self.allowed).all())

    @property
    def is_apart(self) -> bool:
        """Whether a sample is off by more than anything but a mistake explains."""
        return bool((self.off > self.refuting).any())

    @property
    def refutes(self) -> bool:
        """Whether it shows a mistake: apart from an exact value that differences bear out."""
        return self.is_apart and self.side.exact.anchored

    @property
    def between(self) -> tuple[float, float] | None:
        """The worst sample's difference and bound, where it is neither right nor wrong."""
        if not self.side.exact.anchored or self.agrees or self.is_apart:
            return None
        worst = int((self.off / self.allowed).argmax())
        return float(self.off[worst]), float(self.allowed[worst])

    @property
    def samples(self) -> list[tuple[bool, float, float]]:
        """Each sample: whether it tells something, its difference, and its bound."""
        # Rounding alone says that these are right.
        blurred = self.allowed > hides_mistakes(self.side.dims)
        telling = ~(blurred & (self.off <= self.allowed))
        columns = telling.tolist(), self.off.tolist(), self.allowed.tolist()
        return list(zip(*columns, strict=True))

    @property
    def proves_nothing(self) -> bool:
        """Whether it agrees, and so would a mistake, for what rounding hides."""
        said, exact = self.side.said, self.side.exact
        if not self.agrees or said.estimated or exact.approximate:
            return False
        if said.dtype in COARSE:
            return _hides_shares(self.allowed, self.side)
        hidden = said.dtype == "float64" and _hides(self.allowed, self.side.dims)
        return hidden or _is_open(self.side)


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


def _beyond(off: float, error: float) -> float:
    """Return how many standard errors something is off by, rounding aside."""
    return max(0.0, abs(off) - 1e-6) / error


def _estimates(
    usable: tuple[tuple[Probe, Side, Tensor], ...],
) -> Iterator[tuple[float, float, float]]:
    """Yield reported, exact, and the standard error of reported, of every sample."""
    for _, side, good in usable:
        if (
            side.said.ldj is not None
            and side.exact.ldj is not None
            and side.said.estimated
            and not side.said.expected
        ):
            allowed, _ = side.exact.bounds
            error = allowed[good] / CHANCE
            columns = (side.said.ldj[good], side.exact.ldj[good], error)
            yield from zip(*(column.tolist() for column in columns), strict=True)


def _usable(sides: list[tuple[Probe, Side]]) -> Iterator[tuple[Probe, Side, Tensor]]:
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
    direction: Direction, first: Side, usable: tuple[tuple[Probe, Side, Tensor], ...]
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


# --- whether agreement proves anything: a mistake must have had a place to show -------


def vacuous(usable: tuple[tuple[Probe, Side, Tensor], ...]) -> str | None:
    """Return why agreement proves nothing, or None when it does.

    An ldj of zero is proved when the map is a rotation or a permutation that moves x,
    when it adds whole multiples of entries to others, which leaves nothing to take the
    logarithm of, or when it stays zero while the Jacobian varies.
    """
    for _, side, good in usable:
        if side.exact.ldj is not None and (side.exact.ldj[good].abs() > VISIBLE).any():
            return None
    if all(_is_identity(side) for _, side, _ in usable):
        return "identity"
    known = [
        side.exact.jacobian for _, side, _ in usable if side.exact.jacobian is not None
    ]
    if known and all(_is_orthogonal(j) or _is_whole(j) for j in known):
        return None
    if not known or any(_varies(j) for j in known) or _differ(known):
        return None
    return "zero"


def _holds_numbers(layer: object) -> bool:
    """Return whether a layer holds what may change: tensors, or fractions."""
    return any(
        isinstance(held, (Tensor, float))
        for item in reachable(layer)
        for held in (item, *children(item))
    )


def _is_identity(side: Side) -> bool:
    if side.x.shape != side.y.shape or side.exact.wrt == "noise":
        return False
    return same(side.y, side.x)


def _is_orthogonal(jacobian: Tensor) -> bool:
    eye = torch.eye(jacobian.shape[1], dtype=jacobian.dtype)
    return torch.allclose(jacobian @ jacobian.mT, eye.expand_as(jacobian), atol=1e-5)


def _is_whole(jacobian: Tensor) -> bool:
    return torch.allclose(jacobian, jacobian.round(), rtol=0.0, atol=1e-9)


def _varies(jacobian: Tensor) -> bool:
    return not torch.allclose(jacobian, jacobian[:1].expand_as(jacobian), atol=1e-9)


def _differ(jacobians: list[Tensor]) -> bool:
    same_size = [j for j in jacobians if j.shape[1:] == jacobians[0].shape[1:]]
    return any(
        not torch.allclose(j[0], jacobians[0][0], atol=1e-9) for j in same_size[1:]
    )
