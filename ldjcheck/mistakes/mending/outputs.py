"""Mending what a call hands back: an ldj of another output, or of a part that is dropped."""

import ast
import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import torch

from ldjcheck.conventions import recognise_conventions
from ldjcheck.mistakes.counts import mean_not_sum
from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.engine.places import last_statement, source_text, spans_of
from ldjcheck.mistakes.likelihood import split_prior_wrong
from ldjcheck.mistakes.mending.fixes import changed_at, in_function
from ldjcheck.mistakes.mending.repair import repair
from ldjcheck.mistakes.mending.rerun import Rehearsal, trace_of
from ldjcheck.mistakes.mending.verify import Plans, Verification, Weighed
from ldjcheck.mistakes.rewriting import calls, densities, points
from ldjcheck.mistakes.rewriting.sites import Change, Site, real_file, sites_for
from ldjcheck.mistakes.terms import extra_term
from ldjcheck.oracle.derivatives.jacobian import log_abs_det
from ldjcheck.oracle.recording import UntraceableError, jacobian_between
from ldjcheck.oracle.structured import LARGE
from ldjcheck.records import Comparison, Direction, Finding, Fix, Location
from ldjcheck.revision import Live
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.tape import (
    Node,
    Place,
    Trace,
    ancestors,
    dependents,
    in_order,
    location_of,
)

_PROBES = 3
_VALUES = 12  # the last that the call made, as large as its input
_NAMES = 8  # that are put in the place of the input's, each run once


_SUMMED = 2  # edits of a mean, each verified by integrals
_NORMALISED = 60  # others, each run once
_COUNTED = 24  # terms for what a model splits off, each run once


def with_outputs(
    findings: tuple[Finding, ...], comparison: Comparison, bench: Bench, plans: Plans
) -> tuple[Finding, ...]:
    """Return the findings; where the input itself comes out, with what should have.

    A base density that is asked about x, and a layer that hands x back, do nothing to x.
    Their ldj is a mistake by that; but it may be the exact one of another value that the
    call has made of x, and then that is what was meant.
    """
    asked = [f for f in findings if f.severity == "error" and f.direction is not None]
    for direction in dict.fromkeys(f.direction for f in asked):
        assert direction is not None
        meant = _meant(comparison, bench, direction)
        if meant is None:
            continue
        trace, value = meant
        where, fix = _mended(trace, value, comparison, bench, plans)
        of_model = comparison.measurement.calls.convention == "model"
        told = extra_term.of_another_output(
            next(f for f in asked if f.direction == direction),
            source_text(_place_in(value, where)) or "the call",
            where,
            of_density=of_model,
            fix=fix,
        )
        others = (f for f in findings if f not in asked or f.direction != direction)
        findings = (told, *others)
    return findings


def _meant(
    comparison: Comparison, bench: Bench, direction: Direction
) -> tuple[Trace, Node] | None:
    """Return the value whose ldj was reported, where it is no chance; None elsewhere."""
    found = []
    for sides in comparison.measurement.measured[:_PROBES]:
        side = sides.of(direction)
        if not side.answered or not side.disagrees or side.dims >= LARGE:
            return None
        is_same = torch.equal(side.y.detach().to(side.x), side.x)
        if not (is_same or bench.calls.convention == "model"):
            return None  # only a base may do something to what goes in
        trace = trace_of(bench, sides, direction)
        value = None if trace is None else next(_explaining(trace), None)
        if trace is None or value is None:
            return None
        found.append((trace, value))
    return found[0] if found else None


def _explaining(trace: Trace) -> Iterator[Node]:
    """Yield the values of which the reported ldj is the exact one, the last first.

    None of them is made into what comes out, nor of it, where that is another value. A base
    of the model's own may scale what it is asked about, and the ldj holds that as well.
    """
    made, reported = ancestors(trace.output), trace.reported - trace.exact
    comes_out = next(node for node in trace.order if _is_of_output(node, trace))
    if comes_out is not trace.source:
        made |= dependents(trace.nodes, comes_out)
    whole = [
        node
        for node in reversed(trace.nodes)
        if node.place is not None
        and node not in made
        and node.value.dim()
        and len(node.value) == trace.batch
        and node.value.numel() == trace.batch * trace.dims
        and node.value.is_floating_point()
    ]
    for value in itertools.islice(whole, _VALUES):
        between = in_order(ancestors(value))
        depending = dependents(between, trace.source)
        if value not in depending:
            continue
        ends = trace.source, value, trace.batch
        with contextlib.suppress(UntraceableError):
            jacobian = jacobian_between(between, depending, *ends, doubled=True)
            if fits(trace, reported, log_abs_det(jacobian)[1]):
                yield value


def _is_of_output(node: Node, trace: Trace) -> bool:
    """Return whether a value is what comes out, in whatever shape."""
    if node is trace.output or trace.output is None:
        return True
    out = trace.output.value
    same = node.value.numel() == out.numel() and node.value.dtype == out.dtype
    return same and torch.equal(node.value.reshape(out.shape), out)


def _place_in(value: Node, where: Location | None) -> Place | None:
    """Return where a value is made, as the function has it that hands x back."""
    within = [p for p in value.places if where and p.function == where.function]
    places = within or value.places
    return places[-1] if places else None


def _mended(
    trace: Trace, value: Node, comparison: Comparison, bench: Bench, plans: Plans
) -> tuple[Location | None, Fix | None]:
    """Return the statement that hands x back, and the edit by which it hands on the value.

    The edit puts another name in the place of the input's, and makes the layer right.
    """
    places = () if trace.ldj is None else trace.ldj.places
    where = location_of(places[-1] if places else last_statement(trace))
    if where is None:
        return None, None
    live = Live([real_file(where)])
    sites = sites_for(live, where, None, ()) if live.sources else []
    returns = [site for site in sites if isinstance(site.statement, ast.Return)]
    side = comparison.measurement.measured[0].of(trace.direction)
    runner, _, _ = bench.ready(trace.probe)

    def hands_it_on() -> bool:
        edited = replace(runner, sizes={})  # whose output may have another
        try:
            y = edited.run(trace.direction, side.x, Frozen(list(side.said.given))).y
        except FailedCallError:
            return False
        meant = value.value
        if y.numel() != meant.numel():
            return False
        if bench.calls.convention == "model":
            return not y.equal(side.y)  # whatever the base makes of it
        return torch.allclose(y.detach().reshape(meant.shape).to(meant), meant)

    verification = Verification(bench, comparison, plans, live)

    def weighed(change: Change) -> Weighed | None:
        if not live.tried(change.replacements, hands_it_on):
            return None
        told = verification.passing(change.replacements)
        sure = told and verification.is_general(change.replacements)
        return told and replace(told, sure=bool(sure))

    drafted = ((s, change) for s in returns for change in points.other_names(s))
    tries = itertools.islice(drafted, _NAMES)
    found = repair(live, ((site, weighed(change)) for site, change in tries))
    if found is not None:
        return _at(where, found[1]), found[0]
    return _at(where, returns[0]) if len(returns) == 1 else where, None


def _at(where: Location, site: Site) -> Location:
    """Return where a statement of the same function stands."""
    statement = site.statement
    text = site.text(statement).splitlines()[0]
    return replace(
        where, line=statement.lineno, column=statement.col_offset + 1, text=text
    )


def with_densities(
    findings: tuple[Finding, ...], comparison: Comparison, bench: Bench, plans: Plans
) -> tuple[Finding, ...]:
    """Return the findings; of a split whose number is no log-density, with the edit.

    Where a model says nothing of what it splits off, the edit adds what it says of another
    part: then all dims have a density, and the ldj is exact. What an integral is off by, a
    constant and a scale may be: that is known where it was measured. Whether a sum in the
    place of a mean is a density, another integral says.
    """
    code = split_prior_wrong.RULE.code
    asked = [
        f for f in findings if (f.code, f.fix, f.direction) == (code, None, "forward")
    ]
    place = asked[0].location if len(asked) == 1 else None
    if place is None or sum(f.severity == "error" for f in findings) != 1:
        return findings
    trace = trace_of(bench, comparison.measurement.measured[0], "forward")
    own = () if trace is None else trace.own  # a mean may stand in a caller
    touched = dict.fromkeys(span for node in own for span in spans_of(node.places))
    live = Live([real_file(place), *(span.file for span in touched)])
    if not live.sources:
        return findings
    sites = sites_for(live, place, None, [*touched])
    few = Plans(closely=plans.closely, by_value=plans.by_value[:1])
    means, counted = list[Change](), list[Change]()
    if bench.calls.lacks_density:
        whole = _of_whole_density(bench)
        if whole is None:
            return findings
        bench = whole
        drafted = (c for site in sites[:1] for c in densities.of_what_leaves(site))
        agrees = _counts_all(bench, comparison)
        best = _first(live, itertools.islice(drafted, _COUNTED), agrees)
    else:
        rehearsal = Rehearsal(bench, comparison.measurement.measured, "forward")
        tried = _NORMALISED if len(rehearsal) and rehearsal.shows_mistake else 0
        drafted = (c for site in sites for c in densities.normalised(site))
        best = _first(live, itertools.islice(drafted, tried), rehearsal.agrees)
        summed = (c for site in sites for c in calls.summed(site))
        means = list(itertools.islice(summed, _SUMMED))
        drafted = (c for site in sites for c in densities.counted(site))
        counted = list(itertools.islice(drafted, _SUMMED))
    verification = Verification(bench, comparison, few, live)
    found = repair(
        live,
        ((c, verification.passing(c.replacements)) for c in (*best, *counted, *means)),
    )
    if found is None:
        return findings
    where = in_function(live, changed_at(live, place, found[0].edits))
    told = replace(asked[0], fix=found[0], location=where)
    if found[1] in means:
        told = mean_not_sum.of_a_density(told)
    return tuple(told if f is asked[0] else f for f in findings)


def _first(
    live: Live, drafted: Iterable[Change], agrees: Callable[[], bool]
) -> list[Change]:
    """Return the first edit after which a layer agrees where it was measured, if any."""
    found = (change for change in drafted if live.tried(change.replacements, agrees))
    return list(itertools.islice(found, 1))


def _of_whole_density(bench: Bench) -> Bench | None:
    """Return the bench on which a model is asked for the density of all dims, if it can be."""
    calls = bench.calls
    ways = recognise_conventions(bench.layer.obj, calls.convention)
    same = [c for c in ways if c.signature == calls.signature and not c.lacks_density]
    return replace(bench, calls=same[-1]) if same else None


def _counts_all(bench: Bench, comparison: Comparison) -> Callable[[], bool]:
    """Return what asks whether all dims have a density, and the ldj is exact."""
    side = comparison.measurement.measured[0].forward
    runner, _, _ = bench.ready(comparison.measurement.measured[0].probe)

    def agrees() -> bool:
        edited = replace(runner, sizes={})  # which returns more than before
        try:
            outcome = edited.run("forward", side.x, Frozen())
        except FailedCallError:
            return False
        if outcome.reported is None or outcome.y[0].numel() != side.dims:
            return False
        now = replace(side.said, ldj=outcome.reported.detach().double())
        return replace(side, said=now).agrees

    return agrees
