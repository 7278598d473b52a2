"""Ways back to more dims: minus what the way there says of the point that they made up.

What they draw must have that density as well: of the two, what the way back contradicts
counts. One that says nothing says by what it draws how dense it is there.

Where that is no density there is nothing to hold the way back against: it repeats the
mistake, or it may well be right.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.densities.drawn_and_dropped import Draws
from ldjcheck.numerics.tolerance import says_nothing
from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.oracle.question import Question
from ldjcheck.records import Side
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen

_SAME = 1e-9


def known(asked: Question) -> Side | None:
    """Return the way back judged by the way there, at the point that it made up."""
    inverse, forward, exact = asked.side, asked.other, asked.side.exact
    if not asked.is_back or forward.exact.instead is None:
        return None
    reported = inverse.said.ldj
    is_silent = reported is None or says_nothing(
        reported, inverse.dims, inverse.said.dtype
    )
    try:
        there = asked.runner.run("forward", inverse.y, Frozen())
    except FailedCallError:
        return inverse
    same = there.y.shape == inverse.x.shape and torch.allclose(
        there.y.detach().double(), inverse.x.double(), atol=_SAME
    )
    off = forward.difference
    if not same or there.reported is None or off is None:
        return inverse
    if forward.exact.instead == "volume":
        return None  # it has a volume factor of its own
    said = there.reported.detach().double()
    allowed = forward.exact.allowed
    wrong = allowed is not None and bool((off.abs() > allowed).any())
    known = replace(exact, instead=forward.exact.instead)
    if wrong and (reported is None or not torch.allclose(reported.double(), -said)):
        return replace(inverse, exact=known)
    ldj = -(said - off)
    drawn = (
        None if asked.bench.calls.departures else drawn_ldj(asked, untempered=is_silent)
    )
    found = replace(inverse, exact=replace(known, ldj=ldj, allowed=allowed))
    if drawn is None:
        return found
    if reported is None or is_silent:
        says = replace(found, said=replace(inverse.said, ldj=drawn))
        return says if says.disagrees else found
    further = (drawn - reported).abs().sum() > (ldj - reported).abs().sum()
    return replace(found, exact=replace(found.exact, ldj=drawn)) if further else found


@on_failure(None, NoJacobianError, ValueError)
def drawn_ldj(asked: Question, *, untempered: bool = False) -> Tensor | None:
    """Return minus log p of what the way back made up, `(batch,)`, if one draw did that.

    Where it may be drawn colder at a caller's wish, none is known of what is `untempered`.

    With the draw beside it the way back is a square map, from what is kept and the noise
    to all dims: log p(made up | kept) = log p(noise) - log|det|.
    """
    inverse, runner, kept = asked.side, asked.runner, asked.side.exact.jacobian
    if kept is None:
        return None
    frozen = Frozen()
    with Draws() as draws:
        runner.run("inverse", inverse.x, frozen)
    if len(draws.heard) != 1 or len(frozen.draws) != 1:
        return None
    (noise,) = draws.heard
    if untempered and noise.tempered:
        return None
    if noise.log_density is None or noise.value.shape[:1] != inverse.x.shape[:1]:
        return None
    # A sample is often drawn without gradients, and is what x is made of all the same.
    there = FrozenMap(
        runner=runner, direction="inverse", x=inverse.x, frozen=frozen,
        manner=Manner(see_detach=True), noise=0,
    )  # fmt: skip
    made, _, _ = there.jacobian(there.origin)
    whole = torch.cat([kept.double(), made.double()], dim=2)
    if whole.shape[1] != whole.shape[2]:
        return None
    ldj = log_abs_det(whole)[1] - noise.log_density.double().flatten(1).sum(1)
    return ldj if bool(ldj.isfinite().all()) else None
