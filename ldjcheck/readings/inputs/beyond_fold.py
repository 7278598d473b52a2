"""Maps that fold where an input changes its sign, and whose ldj is a number on one side.

A radius is positive, and so is the sine of an angle that is counted from an axis. What folds
is no map of both sides; where the ldj ends exactly there, for all samples alike, the other
side is not meant. A logarithm that lacks its absolute value ends elsewhere.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ldjcheck.calling.domains import TAMEST, describe
from ldjcheck.numerics.numerical_rank import has_both_signs
from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.records import Side
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen

_WHY = "{}: the map folds where one changes its sign, and its ldj ends there"
_SHOWN = "inputs between 0 and 1: the map folds where one changes its sign"
_BESIDE = 1e-4  # zero
_MOST = 16  # entries that are moved there


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading fed with what lies on the side where the ldj is a number, near zero.

    Right or wrong: a mistake does not decide where a layer lives.
    """
    subject, bench = seen.subject, seen.subject.bench
    way, measured = bench.calls.forward, seen.comparison.measurement.measured
    is_open = way is not None and way.domain is None and subject.asked.domain is None
    if not is_open or bench.domain.kind != "real" or bench.calls.parts:
        return
    if not any(_is_lost(each.forward) and folds(each.forward) for each in measured):
        return
    there, told = replace(bench, domain=TAMEST), _WHY.format(describe(TAMEST))
    reading = seen.reading.assuming("domain", TAMEST, "observed", told, bench=there)
    reading.subject.inferred["shown"] = _SHOWN
    side = look_at(reading).comparison.measurement.measured[0].forward
    if side.answered and not folds(side) and _ends_at_zero(there):
        yield reading


def _is_lost(side: Side) -> bool:
    """Return whether the ldj is no number at some of the inputs."""
    said = side.said.ldj if side.answered else None
    return said is not None and not bool(torch.isfinite(said).all())


def folds(side: Side) -> bool:
    """Return whether the determinant of the map has both signs."""
    known = side.finite_jacobians if side.answered else None
    return known is not None and side.exact.is_square and has_both_signs(known)


@on_failure(False)
def _ends_at_zero(bench: Bench) -> bool:
    """Return whether an entry of all samples has an ldj above zero, and none has it below."""
    runner, x = bench.runner(seed=bench.options.seed), bench.inputs()
    for index in range(min(_MOST, x[0].numel())):
        ends: list[torch.Tensor] = []
        for at in (_BESIDE, -_BESIDE):
            moved = x.reshape(len(x), -1).clone()
            moved[:, index] = at
            said = runner.run("forward", moved.reshape(x.shape), Frozen()).reported
            ends += [] if said is None else [torch.isfinite(said)]
        if len(ends) == 2 and bool(ends[0].all()) and not bool(ends[1].any()):
            return True
    return False
