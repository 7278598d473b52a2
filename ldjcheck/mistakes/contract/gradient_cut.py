"""LDJ210: the value of the ldj is right, and training does not see where it comes from.

Every number is right, and still training goes wrong: autograd does not see all
that the ldj depends on. A `detach`, a `no_grad`, an `.item()` or a backward
written by hand stands in the way.

The rule:
    d r / d theta = d log|det J| / d theta   for every parameter, and for x
    The derivative of a flow's loss is this gradient; the value alone trains
    nothing.

How it shows:
    Nothing shows in any value. Autograd's derivative of the reported ldj is
    compared with central differences of the exact value, which know of no graph.
    A way back that tracks no gradients at all is taken to be for sampling.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Scale(nn.Module):
         # Multiply each dim by a learned scale.
         def __init__(self, dims=4):
             super().__init__()
             self.log_scale = nn.Parameter(torch.zeros(dims))

         def forward(self, x):
             y = x * self.log_scale.exp()
    -        ldj = self.log_scale.detach().sum().expand(len(x))
    +        ldj = self.log_scale.sum().expand(len(x))
             return y, ldj

What it costs:
    Nothing in the bits per dimension that are printed, and the training itself:
    without the ldj's gradient a flow learns to shrink everything to one point.

Question:
    Ask for the gradient of your ldj with respect to each parameter. Which one is
    missing?

Easily confused with:
    LDJ104: the value is wrong, and with it the gradient
    LDJ404: the map itself has a derivative that differences do not bear out
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.mistakes.rewriting import calls
from ldjcheck.records import Comparison, Finding, GradientMeasured

_SHOWN = 4
_WHY = {
    "detach": "`detach` there keeps the derivative from passing",
    ".data": "`.data` there keeps the derivative from passing",
    "create_graph": "without `create_graph=True` no derivative passes `grad`",
    "no_grad": "gradients are switched off there",
    "backward": "the ldj goes through this backward, and its derivative is not right",
}
_NUMBER = "a plain number is taken there, which no derivative passes"


def _match(comparison: Comparison) -> Iterator[Finding]:
    failed = {
        check.direction for check in comparison.gradients if check.status == "fail"
    }
    for measured in comparison.measurement.gradients:
        if measured.direction in failed:
            yield RULE.finding(
                _message(measured),
                direction=measured.direction,
                evidence=tuple(_evidence(measured)),
                location=measured.location,
            )


def _message(measured: GradientMeasured) -> str:
    names = [f"`{part.name}`" for part in measured.wrong]
    listed = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
    gone = all(part.reported == 0 for part in measured.wrong)
    what = "is missing" if gone else "is wrong"
    return (
        "The value of the log-determinant is right, but its gradient with respect to "
        f"{listed} {what}."
    )


def _evidence(measured: GradientMeasured) -> Iterator[str]:
    for part in measured.wrong[:_SHOWN]:
        yield (
            f"{part.name}: autograd says {part.reported:+.5g}, differences of the exact "
            f"value {part.exact:+.5g}"
        )
    if measured.cut is not None:
        yield _WHY.get(measured.cut, _NUMBER)
    else:
        yield "no detach, no_grad or backward of the layer's own explains it"
    yield "each along one random direction, in nats, over all samples"


RULE = Rule(
    code="LDJ210",
    name="gradient-cut",
    summary="right value, wrong gradient",
    page=Page.read(__doc__),
    match=_match,
    mend=(calls.uncut,),
    mended_alone=True,
    beside_the_value=True,
)
