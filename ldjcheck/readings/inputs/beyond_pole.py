"""Maps with a pole, whose ldj is a number on one side of it: points before a camera.

The logarithm of a magnitude that is meant to be positive is NaN beyond, as one that lacks
an absolute value is. But a map that goes to infinity in between is two maps, of which one
is meant; one that lacks an absolute value is the same map on both sides. So is one whose
own way back leads back from either.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.records import Domain
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen

_HALVINGS = 60  # until two inputs are neighbours
_INFINITE = 1e6  # times the output elsewhere
_WHY = "beyond a pole of the map its ldj is no number"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading fed with positive numbers, where all its ldj are some, if a pole ends.

    Right or wrong: a mistake does not decide where a layer lives.
    """
    bench, domain = seen.subject.bench, Domain(kind="positive")
    way, verdict = bench.calls.forward, seen.comparison.forward
    if not verdict.mismatched or way is None or way.domain is not None:
        return
    if seen.subject.asked.domain is not None or bench.domain.kind != "real":
        return
    if bench.calls.parts or bench.calls.inverse is not None:  # it tells what is meant
        return
    if not _has_pole_before(bench, domain):
        return
    there = seen.reading.assuming(
        "domain",
        domain,
        "observed",
        f"positive: {_WHY}",
        bench=replace(bench, domain=domain),
    )
    said = look_at(there).comparison.measurement.measured[0].forward.said.ldj
    if said is not None and bool(torch.isfinite(said).all()):
        yield there


def _has_pole_before(bench: Bench, domain: Domain) -> bool:
    """Return whether the output is infinite where the ldj begins to be a number.

    That is between each input where it is none and one in the domain, where it is.
    """
    runner = bench.runner(seed=bench.options.seed)
    beyond = -bench.inputs("far").abs()
    within = replace(bench, domain=domain).inputs()
    try:
        first = runner.run("forward", beyond, Frozen())
        if first.reported is None:
            return False
        lost = torch.isnan(first.reported.detach())
        if not lost.any():
            return False
        usual = first.y.detach()[lost].abs().nan_to_num().max()
        for _ in range(_HALVINGS):
            middle = (beyond + within) / 2
            outcome = runner.run("forward", middle, Frozen())
            if outcome.reported is None:
                return False
            none = torch.isnan(outcome.reported.detach())
            none = none.reshape(-1, *(1,) * (middle.dim() - 1))
            beyond = torch.where(none, middle, beyond)
            within = torch.where(none, within, middle)
        y = runner.run("forward", within, Frozen()).y.detach()[lost].abs()
    except FailedCallError:
        return False
    far = y.flatten(1).nan_to_num(math.inf).amax(1)
    return bool((far > _INFINITE * (1 + usual)).all())
