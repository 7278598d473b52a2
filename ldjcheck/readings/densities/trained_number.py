"""A loss beside another number, which is kept for a log: it is the loss that trains.

`return {"loss": loss, "ldj": ldj.detach()}` cuts nothing that is minimised. Where the loss
is a right density of x, with its gradient, so is all of the call. Nor is each number beside
what is drawn the density of that: `{"z": z, "kl": kl, "loss": loss}` has none.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from ldjcheck.calling.results import density_in, held_in
from ldjcheck.mistakes.attribution.precedence import follows_a_law
from ldjcheck.mistakes.contract import gradient_cut
from ldjcheck.readings.reading import Outcome, Reading, read_anew
from ldjcheck.readings.what_runs import run_at
from ldjcheck.records import Result

_WHY = {
    "pair": "cut from the graph, as what is logged is: the loss beside it is what trains",
    "sampler": "no density of what is drawn: the loss beside it is what trains",
}


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the loss that a call returns beside an ldj whose gradient alone is missing.

    Or beside what is wrong as the density of what it draws, by no law.
    """
    subject, asked = outcome.subject, outcome.subject.asked
    codes = {f.code for f in outcome.result.findings if f.severity == "error"}
    is_open = (asked.kind, asked.convention) == ("auto", "auto")
    is_drawn = subject.bench.calls.convention == "sampler"
    is_logged = codes == {gradient_cut.RULE.code} or (
        is_drawn and bool(codes) and not follows_a_law(outcome.result)
    )
    if not is_logged or not is_open or asked.adapter is not None:
        return
    adopt = partial(_adopted, _WHY["sampler" if is_drawn else "pair"])
    _, ended = run_at(subject.bench, subject.probes()[0], "forward")
    if not ended or not _has_another(ended[-1][1]):
        return
    for there in read_anew(subject.layer, replace(asked, kind="model")):
        if there.subject.bench.calls.signature.startswith("m.forward("):
            told = replace(there.subject, asked=asked)
            yield replace(there.of(told), told_if=_is_known, adopt=adopt)


def _has_another(result: Any) -> bool:
    """Return whether a call returns several numbers, of which one is trained."""
    held = [] if isinstance(result, Tensor) else held_in(result)
    numbers = [n for n in held if isinstance(n, Tensor) and n.dim() < 2]
    return len(numbers) > 1 and bool(density_in(result)[1].requires_grad)


def _is_known(result: Result) -> bool:
    return result.status == "pass" or follows_a_law(result)


def _adopted(why: str, result: Result, again: Result | None) -> Result:
    """Return what is told of the loss, if that is right, or known to be wrong."""
    if again is None or not _is_known(again):
        return result
    return replace(again, inferred={**again.inferred, "ldj": why})
