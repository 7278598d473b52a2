"""Comparing gradients: a check for each direction whose value is right."""

from __future__ import annotations

from collections.abc import Iterator

from ldjcheck.records import Check, Measurement, Verdict
from ldjcheck.records.words import CheckStatus


def gradient_checks(
    measurement: Measurement, verdicts: tuple[Verdict, Verdict]
) -> Iterator[Check]:
    """Yield how the gradient of each direction's ldj came out.

    A wrong value has no right gradient, so nothing is said there. What could not be judged
    is left out for the way back, which is often for sampling only.
    """
    right = {v.direction: v.check for v in verdicts}
    for measured in measurement.gradients:
        ldj = right[measured.direction]
        if ldj.status not in ("pass", "unproven"):
            continue
        if measured.why is not None and measured.direction == "inverse":
            continue
        status: CheckStatus = "fail" if measured.wrong else "pass"
        if measured.map_off:
            status = "unproven"
        judged = measured.why is None
        yield Check(
            name="gradient",
            direction=measured.direction,
            status=status if judged else "not-available",
            wrt=ldj.wrt,
            shape=ldj.shape,
            dims=ldj.dims,
            dtype=ldj.dtype,
            tolerance=measured.allowed if judged and not measured.map_off else None,
            worst=measured.worst if judged and not measured.map_off else None,
        )
