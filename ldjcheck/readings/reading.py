"""One way to read a layer, with what it assumes, and what alternatives are proposed from."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from inspect import ismethod
from typing import Any, Literal

from ldjcheck.calling.domains import describe
from ldjcheck.errors import CannotCheckError
from ldjcheck.judging.measurement import first_look
from ldjcheck.judging.status import silenced
from ldjcheck.records import (
    Calls,
    Comparison,
    Finding,
    Layer,
    Options,
    Result,
    Shape,
    Status,
)
from ldjcheck.records.result import Assumption, Basis, ReadAs
from ldjcheck.settling.design import choose_batch
from ldjcheck.settling.subject import Subject, settle_layer

Claim = Literal["log-det", "of each entry", "column", "density", "of whole numbers"]
Adopt = Callable[[Result, Result | None], Result]

LEVELS = "levels"
NEARER = (
    0.5  # of what one reading is off by, at most, is another off that it is taken for
)
_OF_THE_MAP = {"LDJ304", "LDJ207", "LDJ208", "LDJ209", "LDJ301"}


def _again(before: Result, again: Result | None) -> Result:
    return again or before


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a layer: how it is called, on what, and what its number is then.

    What needs no run brings its result along. What is proposed by a result stands beside
    it, and `adopt` returns which of those two is told; the second is None where the layer
    cannot be read so, or comes to what is not `told_if` it does.
    """

    subject: Subject
    assumptions: tuple[Assumption, ...] = ()
    values_alone: bool = False  # cheap, and enough where they are right
    result: Result | None = None
    refused: CannotCheckError | None = (
        None  # nothing is checked, as it is no flow layer
    )
    adopt: Adopt = _again
    # What it may come to, to be told at all: no edit is looked for otherwise.
    told_if: Callable[[Result], bool] | None = None

    @property
    def claim(self) -> Claim:
        """What the number is said to be."""
        calls = self.subject.bench.calls
        if any(each.what == LEVELS for each in self.assumptions):
            return "of whole numbers"
        if calls.convention in ("model", "density", "sampler"):
            return "density"
        if calls.column:
            return "column"
        is_spread = any(way and way.spread for way in (calls.forward, calls.inverse))
        return "of each entry" if is_spread or calls.custom else "log-det"

    @property
    def key(self) -> Hashable:
        """What tells readings of one check apart: no two that are alike are visited."""
        subject = self.subject
        bench, asked, calls = subject.bench, subject.asked, subject.bench.calls
        obj = subject.layer.obj
        spread = tuple(way and way.spread for way in (calls.forward, calls.inverse))
        return (
            (id(obj.__self__), obj.__name__) if ismethod(obj) else id(obj),
            (calls.convention, calls.signature, asked.kind, asked.mode),
            (spread, calls.column, calls.custom, self.claim),
            tuple((each.what, each.value) for each in self.assumptions),
            (bench.shape, subject.others, tuple(bench.sized.items())),
            (bench.domain, bench.through_inverse, bench.options.context),
            (bench.exactly, self.values_alone),
        )

    def told(self, status: Status) -> ReadAs:
        """Return the reading as plain data, with what it has come to."""
        bench, asked = self.subject.bench, self.subject.asked
        assumed = {each.what: each for each in self.assumptions}
        others = (a for a in _settled(self.subject) if a.what not in assumed)
        shape = ",".join(map(str, bench.shape))
        return ReadAs(
            claim=self.claim,
            shape=tuple(map(int, bench.shape)),
            assumptions=(*others, *assumed.values()),
            status=status,
            type="" if asked.shape or bench.calls.parts else f"--shape {shape or 1}",
        )

    def of(self, subject: Subject) -> Reading:
        """Return the same reading of another subject."""
        return replace(self, subject=subject)

    def assuming(
        self, what: str, value: Any, basis: Basis, why: str, **changed: Any
    ) -> Reading:
        """Return the same with fields of its subject changed, and what that assumes."""
        inferred = {**self.subject.inferred, what: why}
        subject = replace(self.subject, inferred=inferred, **changed)
        assumed = Assumption(what=what, value=str(value), basis=basis, why=why)
        known = (*self.assumptions, assumed)
        return replace(self, subject=subject, assumptions=known)


def _settled(subject: Subject) -> Iterator[Assumption]:
    """Yield what was assumed before anything was measured: how it is called, and on what."""
    asked, calls = subject.asked, subject.bench.calls
    way = calls.forward or calls.inverse
    declared = way is not None and way.domain is not None
    known = {
        "convention": calls.convention,
        "shape": str(tuple(map(int, subject.bench.shape))),
        "domain": describe(subject.bench.domain),
    }
    stated = {
        "convention": asked.convention != "auto"
        or not isinstance(asked.adapter, Calls | None),  # these were found
        "shape": bool(asked.shape) or asked.inputs is not None,
        "domain": asked.domain is not None or asked.inputs is not None,
    }
    for what, is_stated in stated.items():
        text = subject.inferred.get(what)
        if text is None:
            continue
        found: Basis = "declared" if what == "domain" and declared else "observed"
        basis: Basis = "stated" if is_stated else found
        yield Assumption(what=what, value=known[what], basis=basis, why=text)
    if calls.sign == -1:
        why = subject.inferred.get("sign", "")
        yield Assumption(what="sign", value="-1", basis="named", why=why)
    given = {each.name for each in asked.context}
    for each in subject.bench.options.context:
        why = subject.inferred.get(each.name, subject.inferred.get("context", ""))
        basis = "stated" if each.name in given else "observed"
        yield Assumption(what=each.name, value=str(each.shape), basis=basis, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A reading, and how its numbers compare: what others are proposed from at first.

    A proposal that is one already takes its place as it is, and is not measured anew.
    """

    reading: Reading
    comparison: Comparison

    @property
    def subject(self) -> Subject:
        """How it is called, and on what."""
        return self.reading.subject

    def of(self, subject: Subject) -> Measured:
        """Return the same of another subject."""
        return replace(self, reading=self.reading.of(subject))

    @property
    def is_wrong(self) -> bool:
        """Whether a number is wrong."""
        return any(verdict.mismatched for verdict in self.comparison.verdicts)

    @property
    def is_right(self) -> bool:
        """Whether all numbers that are known are right, and none of them for nothing."""
        known = [verdict for verdict in self.comparison.verdicts if verdict.usable]
        off = (v.mismatched or v.form or v.vacuous for v in known)
        return bool(known) and not any(off)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """A layer as it was settled, and what is told of it so far: others follow from that.

    While they are proposed one by one, each that is adopted changes the result.
    """

    subject: Subject
    result: Result

    def known(self, result: Result) -> Reading:
        """Return a reading that comes to a result which is known without a run."""
        return Reading(subject=self.subject, result=result)

    def values_first(
        self, first: Reading, whole: Iterable[Reading]
    ) -> Iterator[Reading]:
        """Yield the values of a reading alone; and all of it where these are not right."""
        before = self.result
        yield replace(first, values_alone=True)
        if self.result is before:
            yield from whole


def read_anew(layer: Layer, options: Options) -> Iterator[Reading]:
    """Yield how a layer is called on other terms, if it can be."""
    with suppress(CannotCheckError):
        yield Reading(subject=settle_layer(layer, options))


def look_at(reading: Reading, shape: Shape | None = None) -> Measured:
    """Return a reading with how its values agree at first, at a shape that is taken."""
    subject = reading.subject if shape is None else at_shape(reading.subject, shape)
    return Measured(reading=reading, comparison=first_look(subject))


def worst_of(seen: Measured) -> float:
    """Return by how much the number of the way there is off at most, in nats."""
    worst = seen.comparison.forward.check.worst
    return math.inf if worst is None else worst


def largest_off(result: Result) -> float:
    """Return by how much a number of a result is off at most, in nats; infinity if unknown."""
    known = (c.worst for c in result.checks if c.name == "ldj" and c.worst)
    return max(known, default=math.inf)


def at_shape(subject: Subject, shape: Shape) -> Subject:
    """Return the same at another shape."""
    batch = choose_batch(subject.asked.batch, shape)
    return replace(subject, bench=replace(subject.bench, shape=shape, batch=batch))


def fails_by_value(result: Result | None) -> bool:
    """Return whether a number is wrong, and the map is one: what is fed may not fit it."""
    if result is None or result.status != "fail":
        return False
    grave = {f.code for f in result.findings if f.severity == "error"}
    coupled = any(f.code == "LDJ207" for f in result.findings)  # in training: a warning
    return not coupled and not _OF_THE_MAP & grave


def is_mended(finding: Finding) -> bool:
    """Return whether an edit is known that mends it, and is written where that is asked."""
    return finding.fix is not None and finding.fix.applicability == "verified"


def doubted(finding: Finding) -> Finding:
    """Return a finding with its edit as no more than a suggestion: it is not written."""
    if finding.fix is None:
        return finding
    return replace(finding, fix=replace(finding.fix, applicability="suggested"))


def with_finding(result: Result, options: Options, finding: Finding) -> Result:
    """Return the result with a mistake of the way there, unless it is not to count."""
    kept, ignored = silenced((finding,), options)
    return replace(
        result,
        status="fail" if kept else result.status,
        findings=(*kept, *result.findings),
        ignored=(*ignored, *result.ignored),
    )
