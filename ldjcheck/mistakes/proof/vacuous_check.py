"""LDJ401: everything agrees, and a mistake would have agreed too.

Every number agrees, and would have agreed with a wrong formula as well: here
the layer changes nothing, so its ldj is 0 whatever is computed.

The rule:
    y = x   =>   log|det J| = 0 = -0 = 2 * 0 = D * 0

How it shows:
    The status is unproven, and the exit code 3. The usual causes: a mask of ones,
    `--params as-is` with a last layer that starts at zero, inputs that all lie
    where the map is flat. Parameters are moved by default to avoid it.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class MaskedCoupling(nn.Module):
         # Move the dims where the mask is 0; the others decide how.
         def __init__(self):
             super().__init__()
    -        self.mask = torch.ones(5)
    +        self.mask = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])
             self.net = nn.Linear(5, 10)

         def forward(self, x):
             log_s, t = self.net(x * self.mask).chunk(2, dim=1)
             log_s, t = log_s * (1 - self.mask), t * (1 - self.mask)
             return x * log_s.exp() + t, log_s.sum(dim=1)

What it costs:
    Nothing yet: nothing was proved.

Question:
    At these weights the layer does nothing at all. Which ldj would be wrong?

Easily confused with:
    LDJ119: 0 is reported and is wrong
    LDJ402: the map does change, but rounding hides by how much
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding

_NAMED = 3  # frozen parameters
_WHY = {
    "identity": "the layer returned its input unchanged on every input tried",
    "zero": "the exact ldj is 0 on every input tried, and nothing proves that it must be",
}


def _match(comparison: Comparison) -> Iterator[Finding]:
    vacuous = next((v.vacuous for v in comparison.verdicts if v.vacuous), None)
    if vacuous is None:
        return
    measurement = comparison.measurement
    if measurement.has_parameters and measurement.options.params == "as-is":
        message = (
            "With its parameters as built this layer is the identity: ldj = 0 is right "
            "whatever its formula says."
            if vacuous == "identity"
            else "With its parameters as built the ldj is 0, whatever its formula says."
        )
        next_step = "drop --params as-is: then a copy with moved parameters is checked"
    else:
        message, next_step = _with_what_it_holds(comparison)
    yield RULE.finding(
        message, evidence=(f"{_WHY[vacuous]}; a flipped sign would pass", next_step)
    )


def _with_what_it_holds(comparison: Comparison) -> tuple[str, str]:
    """Return what to say of it, and what may be another one for it to show more."""
    measurement = comparison.measurement
    if measurement.frozen:
        names = ", ".join(measurement.frozen[:_NAMED])
        more = len(measurement.frozen) - _NAMED
        names += f" and {more} more" if more > 0 else ""
        return (
            f"With its frozen parameters as built, {names}, ldj = 0 is right whatever "
            "the layer's formula says.",
            "they have requires_grad=False and are left alone: check it with other "
            "values, as in --weights FILE, or before it is frozen",
        )
    calls = measurement.calls
    made_up = [name for name in calls.tensor_names if name in measurement.inferred]
    if made_up:
        names = " and ".join(f"`{name}`" for name in made_up)
        return (
            f"With the {names} that I made up, ldj = 0 is right whatever the layer's "
            "formula says.",
            f"give one with which it changes x: --kwarg {made_up[0]}=EXPR",
        )
    return (
        "Here ldj = 0 is right whatever the layer's formula says.",
        "give it inputs that it changes, with --domain or --shape, or other values of "
        "what it holds, with --weights or as its arguments, if there are any",
    )


RULE = Rule(
    code="LDJ401",
    name="vacuous-check",
    severity="unproven",
    summary="nothing proved: any ldj would agree",
    page=Page.read(__doc__),
    match=_match,
)
