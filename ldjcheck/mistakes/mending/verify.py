"""Measuring an edited layer anew, where nothing was concluded from before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from ldjcheck.experiments.behaviour.padding import padding_told
from ldjcheck.judging import breaks_contract, compare
from ldjcheck.mistakes.mending.generality import (
    agrees_at,
    benches_with_other_numbers,
    is_in_form,
    is_map_broken,
    takes_density_away,
)
from ldjcheck.mistakes.mending.rerun import Rehearsal, measured_again
from ldjcheck.mistakes.rewriting.reductions import over_all_axes
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.records import Comparison, Direction, Probe, Span, Verdict
from ldjcheck.revision import Live, Replacement, StaleSourceError
from ldjcheck.running.bench import Bench

_ALIKE = 0.1  # of a difference: what is left of it is no other one


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The size that was asked about, where a mistake was explained at a smaller one."""

    bench: Bench
    probes: tuple[Probe, ...]

    def agrees(self) -> bool:
        """Return whether what the layer reports there is true, as its code is now."""
        bench = replace(self.bench, behaviour=False)
        measured = (measure_sides(bench, probe) for probe in self.probes)
        return not any(
            side.disagrees or side.said.form is not None
            for sides in measured
            for side in sides.answered
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """Configurations that nothing was concluded from: looked at closely, and by value."""

    closely: tuple[Probe, ...]
    by_value: tuple[Probe, ...]
    whole: Whole | None = None
    ranks: tuple[Probe, ...] = ()  # events of all ranks that a map of entries takes

    def with_values_at(self, more: Iterable[Probe]) -> Plans:
        """Return the plans with further configurations where the values are compared."""
        further = (c for c in more if c not in (*self.closely, *self.by_value))
        return replace(self, by_value=(*self.by_value, *dict.fromkeys(further)))


@dataclass(frozen=True, slots=True)
class Weighed:
    """Edits with which a layer agrees, what is left in nats, and whether by no chance."""

    changes: tuple[Replacement, ...]
    residual: float
    sure: bool


@dataclass(frozen=True)
class Verification:
    """Asks whether a whole layer agrees once its source is edited."""

    bench: Bench
    before: Comparison
    plans: Plans
    refuted: list[tuple[Rehearsal, float]] = field(default_factory=list)
    """Where earlier edits left a difference, and how much: exact values are known there."""

    def residual(self, live: Live, changes: Sequence[Replacement]) -> float | None:
        """Return the largest difference that is left, in nats; None if it does not agree."""
        after = self.compared(live, changes)
        if after is None:
            return None
        if not self.agrees(after):
            self._remember(after)
            return None
        return self.largest(after)

    def weighed(
        self, live: Live, changes: Sequence[Replacement], touched: Sequence[Span] = ()
    ) -> Weighed | None:
        """Return what a layer agrees with; None if it does not with these edits.

        Of a map that takes events of several ranks, sums over one axis are written as
        sums over all where that is what it takes, in what is `touched` too. Where it
        cannot be, the ranks count that are right in a direction that was never wrong.
        """
        residual = self.residual(live, changes)
        if residual is None:
            return None
        found, ranks = tuple(changes), self.ranks
        if not self._is_right_by_kind(live, found):
            return Weighed(found, residual, sure=False)
        if not any(change.text.strip() for change in found):
            ranks = self._promised(ranks)  # what only goes is of no rank
        if self._holds(live, found, ranks):
            return Weighed(found, residual, sure=True)
        wide = tuple(
            put
            for source in live.sources.values()
            for put in over_all_axes(
                source, changes, [s.line for s in touched if s.file == source.file]
            )
        )
        if self.plans.ranks and set(wide) != set(found):
            again = self.residual(live, wide)
            if again is not None and self._holds(live, wide, self.plans.ranks):
                return Weighed(wide, again, sure=True)
        known = self._right_elsewhere(self.ranks)
        return Weighed(found, residual, sure=self._holds(live, found, known))

    def is_general(
        self,
        live: Live,
        changes: Sequence[Replacement],
        directions: Sequence[Direction] = (),
    ) -> bool:
        """Return whether edits that agree where they were run are right by no chance.

        They hold at all ranks that the map takes and with other numbers held, leave every
        log-density where it is, and are of a layer whose map is right. Looked at are some
        `directions`, or those that were wrong.
        """
        ranks = self.plans.ranks if directions else self.ranks
        return self._is_right_by_kind(live, changes) and self._holds(
            live, changes, ranks, directions
        )

    @cached_property
    def ranks(self) -> tuple[Probe, ...]:
        """The ranks at which edits must hold.

        Where the user has said of which shape an event is, they are those at which the
        layer reports what is promised, right or wrong.
        """
        if not self.bench.options.shape:
            return self.plans.ranks
        return self._promised(self.plans.ranks)

    @property
    def _wrong(self) -> list[Direction]:
        return [
            v.direction
            for v in self.before.verdicts
            if _was_wrong(v) or breaks_contract(v.behaviour)
        ]

    def _promised(self, ranks: Sequence[Probe]) -> tuple[Probe, ...]:
        """Return where what is wrong is the number alone, and not its form."""
        wrong = self._wrong
        return tuple(r for r in ranks if is_in_form(self.bench, r, wrong))

    def _right_elsewhere(self, ranks: Sequence[Probe]) -> tuple[Probe, ...]:
        """Return where the layer is right as it is written, in what was never wrong."""
        right = [
            v.direction
            for v in self.before.verdicts
            if v.direction not in self._wrong and v.check.status == "pass"
        ]
        return tuple(r for r in ranks if agrees_at(self.bench, (r,), right))

    def _is_right_by_kind(self, live: Live, changes: Sequence[Replacement]) -> bool:
        """Return whether the map is not what is wrong, and no log-density goes."""
        first, *_ = self.before.measurement.measured
        return not is_map_broken(self.before) and not any(
            takes_density_away(self.bench, first, direction, live, changes)
            for direction in self._wrong
        )

    def _holds(
        self,
        live: Live,
        changes: Sequence[Replacement],
        ranks: Sequence[Probe],
        directions: Sequence[Direction] = (),
    ) -> bool:
        """Return whether a layer is right with edits at some ranks, and other numbers."""
        asked, probe = directions or self._wrong, self.plans.closely[0]
        others = benches_with_other_numbers(self.bench, probe, live, changes)
        with live.edited(changes):
            return agrees_at(self.bench, ranks, asked) and all(
                agrees_at(other, (probe,), asked) for other in others
            )

    def compared(self, live: Live, changes: Sequence[Replacement]) -> Comparison | None:
        """Return how the edited layer comes out; None where it cannot be, or was refuted."""
        first = self.before.measurement.measured[:1]
        alone = self._without_total()
        splits = Rehearsal(self.bench, first if self._has_splits else (), "forward")
        with contextlib.suppress(StaleSourceError, SyntaxError), live.edited(changes):
            if self._has_splits and splits.gap() is None:
                return None  # what a split says is taken off: any density would agree
            if not alone <= self._without_total():
                return None  # the layer, as it was written, may be called without one
            if not self._is_refuted():
                after, whole = self._compared(), self.plans.whole
                if not self.agrees(after):
                    return after
                if (whole is None or whole.agrees()) and self._takes_padding():
                    return after
        return None

    def _takes_padding(self) -> bool:
        """Return whether an edited layer reports numbers where a mask leaves an end out."""
        told = padding_told(self.bench, self.plans.closely)
        return told is None or told.finite

    def _without_total(self) -> set[Direction]:
        """Return the directions that run where the running total is left out."""
        if not self.bench.calls.is_total_optional:
            return set()
        first = self.before.measurement.measured[0]
        runner, _, _ = self.bench.ready(first.probe)
        return {
            side.direction
            for side in first.answered
            if runner.runs_without_total(side.direction, side.x)
        }

    def passing(self, live: Live, changes: tuple[Replacement, ...]) -> Weighed | None:
        """Return edits with which a layer passes, whatever it was before; None elsewhere.

        It passes both ways, and where it is tried there and back.
        """
        after = self.compared(live, changes)
        if after is None:
            return None
        checks = (*(v.check for v in after.verdicts), after.round_trip)
        fine = all(check.status in ("pass", "not-available") for check in checks)
        cut = any(check.status == "fail" for check in after.gradients)
        off = any(v.form is not None or v.raised or v.faults for v in after.verdicts)
        passes = any(v.check.status == "pass" for v in after.verdicts)
        if not fine or cut or off or not passes:
            return None
        return Weighed(changes, self.largest(after), sure=True)

    def largest(self, after: Comparison) -> float:
        """Return the largest difference that is left, in nats, where an ldj is tracked."""
        told = (v for v in after.verdicts if not v.untracked)
        return max((_largest(verdict) for verdict in told), default=0.0)

    @property
    def _has_splits(self) -> bool:
        return bool(self.bench.calls.departures)

    def _compared(self) -> Comparison:
        plans = self.plans
        kept = any(verdict.behaviour.stale for verdict in self.before.verdicts)
        evidence = measured_again(
            self.bench, plans.closely, plans.by_value, over_time=kept
        )
        return compare(replace(self.before.measurement, evidence=evidence))

    def _remember(self, after: Comparison) -> None:
        for verdict in after.verdicts:
            measured = after.measurement.measured
            rehearsal = Rehearsal(self.bench, measured, verdict.direction)
            if verdict.mismatched and rehearsal.shows_mistake:
                self.refuted.append((rehearsal, _largest(verdict)))

    def _is_refuted(self) -> bool:
        """Return whether about as much is left as an earlier edit left, at some input."""
        for rehearsal, before in self.refuted:
            for number in range(len(rehearsal)):
                gap = rehearsal.gap(number)
                if (
                    gap is None
                    or float(gap.abs().nan_to_num(0.0).max()) > _ALIKE * before
                ):
                    return True
        return False

    def agrees(self, after: Comparison) -> bool:
        """Return whether the edited layer is right, and nothing else came out otherwise."""
        pairs = zip(after.verdicts, self.before.verdicts, strict=True)
        if not all(_is_mended(now, before) for now, before in pairs):
            return False
        if any(check.status == "fail" for check in after.gradients):
            return False
        cut = {c.direction for c in self.before.gradients if c.status == "fail"}
        if cut - {c.direction for c in after.gradients if c.status == "pass"}:
            return False
        if any(gradient.raised for gradient in after.measurement.gradients):
            return False  # as NumPy does of what wants a gradient
        # The edit is of the ldj alone: nothing else may come out otherwise.
        return after.round_trip.status == self.before.round_trip.status


def _is_mended(now: Verdict, before: Verdict) -> bool:
    if now.mismatched or now.form is not None or set(now.raised) - set(before.raised):
        return False
    if set(now.faults) - set(before.faults):
        return False
    if breaks_contract(now.behaviour) and not breaks_contract(before.behaviour):
        return False
    if now.behaviour.stale:
        return False
    if _was_wrong(before):
        return now.check.status == "pass"
    if now.untracked and not before.untracked:
        return False  # the edit has left one way without an ldj
    return now.check.status in ("pass", before.check.status)


def _was_wrong(verdict: Verdict) -> bool:
    return verdict.mismatched or verdict.form is not None


def _largest(verdict: Verdict) -> float:
    worst = 0.0
    for _, side, good in verdict.usable:
        if side.difference is not None:
            off = side.difference[good].abs()
            worst = max([worst, *off[torch.isfinite(off)].tolist()])
    return worst
