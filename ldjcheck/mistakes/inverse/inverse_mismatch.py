"""LDJ301: the way back does not undo the map.

Going forward and back does not return to the start.

The rule:
    f_inv(f(x)) = x.   Undo the last step first: y = x*s + t gives (y - t) / s

How it shows:
    |inverse(f(x)) - x| far above rounding. Each ldj may be right for the map of
    its own direction. Solvers stop early: what they leave, up to 1e-4, is a note
    where both ldj are right, and else unproven.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Affine(nn.Module):
         # Scale and shift each dimension.
         def __init__(self, dims=4):
             super().__init__()
             self.log_s = nn.Parameter(torch.zeros(dims))
             self.t = nn.Parameter(torch.zeros(dims))

         def forward(self, x):
             y = x * self.log_s.exp() + self.t
             return y, self.log_s.sum().expand(len(x))

         def inverse(self, y):
    -        x = y * torch.exp(-self.log_s) - self.t
    +        x = (y - self.t) * torch.exp(-self.log_s)
             return x, -self.log_s.sum().expand(len(y))

What it costs:
    Densities are right, samples are not: they come from another distribution.

Question:
    Follow one number there and back by hand. Where does it end?

Easily confused with:
    LDJ302: the map is undone, only its ldj is wrong
    LDJ306: a solver stops near x, and both ldj are right
    LDJ402: rounding in an ill-conditioned map
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Check, Comparison, Finding

_MEANT = "the ldj that it reports is right for a way back that does"


def _match(comparison: Comparison) -> Iterator[Finding]:
    check = comparison.round_trip
    if check.status not in ("fail", "unproven") or check.worst is None:
        return
    finding = RULE.finding(
        "The inverse does not undo the forward map.",
        direction="inverse",
        evidence=(
            _off(comparison, check),
            *((_MEANT,) if comparison.inverse.meant else ()),
        ),
    )
    if check.status == "fail":
        yield finding


def _off(comparison: Comparison, check: Check) -> str:
    """Return how far a way back is from x, or that it has another shape."""
    first = comparison.measurement.measured[0]
    if first.forward.answered:
        back, x = tuple(first.inverse.y.shape[1:]), tuple(first.forward.x.shape[1:])
        if back != x:
            return f"inverse(f(x)) has the shape {back} per sample, and x has {x}"
    before, after = comparison.forward.resized or (0, 0)
    drops = after < before or bool(comparison.measurement.calls.departures)
    off = "|f(inverse(z)) - z|" if drops else "|inverse(f(x)) - x|"
    return f"largest {off}: {check.worst:.6g}, allowed {check.tolerance:.1g}"


RULE = Rule(
    code="LDJ301",
    name="inverse-mismatch",
    summary="the inverse does not undo the map",
    page=Page.read(__doc__),
    match=_match,
)
