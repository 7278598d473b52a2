"""A flow's own density, beside a call that is right: whether it counts that as it should."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from types import CodeType
from typing import Any

from torch import Tensor

from ldjcheck.calling.parameter_names import is_bound, is_loss
from ldjcheck.calling.signature import signature_of
from ldjcheck.mistakes.attribution.precedence import follows_a_law
from ldjcheck.mistakes.inverse import dims_changed
from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.object_graph import looked_up
from ldjcheck.readings.reading import (
    Outcome,
    Reading,
    fails_by_value,
    look_at,
    read_anew,
)
from ldjcheck.readings.what_runs import is_added
from ldjcheck.records import Finding, Layer, Location, Options, Result
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.design import MANY
from ldjcheck.settling.subject import Subject
from ldjcheck.tape import is_in_code, returned_at

_LONG = 2000  # operations of one call
_TRIED = "asked as well, and nothing was proved"
_RIGHT = "checked as well, and right"
_SAID = "its call is right by itself; {} is not, and that is what is shown"
_INSTEAD = "of no square Jacobian, so that its density is what is checked"


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield each density beside a call that is right, or whose Jacobian is not square.

    Of many dims, or of long calls, one look is enough where it is right: the map is known
    by the call. Where both say the same at one point, so is its log-determinant there.
    """
    tried, right = set[str](), list[str]()
    while outcome.result.status == "pass" or _drops_dims(outcome.result):
        before, subject = outcome.result, outcome.subject
        untried = (
            d
            for d in own_densities(subject, before, right)
            if d[0] not in tried and not _is_of_draw(subject, d[1])
        )
        name, density = next(untried, ("", None))
        if density is None:
            return
        tried.add(name)
        adopt = partial(adopted, name, density)
        asked = with_contexts(subject, density)
        # Most that are not unasked are none, at whatever shape; contexts go with inputs.
        if name not in before.unasked or asked is not subject.asked:
            asked = replace(asked, shape=((None, subject.bench.shape),))
        there = next(read_anew(density, asked), None)
        if there is None:
            if name in before.unasked:  # else it was none
                yield outcome.known(adopt(before, None))
        elif _adds_what_is_given(
            there.subject, {each.name for each in subject.bench.fed}
        ):
            continue
        elif before.status == "pass" and _is_right_at_once(there, subject):
            yield outcome.known(with_right(name, before))
        else:
            yield replace(there, adopt=adopt)
        if name not in outcome.result.unasked:
            right.append(name)


def _is_of_draw(subject: Subject, density: Layer) -> bool:
    """Return whether a density takes what a sampler takes, and what that draws."""
    is_drawn = subject.bench.calls.convention == "sampler"
    return is_drawn and len(open_parameters(subject, density)) > 1


def open_parameters(subject: Subject, density: Layer) -> list[str]:
    """Return what a density must be given beside the contexts of the call."""
    signature = signature_of(density.obj)
    fed = {each.name for each in subject.bench.options.context}
    return [n for n in signature.required if n not in fed] if signature else []


@on_failure(False)
def _adds_what_is_given(density: Subject, known: set[str]) -> bool:
    """Return whether it merely adds what it wants beside x: the ldj of what was called.

    So does `nll(z, ldj)`, which is a density of no x. What a condition changes, it changes
    with x.
    """
    runner, x, _ = density.bench.ready(density.probes()[0])
    for name, value in runner.kwargs.items():
        is_float = isinstance(value, Tensor) and value.is_floating_point()
        if is_float and name not in known:
            given = value.detach().requires_grad_()
            at = replace(runner, kwargs={**runner.kwargs, name: given})
            if is_added(given, at.run("forward", x, Frozen()).reported):
                return True
    return False


def _is_right_at_once(there: Reading, call: Subject) -> bool:
    if prod(there.subject.bench.shape) < MANY and not _is_long(call):
        return False
    return says_the_same(there.subject, call) or look_at(there).is_right


@on_failure(False)
def _is_long(call: Subject) -> bool:
    """Return whether a call takes as long as hundreds of those of a layer, as a solver's."""
    runner, x, _ = call.bench.ready(call.probes()[0])
    return runner.run("forward", x, Frozen()).work > _LONG


@on_failure(False)
def says_the_same(density: Subject, call: Subject) -> bool:
    """Return whether a density is its base's of the same y, and the same ldj beside it.

    In whatever order the entries of y stand: that changes no volume.
    """
    probe = density.probes()[0]
    said: list[tuple[Tensor, ...]] = []
    for bench in (density.bench, call.bench):
        runner, x, _ = bench.ready(probe)
        outcome = runner.run("forward", x, Frozen())
        if outcome.reported is None:
            return False
        entries = outcome.y.detach().reshape(len(x), -1).sort(1).values
        said.append((x, entries, outcome.reported))
    return all(itertools.starmap(is_once_more, zip(*said, strict=True)))


def _drops_dims(result: Result) -> bool:
    codes = {finding.code for finding in result.findings}
    return result.status == "unproven" and dims_changed.RULE.code in codes


def own_densities(
    subject: Subject, result: Result, right: Sequence[str] = ()
) -> Iterator[tuple[str, Layer]]:
    """Yield each density of a flow that was not asked, by its name.

    None where it was said how to call the layer, and as what. Of what runs on the way, the
    densities that are `right` are not to blame. Nor one of several tensors that the map has
    as inputs: of the first alone it is no density.
    """
    asked, layer = subject.asked, subject.whole
    if (asked.kind, asked.convention) != ("auto", "auto") or asked.adapter is not None:
        return
    inputs = {name for name, _ in subject.bench.calls.parts[1:]}
    if "inputs" in result.inferred:  # what was fed as contexts at first
        inputs |= {each.name for each in subject.bench.options.context}
    for name in (*result.unasked, *_unnamed(subject, result)):
        signature = signature_of(looked_up(layer.obj, name))
        if signature is not None and not inputs.isdisjoint(signature.names):
            continue
        if not is_bound(name) and callable(looked_up(layer.obj, name)):
            density = replace(
                layer,
                obj=getattr(layer.obj, name),
                known_right=_known_right(subject, result, right),
            )
            if layer.rebuild is not None:
                rebuild = partial(_rebuilt, layer.rebuild, name)
                density = replace(density, rebuild=rebuild)
            yield name, density


def _unnamed(subject: Subject, result: Result) -> Iterator[str]:
    """Yield the call of a model whose density, or map, was asked, if it returns one thing."""
    from ldjcheck.conventions.distributions.model import says_one_thing

    asked = subject.bench.calls.signature.startswith("m.forward(")
    is_other = result.convention in ("model", "two-methods") and not asked
    if is_other and says_one_thing(subject.whole.obj):
        yield "forward"


def _known_right(
    subject: Subject, result: Result, right: Sequence[str]
) -> tuple[CodeType, ...]:
    """Return the code of the densities that are right, and of the call if that is."""
    obj, signature = subject.whole.obj, subject.bench.calls.signature
    names = list(right)
    if result.status == "pass":
        called = signature.partition("(")[0]  # f, or f.encode
        names.append(called.partition(".")[2] or "forward")
    codes = (getattr(looked_up(obj, name), "__code__", None) for name in names)
    return tuple(code for code in codes if code is not None)


def _rebuilt(rebuild: Callable[[], Any], name: str) -> Any:
    return getattr(rebuild(), name)


def with_contexts(subject: Subject, density: Layer) -> Options:
    """Return what was asked, with the contexts that were found for the call as well."""
    signature = signature_of(density.obj)
    if subject.asked.context or signature is None:
        return subject.asked
    found = subject.bench.fed
    taken = tuple(each for each in found if each.name in signature.names)
    return replace(subject.asked, context=taken) if taken else subject.asked


def adopted(name: str, density: Layer, result: Result, again: Result | None) -> Result:
    """Return a density that is wrong; else the layer, with the density that was checked."""
    tried, before = f"{_TRIED}: name {result.layer}.{name} to see why", result.unasked
    unasked = (*_without(name, result), name)
    unable = replace(result, unasked=unasked, inferred={**result.inferred, name: tried})
    if again is None:
        return unable
    if _drops_dims(result):
        is_one = (
            result.convention == "model"
        )  # and a right posterior makes it no righter
        if again.status not in (("fail",) if is_one else ("pass", "fail")):
            return result
        return replace(again, inferred={"ldj": _INSTEAD, **again.inferred})
    may_be_more = is_loss(name) or name not in result.unasked
    need_be_none = result.convention != "model" and name not in before
    is_sure = follows_a_law(again) and not (need_be_none and _is_off_alike(again))
    if again.status == "fail" and may_be_more and not is_sure:
        return unable  # it may be a density and more, or, as a score, none
    if fails_by_value(again):
        left = _without(name, result)
        others = {other: result.inferred[other] for other in left}
        told = {"shown": _SAID.format(name), **again.inferred, **others}
        told.pop(name, None)  # that it is not checked was said of the call
        if name not in result.unasked:  # then the shape was not the user's
            told["shape"] = result.inferred["shape"]
        found = tuple(_where_open(finding, density) for finding in again.findings)
        return replace(
            again, kind=result.kind, unasked=left, inferred=told, findings=found,
            beside_right=result.status == "pass",
        )  # fmt: skip
    return with_right(name, result) if again.status == "pass" else unable


def _is_off_alike(result: Result) -> bool:
    """Return whether a number is off by the same on all samples."""
    samples = (s for c in result.checks if c.name == "ldj" for s in c.samples)
    off = [s.difference for s in samples if s.difference is not None]
    return bool(off) and max(off) - min(off) <= 1e-6 * (1 + max(map(abs, off)))


def with_right(name: str, result: Result) -> Result:
    """Return what is told of a layer, and that one of its densities is right."""
    told = {**result.inferred, name: _RIGHT}
    return replace(result, unasked=_without(name, result), inferred=told)


def _without(name: str, result: Result) -> tuple[str, ...]:
    return tuple(other for other in result.unasked if other != name)


def _where_open(finding: Finding, density: Layer) -> Finding:
    """Return a finding whose place is not in code that is known to be right.

    What a mean was taken of on the way has no place of its own: then it is where the density
    returns. Nor is any edit of such code offered.
    """
    at, fix = finding.location, finding.fix
    edits = () if fix is None else fix.edits
    places = [Location(file=e.file, line=e.line, cell=e.cell) for e in edits]
    if any(is_in_code(each, code) for each in places for code in density.known_right):
        finding = replace(finding, fix=None)
    if at is None or not any(is_in_code(at, code) for code in density.known_right):
        return finding
    return replace(finding, location=returned_at(density.obj), fix=None)
