"""Maps of an interval onto itself, which are none outside of it: monotone splines, mostly.

Nothing tells that inputs live there but the map itself, which leaves the ends where they
are, or holds what is beyond at them; or that it is no map beyond. It was looked at there,
where neither it nor its ldj is meant for anything.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ldjcheck.calling.domains import TAMEST, describe
from ldjcheck.readings.inputs.beyond_fold import folds
from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.records import Side

_KEPT = "its ends stay where they are, and the map ends there"
_WITHIN = "it is no map beyond, and right within"
_HELD = "beyond it, all is taken for its nearer end"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading fed with what lies between the ends that its map keeps, if any."""
    from ldjcheck.settling.domains import holds_beyond, keeps_ends

    bench, measured = seen.subject.bench, seen.comparison.measurement.measured
    way = bench.calls.forward
    if seen.subject.asked.domain is not None or way is None or way.domain is not None:
        return
    fails = any(
        _is_no_map(each.forward) or each.inverse.round_trip.misses for each in measured
    )
    if not (seen.is_wrong or fails):
        return
    domain, why = keeps_ends(bench, fails=fails), _KEPT
    if domain is None:
        domain, why = holds_beyond(bench), _HELD
    within = domain is None and any(is_lost(each.forward) for each in measured)
    if within:
        domain, why = TAMEST, _WITHIN
    if domain is None or domain == bench.domain:
        return
    told = f"{describe(domain)}: {why}"
    there = replace(bench, domain=domain)
    reading = seen.reading.assuming("domain", domain, "observed", told, bench=there)
    if not within or look_at(reading).is_right:
        yield reading


def _is_no_map(side: Side) -> bool:
    """Return whether the map folds, is flat, or is no number at some of the inputs."""
    if is_lost(side):
        return True
    lost = side.exact.lost
    return (lost is not None and bool(lost.any())) or folds(side)


def is_lost(side: Side) -> bool:
    """Return whether the map itself is no number at some of the inputs."""
    return side.answered and not bool(torch.isfinite(side.y).all())
