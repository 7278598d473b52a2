"""Why a derived ldj is not verified, in the words of what was seen when it was run."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ldjcheck.records import Comparison, Verdict


def doubts_about(after: Comparison | None) -> tuple[str, ...]:
    """Return what is wrong with the edited layer, most telling first."""
    if after is None:
        return ("the edited source does not compile in the place of what runs",)
    found = [*_of_values(after), *_of_the_rest(after)]
    return tuple(dict.fromkeys(found)) or ("it could not be judged",)


def _of_values(after: Comparison) -> Iterator[str]:
    for verdict in after.verdicts:
        for line in verdict.raised[-1:]:
            told = line.strip()
            raises = "it " if told.startswith("returned ") else "it raises "
            yield f"{verdict.direction}: {raises}{told}"
        if verdict.form is not None:
            yield f"{verdict.direction}: {verdict.form}"
        elif verdict.mismatched:
            yield f"{verdict.direction}: {_largest(verdict)}"


def _largest(verdict: Verdict) -> str:
    """Return where a direction is off by most."""
    worst, where = -1.0, ""
    for probe, side, good in verdict.usable:
        if side.difference is None:
            continue
        off = side.difference.abs()[good]
        size = float(off.nan_to_num(nan=torch.inf).max()) if len(off) else 0.0
        if size > worst:
            worst, where = size, f"shape {probe.shape}, seed {probe.seed}"
    return f"it is off by {worst:.2g} nats at {where}"


def _of_the_rest(after: Comparison) -> Iterator[str]:
    if after.round_trip.status == "fail":
        shape = f" at shape {after.round_trip.shape}" if after.round_trip.shape else ""
        yield f"the way back does not undo the map{shape}, with or without these lines"
    for check in after.gradients:
        if check.status == "fail":
            yield f"{check.direction}: its gradient is not that of the exact value"
    for verdict in after.verdicts:
        if verdict.vacuous is not None:
            yield f"{verdict.direction}: {verdict.vacuous}"
        elif verdict.check.status not in ("pass", "not-available"):
            yield f"{verdict.direction}: {verdict.check.status}"
        yield from (f"{verdict.direction}: {fault}" for fault in verdict.faults)
