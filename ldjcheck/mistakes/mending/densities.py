"""Mending a split: what it adds to the ldj becomes a log-density of what it drops."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ldjcheck.conventions import recognise_conventions
from ldjcheck.mistakes.counts import mean_not_sum
from ldjcheck.mistakes.likelihood import split_prior_wrong
from ldjcheck.mistakes.mending.repair import repair
from ldjcheck.mistakes.mending.rerun import Rehearsal
from ldjcheck.mistakes.mending.search import runs_with
from ldjcheck.mistakes.mending.verify import Plans, Verification
from ldjcheck.mistakes.rewriting import calls, densities
from ldjcheck.mistakes.rewriting.sites import Change, Site, real_file, sites_for
from ldjcheck.records import Comparison, Finding
from ldjcheck.revision import Live
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen

_SUMMED = 2  # edits of a mean, each verified by integrals
_NORMALISED = 60  # others, each run once
_COUNTED = 24  # terms for what a model splits off, each run once


def with_densities(
    findings: tuple[Finding, ...], comparison: Comparison, bench: Bench, plans: Plans
) -> tuple[Finding, ...]:
    """Return the findings; of a split whose number is no log-density, with the edit.

    Where a model says nothing of what it splits off, the edit adds what it says of another
    part: then all dims have a density, and the ldj is exact. What an integral is off by, a
    constant and a scale may be: that is known where it was measured. Whether a sum in the
    place of a mean is a density, another integral says.
    """
    asked = [f for f in findings if _is_asked(f)]
    if len(asked) != 1 or sum(f.severity == "error" for f in findings) != 1:
        return findings
    place = asked[0].location
    assert place is not None
    live = Live([real_file(place)])
    if not live.sources:
        return findings
    sites = sites_for(live, place, None, ())
    few = Plans(closely=plans.closely, by_value=plans.by_value[:1])
    if bench.calls.lacks_density:
        whole = _of_whole_density(bench)
        if whole is None:
            return findings
        bench = whole
        tries = tuple((c, False) for c in _counted(live, sites[:1], bench, comparison))
    else:
        rehearsal = Rehearsal(bench, comparison.measurement.measured, "forward")
        means = (change for site in sites for change in calls.summed(site))
        tries = (
            *((change, False) for change in _agreeing(live, sites, rehearsal)),
            *((change, True) for change in itertools.islice(means, _SUMMED)),
        )
    verification = Verification(bench, comparison, few)
    weighed = (
        (averaged, verification.passing(live, change.replacements))
        for change, averaged in tries
    )
    found = repair(live, weighed)
    if found is None:
        return findings
    fix, averaged = found
    told = replace(asked[0], fix=fix)
    if averaged:
        told = mean_not_sum.of_a_density(told)
    return tuple(told if f is asked[0] else f for f in findings)


def _is_asked(finding: Finding) -> bool:
    named = finding.code == split_prior_wrong.RULE.code and finding.fix is None
    return named and finding.direction == "forward" and finding.location is not None


def _agreeing(
    live: Live, sites: Sequence[Site], rehearsal: Rehearsal
) -> Iterator[Change]:
    """Yield the first edit after which what is reported integrates to 1, as measured."""
    if not len(rehearsal) or not rehearsal.shows_mistake:
        return
    drafted = (change for site in sites for change in densities.normalised(site))
    for change in itertools.islice(drafted, _NORMALISED):
        if runs_with(live, change.replacements, rehearsal.agrees):
            yield change
            return


def _of_whole_density(bench: Bench) -> Bench | None:
    """Return the bench on which a model is asked for the density of all dims, if it can be."""
    calls = bench.calls
    ways = recognise_conventions(bench.layer.obj, calls.convention)
    same = [c for c in ways if c.signature == calls.signature and not c.lacks_density]
    return replace(bench, calls=same[-1]) if same else None


def _counted(
    live: Live, sites: Sequence[Site], bench: Bench, comparison: Comparison
) -> Iterator[Change]:
    """Yield the first edit after which all dims have a density, and the ldj is exact."""
    side = comparison.measurement.measured[0].forward
    runner, _, _ = bench.ready(comparison.measurement.measured[0].probe)

    def agrees() -> bool:
        try:
            outcome = runner.run("forward", side.x, Frozen())
        except FailedCallError:
            return False
        if outcome.reported is None or outcome.y[0].numel() != side.dims:
            return False
        now = replace(side.said, ldj=outcome.reported.detach().double())
        return replace(side, said=now).agrees

    drafted = (change for site in sites for change in densities.of_what_leaves(site))
    for change in itertools.islice(drafted, _COUNTED):
        if runs_with(live, change.replacements, agrees):
            yield change
            return
