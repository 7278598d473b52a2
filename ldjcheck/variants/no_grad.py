"""The layer under `torch.no_grad()`, as models are evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.variants.finding import with_finding
from ldjcheck.variants.variant import Proposal, Variant, passes

if TYPE_CHECKING:
    from ldjcheck.records import Options, Result
    from ldjcheck.settling.subject import Subject


def _proposed(subject: Subject, options: Options, result: Result) -> Proposal:
    """Return what is wrong under `torch.no_grad()` alone, where the map is the same."""
    from ldjcheck.settling.settle import otherwise

    told = otherwise(subject.bench, "without gradients")
    if told is None:
        return Proposal(result=result)
    usual, without = told
    nothing = not bool(without.any())
    wrong = with_finding(
        result,
        options,
        "LDJ119" if nothing else "LDJ199",
        "Without gradients, under `torch.no_grad()`, the log-determinant is "
        + ("0." if nothing else "another one."),
        (
            "same input, same output, and right with gradients:",
            *(
                f"sample {index}: {float(w):+.6g} without, {float(u):+.6g} with them"
                for index, (w, u) in enumerate(zip(without, usual, strict=True))
            ),
        ),
    )
    return Proposal(result=wrong)


VARIANT = Variant(name="no-grad", concerns=passes, proposed=_proposed)
