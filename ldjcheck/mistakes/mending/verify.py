"""Measuring an edited layer anew, where nothing was concluded from before.

An edit that is right where it was run may be so by chance: of rank, value or kind. A sum
over one axis is right for vectors, `1.5 * log(2)` where a number that the layer holds
happens to be 2, and a log-density that is taken away leaves a map's own ldj. None of them
shows at other inputs: it shows at other ranks, with other numbers held, and in what is gone.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ldjcheck.densities.written import densities_in
from ldjcheck.errors import LAYERS_OWN
from ldjcheck.experiments.behaviour.padding import measure_padding
from ldjcheck.judging import breaks_contract, compare
from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.mending.rerun import (
    BOTH_WAYS,
    Rehearsal,
    measured_again,
    values_again,
)
from ldjcheck.mistakes.rewriting.reductions import over_all_axes
from ldjcheck.numerics.closeness import same
from ldjcheck.numerics.tolerance import hides_mistakes
from ldjcheck.object_graph import of_another, owner_of
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.records import Comparison, Direction, Probe, Sides, Span, Verdict
from ldjcheck.records.observed import Stepped
from ldjcheck.revision import Live, Replacement, StaleSourceError, call_name
from ldjcheck.revision.text import edited_functions, text_with
from ldjcheck.running.bench import Bench, built_like
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.snapshot.isolation import reseed

_FACTORS = (0.4, 1.7)  # by which a number that a layer holds is moved
_NUMBERS = 8  # that are moved
_OF_VALUES = (
    "log", "log2", "log10", "log1p", "exp", "sqrt", "full", "full_like", "pow",
)  # fmt: skip


_ALIKE = 0.1  # of a difference: what is left of it is no other one


def agrees_at(
    bench: Bench,
    probes: Sequence[Probe],
    directions: Sequence[Direction],
    *,
    in_form_alone: bool = False,
    stepped: bool = False,
) -> bool:
    """Return whether a layer, as its code is now, reports the exact ldj at these probes.

    Or else numbers in the form that is promised: `in_form_alone`. Of one that is `stepped`
    they need only come together as steps get finer.
    """
    quicker = replace(bench, behaviour=False)
    for probe in probes:
        sides = (
            values_again(bench, (probe,))[0]
            if stepped
            else measure_sides(quicker, probe)
        )
        for side in map(sides.of, directions):
            off = side.disagrees and not in_form_alone
            if not side.answered or off or side.said.form is not None:
                return False
    return True


def is_map_broken(comparison: Comparison) -> bool:
    """Return whether there and back does not return, while both ldj cancel as reported.

    Then they are those of the map that is meant, and what is wrong is how it is computed.
    """
    if comparison.round_trip.status != "fail":
        return False
    told = [
        (sides.forward, sides.inverse)
        for sides in comparison.measurement.measured
        if sides.forward.said.ldj is not None and sides.inverse.said.ldj is not None
    ]
    return bool(told) and all(
        same(there.said.ldj, -back.said.ldj)
        for there, back in told
        if there.said.ldj is not None and back.said.ldj is not None
    )


def _numbers(
    bench: Bench, names: set[str] | None
) -> Iterator[tuple[int, str, float | Tensor]]:
    """Yield the numbers that a layer holds: of which part, under which name, and what.

    Tensors of one value are some as well. Those of more axes, or of one entry, may be masks
    and switches where that is 0 or 1; a vector of it is a scale that is yet to be fitted.
    """
    for index, part in enumerate(_parts(bench.layer.obj)):
        found: list[tuple[str, Any]] = [*getattr(part, "__dict__", {}).items()]
        if isinstance(part, nn.Module):
            found += part.named_buffers(recurse=False)
        for name, value in found:
            is_number = type(value) in (int, float) or _is_of_one_value(value)
            if is_number and (names is None or name in names):
                yield index, name, value


def _is_of_one_value(value: Any) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return False
    entries = value.unique()
    is_vector = value.dim() == 1 < value.numel()
    return len(entries) == 1 and (is_vector or float(entries) not in (0.0, 1.0))


def _parts(layer: Any) -> list[Any]:
    whole = owner_of(layer)
    return [*whole.modules()] if isinstance(whole, nn.Module) else [whole]


def _with_number(
    bench: Bench, index: int, name: str, value: float | Tensor
) -> Bench | None:
    """Return the bench whose layer holds another number; None where it cannot.

    What its class makes of that number, and keeps beside it, is made of the other one. The
    layer itself is built anew: its parameters may be as many as that says.
    """
    copy = bench.copy()
    if copy.said is not None:
        return None
    part = _parts(copy.layer)[index]
    try:
        reseed(bench.options.seed)
        built = built_like(part, **{name: value})
        if built is not None and not index:
            layer = replace(
                bench.layer, obj=of_another(copy.layer, built), rebuild=None
            )
            return replace(bench, layer=layer, masters={}, idle={})
        held = {name: value} if built is None else vars(built)
        for each, now in held.items():
            if type(now) in (int, float) or isinstance(now, torch.Tensor):
                setattr(part, each, now)
        if isinstance(built, nn.Module):
            for each, buffer in built.named_buffers(recurse=False):
                part.register_buffer(each, buffer)
    except LAYERS_OWN:  # in the layer's own building and setting
        return None
    layer = replace(bench.layer, obj=copy.layer, rebuild=None)
    return replace(bench, layer=layer, masters={}, idle={})


def _is_another_map(bench: Bench, moved: Bench, probe: Probe) -> bool:
    """Return whether a layer runs with another number, and is another map by it."""
    try:
        y, z = (_output(each, probe) for each in (bench, moved))
    except FailedCallError:
        return False
    return y.shape == z.shape and bool(z.isfinite().all()) and not same(y, z)


def _output(bench: Bench, probe: Probe) -> Tensor:
    runner, x, _ = bench.ready(probe)
    direction: Direction = "forward" if bench.calls.forward is not None else "inverse"
    return runner.run(direction, x, Frozen()).y.detach()


def _values(node: ast.AST) -> Iterator[str]:
    """Yield the numbers among what an expression computes with: no axis, and no index."""
    inner: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        inner = [node.left, node.right]
    elif call_name(node) in _OF_VALUES:
        assert isinstance(node, ast.Call)
        inner = node.args
    for each in inner:
        if isinstance(each, ast.Constant) and type(each.value) in (int, float):
            yield repr(each.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The size that was asked about, where a mistake was explained at a smaller one.

    It was measured, and nothing was concluded from it but that it is wrong.
    """

    bench: Bench
    measured: tuple[Sides, ...]
    known: tuple[Rehearsal, ...]

    @classmethod
    def of(cls, bench: Bench, measured: tuple[Sides, ...]) -> Whole:
        """Return what is known there of both directions, as the code is written."""
        ways = (Rehearsal(bench, measured, direction) for direction in BOTH_WAYS)
        return cls(bench=bench, measured=measured, known=tuple(ways))

    def agrees(self) -> bool:
        """Return whether what the layer reports there is true, as its code is now."""
        known = [way for way in self.known if len(way)]
        if known and not any(way.left_out for way in self.known):
            return all(way.agrees() for way in known)
        bench = replace(self.bench, behaviour=False)
        again = (measure_sides(bench, sides.probe) for sides in self.measured)
        return not any(
            side.disagrees or side.said.form is not None
            for sides in again
            for side in sides.answered
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """Configurations that nothing was concluded from: looked at closely, and by value."""

    closely: tuple[Probe, ...]
    by_value: tuple[Probe, ...]
    whole: Whole | None = None
    ranks: tuple[Probe, ...] = ()  # events of all ranks that a map of entries takes
    built: tuple[tuple[Bench, Probe], ...] = ()  # for a size that it takes no other of

    def with_sizes_of(self, bench: Bench) -> Plans:
        """Return the plans with the layer as it is built for other sizes than it takes.

        What is right at one size may count it: twice a term is dims - 1 of it at three, and
        a third of it is that of one channel.
        """
        first, *more = (*self.closely, *self.by_value)
        alike = [p.shape for p in more if len(p.shape) == len(first.shape)]
        fixed = [i for i, n in enumerate(first.shape) if all(s[i] == n for s in alike)]
        found = []
        for other in bench.for_other_sizes(fixed):
            at = replace(first, shape=other.shape)
            with contextlib.suppress(FailedCallError):
                _output(other, at)
                found.append((other, at))
        return replace(self, built=tuple(found))

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
    live: Live
    refuted: list[tuple[Rehearsal, float]] = field(default_factory=list)
    """Where earlier edits left a difference, and how much: exact values are known there."""

    def residual(self, changes: Sequence[Replacement]) -> float | None:
        """Return the largest difference that is left, in nats; None if it does not agree."""
        after = self.compared(changes)
        if after is None:
            return None
        if not self.agrees(after):
            self._remember(after)
            return None
        return self.largest(after)

    def weighed(
        self, changes: tuple[Replacement, ...], touched: Sequence[Span] = ()
    ) -> Weighed | None:
        """Return what a layer agrees with; None if it does not with these edits.

        Of a map that takes events of several ranks, sums over one axis are written as
        sums over all where that is what it takes, in what is `touched` too. Where it
        cannot be, the ranks count that are right in a direction that was never wrong, and
        at which a sample has its number, as it has where the layer was asked.
        """
        residual, ranks = self.residual(changes), self.ranks
        if residual is None or not self._holds_as_built(changes):
            return None
        if not self._is_right_by_kind(changes):
            return Weighed(changes, residual, sure=False)
        if not any(change.text.strip() for change in changes):
            ranks = self._promised(ranks)  # what only goes is of no rank
        if self._holds(changes, ranks):
            return Weighed(changes, residual, sure=True)
        wide: tuple[Replacement, ...] = ()
        for file, source in self.live.sources.items():
            lines = [span.line for span in touched if span.file == file]
            wide += over_all_axes(source, changes, lines)
        if self.plans.ranks and set(wide) != set(changes):
            again = self.residual(wide)
            if again is not None and self._holds(wide, self.plans.ranks):
                return Weighed(wide, again, sure=True)
        known = self._right_elsewhere(self.ranks)
        if all(verdict.form is None for verdict in self.before.verdicts):
            known = self._promised(known)  # of no other ranks a number is reported
        return Weighed(changes, residual, sure=self._holds(changes, known))

    def is_general(
        self, changes: Sequence[Replacement], directions: Sequence[Direction] = ()
    ) -> bool:
        """Return whether edits that agree where they were run are right by no chance.

        They hold at all ranks that the map takes and with other numbers held, leave every
        log-density where it is, and are of a layer whose map is right. Looked at are some
        `directions`, or those that were wrong.
        """
        ranks = self.plans.ranks if directions else self.ranks
        right = self._is_right_by_kind(changes)
        return right and self._holds(changes, ranks, directions)

    @cached_property
    def ranks(self) -> tuple[Probe, ...]:
        """The ranks at which edits must hold.

        Where the user has said of which shape an event is, they are those at which the
        layer reports what is promised, right or wrong.
        """
        ranks = self.plans.ranks
        return self._promised(ranks) if self.bench.options.shape else ranks

    @property
    def _wrong(self) -> list[Direction]:
        return [
            v.direction
            for v in self.before.verdicts
            if _was_wrong(v) or breaks_contract(v.behaviour)
        ]

    def _promised(self, ranks: Sequence[Probe]) -> tuple[Probe, ...]:
        """Return where what is wrong is the number alone, and not its form."""
        bench, wrong = self.bench, self._wrong
        in_form = (agrees_at(bench, (r,), wrong, in_form_alone=True) for r in ranks)
        return tuple(itertools.compress(ranks, in_form))

    def _right_elsewhere(self, ranks: Sequence[Probe]) -> tuple[Probe, ...]:
        """Return where the layer is right as it is written, in what was never wrong."""
        right = [
            v.direction
            for v in self.before.verdicts
            if v.direction not in self._wrong and v.check.status == "pass"
        ]
        return tuple(r for r in ranks if agrees_at(self.bench, (r,), right))

    def _is_right_by_kind(self, changes: Sequence[Replacement]) -> bool:
        """Return whether the map is not what is wrong, and no log-density goes."""
        return not is_map_broken(self.before) and not any(
            self._takes_density_away(direction, changes) for direction in self._wrong
        )

    def _takes_density_away(
        self, direction: Direction, changes: Sequence[Replacement]
    ) -> bool:
        """Return whether edits take a log-density of some value out of what is reported.

        The ldj of a step of the map may be one as well, as that of a sigmoid is: it is none.
        """
        sides = self.before.measurement.measured[0]
        side = sides.of(direction)
        if side.said.ldj is None:
            return False
        runner, _, _ = self.bench.ready(sides.probe)
        try:
            trace = record(runner, sides.probe, side)
            with self.live.edited(changes):
                after = runner.run(direction, side.x, Frozen(list(side.said.given)))
        except (FailedCallError, UntraceableError, StaleSourceError, SyntaxError):
            return False
        if trace is None or trace.ldj is None or after.reported is None:
            return False
        gone = side.said.ldj - after.reported.detach().double()
        allowed = (torch.zeros_like(gone), *(step.logdet for step in trace.steps))
        if any(fits(trace, gone, each) for each in allowed):
            return False
        sources = [trace.source, *(node for node in trace.nodes if node.random)]
        return any(
            fits(trace, gone, trace.sign * density.double())
            for source in sources
            for density in densities_in(trace.ldj, source, trace.batch)
        )

    def _holds(
        self,
        changes: Sequence[Replacement],
        ranks: Sequence[Probe],
        directions: Sequence[Direction] = (),
    ) -> bool:
        """Return whether a layer is right with edits at some ranks, and other numbers."""
        asked, probe = directions or self._wrong, self.plans.closely[0]
        others = list(self._with_other_numbers(probe, changes))
        flagged = self.with_other_flags(probe, changes)
        others += [b for b in flagged if self._agrees_at(b, (probe,), BOTH_WAYS)]
        with self.live.edited(changes):
            return self._agrees_at(self.bench, ranks, asked) and all(
                self._agrees_at(other, (probe,), asked) for other in others
            )

    def is_right_as_built(self, directions: Sequence[Direction]) -> bool:
        """Return whether a layer is right, as its code is now, where built for other sizes."""
        built = self.plans.built
        return all(self._agrees_at(b, (at,), directions) for b, at in built)

    def _holds_as_built(self, changes: Sequence[Replacement]) -> bool:
        with self.live.edited(changes):
            return self.is_right_as_built(self._wrong)

    def _agrees_at(
        self, bench: Bench, probes: Sequence[Probe], directions: Sequence[Direction]
    ) -> bool:
        stepped = bool(self.before.measurement.evidence.of(Stepped))
        return agrees_at(bench, probes, directions, stepped=stepped)

    def with_other_flags(
        self, probe: Probe, changes: Sequence[Replacement]
    ) -> Iterator[Bench]:
        """Yield the bench with each flag turned that edited functions ask: other branches."""
        named, _ = self._at_stake(changes)
        for index, part in enumerate(_parts(self.bench.layer.obj)):
            for name, value in getattr(part, "__dict__", {}).items():
                if type(value) is bool and name in named:
                    moved = _with_number(self.bench, index, name, not value)
                    if moved is not None and _is_another_map(self.bench, moved, probe):
                        yield moved

    def _with_other_numbers(
        self, probe: Probe, changes: Sequence[Replacement]
    ) -> Iterator[Bench]:
        """Yield the bench with each number that edits may stand for moved to other values.

        Labels are that were made up. Of what the layer holds, those are the attributes
        that the edited functions name; where a number is written that was not there, or is
        gone, all. What its map does not depend on is a count, or kept for later, and is no
        such number.
        """
        further = self.bench.with_further_labels()
        if further is not None and _is_another_map(self.bench, further, probe):
            yield further
        named, is_any = self._at_stake(changes)
        numbers = _numbers(self.bench, None if is_any else named)
        for index, name, value in itertools.islice(numbers, _NUMBERS):
            for factor in _FACTORS:
                other: float | Tensor = value * factor
                if isinstance(value, int):
                    other = max(1, round(value * factor + 0.5))
                elif isinstance(value, Tensor) and not value.any():
                    other = value + factor - 1
                moved = _with_number(self.bench, index, name, other)
                if moved is not None and _is_another_map(self.bench, moved, probe):
                    yield moved

    def _at_stake(self, changes: Sequence[Replacement]) -> tuple[set[str], bool]:
        """Return the attributes that edited functions name, and whether it may be any."""
        numbers: Counter[str] = Counter()
        names: set[str] = set()
        for source in self.live.sources.values():
            for function in edited_functions(source, changes):
                for made, sign in (((), -1), (changes, 1)):
                    tree = ast.parse(text_with(source, function, made))
                    nodes = [*ast.walk(tree)]
                    names |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
                    for number in (n for node in nodes for n in _values(node)):
                        numbers[number] += sign
        return names, any(numbers.values())

    def compared(self, changes: Sequence[Replacement]) -> Comparison | None:
        """Return how the edited layer comes out; None where it cannot be, or was refuted."""
        first = self.before.measurement.measured[:1]
        alone = self._without_total()
        has_splits = bool(self.bench.calls.departures)
        splits = Rehearsal(self.bench, first if has_splits else (), "forward")
        with (
            contextlib.suppress(StaleSourceError, SyntaxError),
            self.live.edited(changes),
        ):
            if has_splits and splits.gap() is None:
                return None  # what a split says is taken off: any density would agree
            if not alone <= self._without_total():
                return None  # the layer, as it was written, may be called without one
            if not self._is_refuted():
                after, whole = self._compared(), self.plans.whole
                if not self.agrees(after):
                    return after
                if whole is None or whole.agrees():
                    padded = measure_padding(self.bench, self.plans.closely)
                    return after if padded is None or padded.finite else None
        return None

    def _without_total(self) -> set[Direction]:
        """Return the directions that run where the running total is left out."""
        if not self.bench.calls.is_total_optional:
            return set()
        first = self.before.measurement.measured[0]
        runner, _, _ = self.bench.ready(first.probe)
        return {
            side.direction
            for side in first.answered
            if runner.without_total(side.direction, side.x) is not None
        }

    def passing(self, changes: tuple[Replacement, ...]) -> Weighed | None:
        """Return edits with which a layer passes, whatever it was before; None elsewhere.

        It passes both ways, and where it is tried there and back.
        """
        after = self.compared(changes)
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

    def _compared(self) -> Comparison:
        """Compare again; gradients that evaluation cuts are those of training."""
        found = self._compared_by(self.bench)
        if all(check.status != "fail" for check in found.gradients):
            return found
        options = replace(self.bench.options, mode="train")
        trained = self._compared_by(replace(self.bench, options=options))
        return replace(found, gradients=trained.gradients)

    def _compared_by(self, bench: Bench) -> Comparison:
        at = self.plans.closely, self.plans.by_value
        kept = any(verdict.behaviour.stale for verdict in self.before.verdicts)
        evidence = measured_again(bench, *at, over_time=kept)
        return compare(replace(self.before.measurement, evidence=evidence))

    def _remember(self, after: Comparison) -> None:
        for verdict in after.verdicts:
            measured = after.measurement.measured
            rehearsal = Rehearsal(self.bench, measured, verdict.direction)
            if verdict.mismatched and rehearsal.shows_mistake:
                self.refuted.append((rehearsal, _largest(verdict)))

    def _is_refuted(self) -> bool:
        """Return whether about as much is left as an earlier edit left, at some input."""
        gaps = (
            (rehearsal.gap(number), before)
            for rehearsal, before in self.refuted
            for number in range(len(rehearsal))
        )
        return any(
            gap is None or float(gap.abs().nan_to_num(0.0).max()) > _ALIKE * before
            for gap, before in gaps
        )

    def agrees(self, after: Comparison) -> bool:
        """Return whether the edited layer is right, and nothing else came out otherwise."""
        pairs = zip(after.verdicts, self.before.verdicts, strict=True)
        if not all(_is_mended(now, before) for now, before in pairs):
            return False
        if _with_density(self.before) - _with_density(after):
            return False  # of its noise, which belongs to what it reports
        if any(check.status == "fail" for check in after.gradients):
            return False
        cut = {c.direction for c in self.before.gradients if c.status == "fail"}
        if cut - {c.direction for c in after.gradients if c.status == "pass"}:
            return False
        if any(gradient.raised for gradient in after.measurement.gradients):
            return False  # as NumPy does of what wants a gradient
        # The edit is of the ldj alone: nothing else may come out otherwise, but a solver's
        # way back, which is proven by a right ldj only.
        before, now = self.before.round_trip.status, after.round_trip.status
        return now == before or (before, now) == ("unproven", "pass")


def _with_density(comparison: Comparison) -> set[Direction]:
    """Return the directions whose report counts the log-density of their noise."""
    first = comparison.measurement.measured[0]
    return {side.direction for side in first.both if side.exact.density is not None}


def _is_mended(now: Verdict, before: Verdict) -> bool:
    if now.mismatched or now.form is not None or set(now.raised) - set(before.raised):
        return False
    if set(now.faults) - set(before.faults):
        return False
    if breaks_contract(now.behaviour) and not breaks_contract(before.behaviour):
        return False
    if now.behaviour.stale or (_is_one_number(now) and not _is_one_number(before)):
        return False
    if _was_wrong(before):
        return now.check.status == "pass"
    if now.untracked and not before.untracked:
        return False  # the edit has left one way without an ldj
    return now.check.status in ("pass", before.check.status)


def _is_one_number(verdict: Verdict) -> bool:
    """Return whether an ldj has no entry for each sample."""
    return any(side.said.ldj_shape == () for _, side, _ in verdict.usable)


def _was_wrong(verdict: Verdict) -> bool:
    return verdict.mismatched or verdict.form is not None


def _largest(verdict: Verdict) -> float:
    """Return the largest difference among samples that tell something, in nats.

    Where rounding hides any mistake, a difference says nothing of an edit.
    """
    worst = 0.0
    for _, side, good in verdict.usable:
        if side.difference is None or side.exact.allowed is None:
            continue
        off, allowed = side.difference[good].abs(), side.exact.allowed[good]
        telling = (allowed <= hides_mistakes(side.dims)) | (off > allowed)
        worst = max([worst, *off[telling & off.isfinite()].tolist()])
    return worst
