"""What breaks the contract that every flow layer has with its callers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ldjcheck.records import Check, CheckStatus
from ldjcheck.tolerance import SOLVER_RESIDUAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Config, DirectionMeasured, Measurement, Verdict

_COUPLED = 1e-8  # relative to the entries of J: what rounding leaves between samples


def faults_of(
    sides: list[tuple[Config, DirectionMeasured]], measurement: Measurement
) -> Iterator[str]:
    """Yield what breaks the contract at the first configuration where something does."""
    for _, side in sides:
        found = list(side.faults)
        if side.coupled > _uncoupled(side) and measurement.options.mode == "eval":
            found.append(
                "a sample's output or ldj depends on the other samples of the batch "
                f"(by up to {side.coupled:.3g})"
            )
        if found:
            yield from found
            return


def _uncoupled(side: DirectionMeasured) -> float:
    """Return how far a sample may move with its companions: by rounding alone."""
    sizes = [1.0] + [
        float(values[torch.isfinite(values)].abs().max())
        for values in (side.jacobian, side.y, side.reported)
        if values is not None and torch.isfinite(values).any()
    ]
    rounding = _COUPLED * max(sizes) * (1.0 if side.dtype == "float64" else 1e5)
    # A solver that stops when the whole batch is good enough is coupled by its residual.
    residual = side.round_trip if side.round_trip is not None else 0.0
    return rounding + 10.0 * min(residual, SOLVER_RESIDUAL)


def contract_check(forward: Verdict, inverse: Verdict) -> Check:
    """Return whether the calls behave as the layer promises its callers."""
    faults = forward.faults or inverse.faults or forward.form or inverse.form
    ran = any(
        v.check.status not in ("not-available", "error") for v in (forward, inverse)
    )
    status: CheckStatus = "fail" if faults else "pass" if ran else "not-available"
    return Check(name="contract", direction=None, status=status)
