"""LDJ401: everything agrees, and a mistake would have agreed too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding

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
        message = "Here ldj = 0 is right whatever the layer's formula says."
        next_step = (
            "give inputs that it changes, with --domain or --shape, if there are any"
        )
    yield RULE.finding(
        message, evidence=(f"{_WHY[vacuous]}; a flipped sign would pass", next_step)
    )


RULE = Rule(
    code="LDJ401",
    name="vacuous-check",
    severity="unproven",
    summary="nothing was proved: at these inputs every formula would agree",
    match=_match,
)
