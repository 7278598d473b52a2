"""Maps of an interval onto itself, which are none outside of it: monotone splines, mostly.

Nothing tells that inputs live there but the map itself, which leaves the ends where they
are, or holds what is beyond at them. It was looked at there, where neither it nor its ldj is
meant for anything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.calling.domains import describe
from ldjcheck.numerics.numerical_rank import has_both_signs

if TYPE_CHECKING:
    from ldjcheck.records import Comparison, Side
    from ldjcheck.settling.subject import Subject


def between_its_ends(subject: Subject, comparison: Comparison) -> Subject | None:
    """Return the subject fed with what lies between the ends that its map keeps, if any."""
    from ldjcheck.settling.domains import holds_beyond, keeps_ends

    bench = subject.bench
    way = bench.calls.forward
    if subject.asked.domain is not None or way is None or way.domain is not None:
        return None
    wrong = any(v.mismatched for v in comparison.verdicts)
    if not wrong and not any(
        _is_no_map(each.forward) for each in comparison.measurement.measured
    ):
        return None
    domain, why = (
        keeps_ends(bench),
        "its ends stay where they are, and the map ends there",
    )
    if domain is None:
        domain, why = holds_beyond(bench), "beyond it, all is taken for its nearer end"
    if domain is None:
        return None
    told = f"{describe(domain)}: {why}"
    return replace(
        subject,
        bench=replace(bench, domain=domain),
        inferred={**subject.inferred, "domain": told},
    )


def _is_no_map(side: Side) -> bool:
    """Return whether the map folds, or is flat, at some of the inputs."""
    known, lost = side.finite_jacobians, side.exact.lost
    if lost is not None and bool(lost.any()):
        return True
    return known is not None and side.exact.is_square and has_both_signs(known)
