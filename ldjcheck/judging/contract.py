"""What breaks the contract that every flow layer has with its callers."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import torch

from ldjcheck.numerics.tolerance import SOLVER_RESIDUAL
from ldjcheck.records import Check, Side, Verdict
from ldjcheck.records.behaved import Behaviour, Coupling
from ldjcheck.records.words import CheckStatus

_COUPLED = 1e-8  # relative to the entries of J: what rounding leaves between samples


def behaviour_seen(sides: list[Side]) -> Behaviour:
    """Return each thing that was noticed, from the first configuration where it was."""
    seen = [replace(side.behaviour, coupling=_coupling(side)) for side in sides]
    found: dict[str, Any] = {}
    for field in fields(Behaviour):
        values = (getattr(each, field.name) for each in seen)
        found[field.name] = next((value for value in values if value), field.default)
    return Behaviour(**found)


def _coupling(side: Side) -> Coupling | None:
    """Return how samples are coupled, if by more than rounding."""
    found = side.behaviour.coupling
    if found is None:
        return None
    allowed = _uncoupled(side)
    output = found.output if found.output > allowed else 0.0
    ldj = found.ldj if found.ldj > allowed else 0.0
    return replace(found, output=output, ldj=ldj) if output or ldj else None


def _uncoupled(side: Side) -> float:
    """Return how far a sample may move with its companions: by rounding alone."""
    sizes = [1.0] + [
        float(values[torch.isfinite(values)].abs().max())
        for values in (side.exact.jacobian, side.y, side.said.ldj)
        if values is not None and torch.isfinite(values).any()
    ]
    rounding = _COUPLED * max(sizes) * (1.0 if side.said.dtype == "float64" else 1e5)
    # A solver that stops when the whole batch is good enough is coupled by its residual.
    return rounding + 10.0 * min(side.round_trip.residual, SOLVER_RESIDUAL)


def breaks_contract(seen: Behaviour) -> bool:
    """Return whether a behaviour is a fault, and no mere remark."""
    coupling, state = seen.coupling, seen.state
    return bool(
        seen.faults
        or seen.input_changed
        or seen.accumulation
        or (coupling and coupling.output and not coupling.by_mode)
        or (seen.unrepeatable and not seen.unrepeatable.by_mode)
        or (state and state.every_call and not state.by_mode)
        or seen.stale
    )


def contract_check(forward: Verdict, inverse: Verdict) -> Check:
    """Return whether the calls behave as the layer promises its callers."""
    both = (forward, inverse)
    broken = any(
        v.faults or v.form or v.no_output or breaks_contract(v.behaviour) for v in both
    )
    ran = any(v.check.status not in ("not-available", "error") for v in both)
    status: CheckStatus = "fail" if broken else "pass" if ran else "not-available"
    return Check(name="contract", direction=None, status=status)
