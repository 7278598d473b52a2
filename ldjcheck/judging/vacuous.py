"""Whether agreement proves anything: a mistake must have had a place to show."""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import same
from ldjcheck.numerics.tolerance import VISIBLE
from ldjcheck.records import Probe, Side


def vacuous(
    usable: tuple[tuple[Probe, Side, Tensor], ...],
) -> str | None:
    """Return why agreement proves nothing, or None when it does.

    An ldj of zero is proved when the map is a rotation or a permutation that moves x,
    when it adds whole multiples of entries to others, which leaves nothing to take the
    logarithm of, or when it stays zero while the Jacobian varies.
    """
    for _, side, good in usable:
        if side.exact.ldj is not None and (side.exact.ldj[good].abs() > VISIBLE).any():
            return None
    if all(_is_identity(side) for _, side, _ in usable):
        return "identity"
    known = [
        side.exact.jacobian for _, side, _ in usable if side.exact.jacobian is not None
    ]
    if known and all(_is_orthogonal(j) or _is_whole(j) for j in known):
        return None
    if not known or any(_varies(j) for j in known) or _differ(known):
        return None
    return "zero"


def _is_identity(side: Side) -> bool:
    if side.x.shape != side.y.shape or side.exact.wrt == "noise":
        return False
    return same(side.y, side.x)


def _is_orthogonal(jacobian: Tensor) -> bool:
    eye = torch.eye(jacobian.shape[1], dtype=jacobian.dtype)
    return torch.allclose(jacobian @ jacobian.mT, eye.expand_as(jacobian), atol=1e-5)


def _is_whole(jacobian: Tensor) -> bool:
    return torch.allclose(jacobian, jacobian.round(), rtol=0.0, atol=1e-9)


def _varies(jacobian: Tensor) -> bool:
    return not torch.allclose(jacobian, jacobian[:1].expand_as(jacobian), atol=1e-9)


def _differ(jacobians: list[Tensor]) -> bool:
    same_size = [j for j in jacobians if j.shape[1:] == jacobians[0].shape[1:]]
    return any(
        not torch.allclose(j[0], jacobians[0][0], atol=1e-9) for j in same_size[1:]
    )
