"""LDJ405: the number is right in one reading and wrong in another, and names tell no more.

What the layer's number is said to be hangs on a name. As the name has it the
number is wrong, and read otherwise it is right: neither can be proved.

The rule:
    x = f(z):  log p(x) = log p(z) - log|det J|, the density is reduced
    z = f(x):  log p(x) = log p(z) + log|det J|, the density grows

How it shows:
    The status is unproven. Both readings stand in a line each, with what to type for
    the one that is meant.

For example:
    import torch
    from torch import nn

    class Scale(nn.Module):
        # Adds its ldj to what is called a log-density.
        def __init__(self):
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

        def forward(self, z, logp):
            return z * self.log_scale.exp(), logp + self.log_scale.sum()

Run:
    ldjcheck flow.py:Scale

You see:
    Two readings fit, and no more than a name tells them apart.
    ...
      fail as a log-density, which is reduced by the ldj:
        --convention accumulator
      pass as a total, which the ldj is added to:
        --convention 'f(z, ldj) -> z, ldj'
    ...
    1 layer: 1 unproven

What to do:
    Type what is meant, in the command or under `[tool.ldjcheck]`; or call the total
    `ldj` where the ldj is added to it.

What it costs:
    Nothing yet: nothing was proved.

Question:
    Is the density reduced by your ldj, or does it grow by it?

Easily confused with:
    LDJ104: the sign is wrong in each reading
    LDJ403: both directions report the other one's ldj
"""

from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Result
from ldjcheck.records.result import ReadAs


def between(result: Result, *readings: ReadAs) -> Result:
    """Return a result as unproven, with a line for each reading and what to type for it."""
    findings = result.findings
    place = next((f.location for f in findings if f.location is not None), None)
    evidence: list[str] = []
    for read in readings:
        evidence += [f"{read.status} as {read.claim}:", f"  {read.type}"]
    finding = replace(
        RULE.finding(
            "Two readings fit, and no more than a name tells them apart.",
            evidence=tuple(evidence),
        ),
        location=place,
    )
    others = tuple(f for f in findings if f.severity in ("note", "warning"))
    return replace(
        result, status="unproven", findings=(finding, *others), readings=readings
    )


RULE = Rule(
    code="LDJ405",
    name="reading-ambiguous",
    severity="unproven",
    summary="two readings fit, names alone differ",
    page=Page.read(__doc__),
)
