"""Ways back that draw the dims they make up: minus the log-density that these are drawn by.

With the draw beside it the way back is a square map, from what is kept and the noise to all
dims: log p(made up | kept) = log p(noise) - log|det|. What the way there counts must be
that, or samples are not of the density that is reported.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.densities.drawn import Draws
from ldjcheck.oracle.derivatives.flat_map import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.oracle.oracle import Question
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.manner import Manner


def drawn_ldj(asked: Question) -> Tensor | None:
    """Return minus log p of what the way back made up, `(batch,)`, if one draw did that."""
    inverse, runner, kept = asked.side, asked.runner, asked.side.exact.jacobian
    if kept is None:
        return None
    frozen = Frozen()
    try:
        with Draws() as draws:
            runner.run("inverse", inverse.x, frozen)
        if len(draws.heard) != 1 or len(frozen.draws) != 1:
            return None
        (noise,) = draws.heard
        if noise.log_density is None or noise.value.shape[:1] != inverse.x.shape[:1]:
            return None
        # A sample is often drawn without gradients, and is what x is made of all the same.
        there = FrozenMap(
            runner=runner, direction="inverse", x=inverse.x, frozen=frozen,
            manner=Manner(see_detach=True), noise=0,
        )  # fmt: skip
        made, _, _ = there.jacobian(there.origin)
    except (FailedCallError, NoJacobianError, ValueError):
        return None
    whole = torch.cat([kept.double(), made.double()], dim=2)
    if whole.shape[1] != whole.shape[2]:
        return None
    ldj = log_abs_det(whole)[1] - noise.log_density.double().flatten(1).sum(1)
    return ldj if bool(ldj.isfinite().all()) else None
