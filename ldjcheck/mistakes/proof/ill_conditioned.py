"""LDJ402: rounding may hide more than a mistake would cost.

The map squeezes space so hard in one direction that rounding alone moves the
exact value by more than a mistake would cost.

The rule:
    error of log|det J|  is about  D * machine epsilon * condition number of J
    In float64 epsilon is 2e-16: from a condition number of 1e14 on, digits
    of the ldj are lost. In float32 epsilon is 1e-7: a matrix made in it whose
    condition is beyond 1e7 is regular only by what rounding has left.

How it shows:
    The allowed difference beside the numbers is large, or a change of the last
    digit of float32 moves the ldj, and the status is unproven.
    The layer loses the same digits when it is trained or inverted.

For example:
    import torch
    from torch import nn

    class Mix(nn.Module):
        # Multiply by a matrix that is almost singular.
        def __init__(self):
            super().__init__()
            near = [[1, 1], [1, 1 + 1e-12]]
            self.weight = torch.tensor(near, dtype=torch.float64)

        def forward(self, x):
            y = x @ self.weight
            ldj = torch.linalg.slogdet(self.weight)[1].expand(len(x))
            return y, ldj

Run:
    ldjcheck flow.py:Mix --shape 2

You see:
    The Jacobian is too ill-conditioned to prove the log-determinant.
    ...
      rounding alone allows a difference of 0.0071
    ...
    1 layer: 1 unproven

What to do:
    Check nearer to the initial values (`--params-scale 0.1`), at a smaller shape,
    or give inputs where the map is steeper (`--domain`).

What it costs:
    Nothing yet: nothing was proved.

Question:
    How near to singular is your matrix? How many digits are left?

Easily confused with:
    LDJ401: the map changes nothing at all
    LDJ301: the inverse is wrong by more than rounding explains
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.numerics.tolerance import COARSE, OPEN
from ldjcheck.records import Comparison, Direction, Finding, Measurement, Side


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        if verdict.check.status == "unproven" and verdict.between is not None:
            yield _undecided(verdict.direction, *verdict.between)
        if not verdict.ill_conditioned or verdict.mismatched:
            continue
        first = verdict.usable[0][1] if verdict.usable else None
        if first is not None and first.said.estimated:
            yield RULE.finding(
                "The ldj is an estimate that scatters too much to prove anything.",
                direction=verdict.direction,
                evidence=(
                    f"averaged over {first.said.estimated} calls, chance alone "
                    f"allows {verdict.check.tolerance:.2g}",
                    "give the estimator more samples or terms, or a smaller --shape",
                ),
            )
        elif first is not None and _is_open(first):
            assert first.open is not None
            moved = float(first.open.max())
            yield RULE.finding(
                "The Jacobian is too ill-conditioned for float32, in which it is made.",
                direction=verdict.direction,
                evidence=(
                    f"rounding in float32 moves log|det J| by {moved:.2g}",
                    "make the numbers that the layer holds in float64, or keep what it "
                    "multiplies by away from singular",
                ),
            )
        elif first is not None and first.round_trip.misses:
            yield RULE.finding(
                "The inverse stops so far from x that a mistake of its ldj could hide.",
                direction=verdict.direction,
                evidence=(
                    f"it misses x by {first.round_trip.off:.1g}, which allows a "
                    f"difference of {verdict.check.tolerance:.2g}",
                    "let its solver go on to a smaller residual, or leave it out with "
                    "--direction forward",
                ),
            )
        elif first is not None and first.said.dtype in COARSE:
            yield RULE.finding(
                f"In {first.said.dtype} too few digits are left to prove the ldj.",
                direction=verdict.direction,
                evidence=(
                    f"rounding alone allows a difference of {verdict.check.tolerance:.2g}",
                    "without --dtype as-written it is checked in float64",
                ),
            )
        else:
            yield RULE.finding(
                "The Jacobian is too ill-conditioned to prove the log-determinant.",
                direction=verdict.direction,
                evidence=(
                    f"rounding alone allows a difference of {verdict.check.tolerance:.2g}",
                    _nearer(comparison.measurement),
                ),
            )


def _undecided(direction: Direction, off: float, allowed: float) -> Finding:
    return RULE.finding(
        "The numbers are too near to call it wrong, and too far apart to call it right.",
        direction=direction,
        evidence=(
            f"off by {off:.2g}: rounding is thought to cost {allowed:.2g}, and ten times "
            "that would be a mistake",
            "check it in float64, nearer to how it was built with --params-scale 0.1, or "
            "say what to allow with --atol",
        ),
    )


def _nearer(measurement: Measurement) -> str:
    """Return what may bring the Jacobian away from singular."""
    if measurement.has_parameters and measurement.options.params == "random":
        return "try smaller parameters, --params-scale 0.1, or a smaller --shape"
    return (
        "try a smaller --shape, inputs where it is steeper, with --domain, or other "
        "values of what it holds, with --weights or as its arguments"
    )


def _is_open(side: Side) -> bool:
    """Return whether it is float32 that leaves the number open, and not float64."""
    if side.open is None or side.exact.allowed is None:
        return False
    return float(side.open.max()) > max(OPEN, float(side.exact.allowed.max()))


RULE = Rule(
    code="LDJ402",
    name="ill-conditioned",
    severity="unproven",
    summary="rounding may hide a mistake",
    page=Page.read(__doc__),
    match=_match,
)
