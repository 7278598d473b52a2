"""A number that the flow's own density counts as it is, and that density is right.

`to_latent` may report log|dx/dz|, which `log_prob` takes off; `encode` the ldj with the
density of what left on the way; `forward` the sum over a batch, or the mean over dims. What
such a number is, its caller says: where log p(x) is right, and is made of it, so is the call.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from ldjcheck.readings.densities.own_density import (
    own_densities,
    with_contexts,
    with_right,
)
from ldjcheck.readings.reading import Outcome, Reading, fails_by_value, read_anew
from ldjcheck.readings.what_runs import run_at
from ldjcheck.records import Result
from ldjcheck.settling.subject import Subject

_COUNTED = "no log|det J| by itself: {} counts it as it is, and is right"


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield each density that is made of the call's number, where that alone is wrong."""
    subject = outcome.subject
    wrong = [f for f in outcome.result.findings if f.severity == "error"]
    is_off = all(f.direction == "forward" for f in wrong)
    if not (is_off and fails_by_value(outcome.result)):
        return
    ended = None
    for name, density in own_densities(subject, outcome.result):
        if ended is None:
            _, ended = run_at(subject.bench, subject.probes()[0], "forward")
        at = replace(
            with_contexts(subject, density), shape=((None, subject.bench.shape),)
        )
        for there in read_anew(density, at) if ended else ():
            if _is_made_of(there.subject, ended[-1][0]):
                yield replace(there, told_if=_is_right, adopt=partial(_adopted, name))
        if _is_right(outcome.result):
            return


def _is_made_of(density: Subject, code: CodeType) -> bool:
    """Return whether a density is made of all that a function returns beside an output."""
    outcome, ended = run_at(density.bench, density.probes()[0], "forward")
    returned = [result for ran, result in ended if ran is code]
    if outcome is None or outcome.reported is None or not returned:
        return False
    said, numbers = outcome.reported.sum(), _beside_output(returned[-1])
    if not (said.requires_grad and numbers):
        return False
    moved = torch.autograd.grad(said, numbers, allow_unused=True)
    return all(each is not None and bool(each.any()) for each in moved)


def _beside_output(result: Any) -> list[Tensor]:
    """Return the numbers that a gradient passes, of all that is returned but the first."""
    _, *others = result if isinstance(result, (tuple, list)) else (result,)
    held = [[each] if isinstance(each, Tensor) else each for each in others]
    flat = (t for each in held if isinstance(each, list) for t in each)
    return [t for t in flat if isinstance(t, Tensor) and t.requires_grad]


def _is_right(result: Result) -> bool:
    return result.status == "pass"


def _adopted(name: str, result: Result, again: Result | None) -> Result:
    """Return that the density is right, which says what the number of the call is."""
    if again is None or not _is_right(again):
        return result
    told = with_right(name, replace(again, unasked=result.unasked))
    said = {"ldj": _COUNTED.format(name), **told.inferred}
    return replace(told, target=result.target, layer=result.layer, inferred=said)
