"""Both directions of a layer at one configuration, and the way there and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.domains import draw
from ldjcheck.errors import NoBaseError
from ldjcheck.measure.between import has_one_image, is_spanned_by_noise
from ldjcheck.measure.direction import measure_direction
from ldjcheck.measure.folds import period_of
from ldjcheck.measure.guard import Frozen
from ldjcheck.measure.losses import with_losses
from ldjcheck.measure.making_up import making_up
from ldjcheck.measure.noise import noise_of
from ldjcheck.measure.normalised import keep_up
from ldjcheck.measure.runner import LayerRaisedError, Runner, UnexpectedReturnError
from ldjcheck.records import (
    Calls,
    Config,
    ConfigMeasured,
    Direction,
    DirectionMeasured,
    Domain,
    Unavailable,
)
from ldjcheck.tolerance import (
    MACHINE_EPSILON,
    hides_mistakes,
    round_trip_allowed,
)

if TYPE_CHECKING:
    from ldjcheck.measure.prepare import Workshop

_PREIMAGE = 1e-3  # a way back that misses by more is no way to find the preimage


def measure_config(workshop: Workshop, calls: Calls, config: Config) -> ConfigMeasured:
    """Return what both directions say and what is true; raises nothing of the layer's."""
    options = workshop.options
    runner, x, generator = ready(workshop, calls, config)
    wants_forward = options.direction in ("both", "forward")
    wants_inverse = options.direction in ("both", "inverse")
    forward: DirectionMeasured | Unavailable = Unavailable(
        direction="forward", why="there is no forward direction"
    )
    if calls.forward is not None:
        forward = _measured(runner, "forward", x, workshop)
        forward = _with_losses(runner, workshop, config, forward)
    inverse: DirectionMeasured | Unavailable = Unavailable(
        direction="inverse", why="there is no way back"
    )
    if calls.inverse is not None and wants_inverse:
        y = _inverse_input(forward, calls, config, generator, x.dtype)
        if y is not None:
            inverse = _measured(runner, "inverse", y, workshop)
            inverse = _with_losses(runner, workshop, config, inverse)
            if isinstance(inverse, DirectionMeasured) and calls.departures:
                inverse = making_up(runner, inverse, workshop.options)
            elif isinstance(inverse, DirectionMeasured):
                inverse = _with_round_trip(runner, inverse, forward, workshop)
                inverse = _as_meant(runner, inverse, forward, workshop)
                forward = _by_the_way_back(forward, inverse)
    elif not wants_inverse:
        inverse = Unavailable(direction="inverse", why="not asked for")
    if isinstance(forward, DirectionMeasured) and not _may_round(forward, inverse):
        forward = replace(forward, anchored=False)
    if not wants_forward:
        forward = Unavailable(direction="forward", why="not asked for")
    return ConfigMeasured(config=config, forward=forward, inverse=inverse)


def ready(
    workshop: Workshop, calls: Calls, config: Config
) -> tuple[Runner, Tensor, torch.Generator]:
    """Return a runner set up as the configuration says, its inputs, and what drew them."""
    generator = torch.Generator().manual_seed(
        1_000_003 * (config.seed + 1) + config.batch
    )
    dtype = torch.float64 if workshop.promote else torch.float32
    at = config.domain, config.shape, config.batch
    warm_up = draw(*at, "usual", generator).to(dtype)
    x = draw(*at, config.region, generator).to(dtype)
    if config.reach != 1.0:
        x = config.reach * x
    runner = workshop.runner_at(calls, config, warm_up)
    if config.draw and workshop.options.mode != "train":
        keep_up(runner.layer)  # in training, each call does so itself, and is seen to
    return runner, x, generator


def _measured(
    runner: Runner, direction: Direction, x: Tensor, workshop: Workshop
) -> DirectionMeasured | Unavailable:
    try:
        return measure_direction(
            runner, direction, x, workshop.options, behaviour=workshop.behaviour
        )
    except LayerRaisedError as error:
        if isinstance(error.error, NoBaseError):
            unseen = f"TypeError: {error.error}"
            return Unavailable(direction=direction, why=unseen, raised=(unseen,))
        raised = () if error.means_absent else error.lines
        return Unavailable(direction=direction, why=str(error), raised=raised)
    except UnexpectedReturnError as error:
        return Unavailable(direction=direction, why=str(error), raised=(str(error),))


def _with_losses(
    runner: Runner,
    workshop: Workshop,
    config: Config,
    side: DirectionMeasured | Unavailable,
) -> DirectionMeasured | Unavailable:
    """Return the measurement with what is lost on the way allowed, if the numbers part."""
    if not isinstance(side, DirectionMeasured) or not is_apart(side):
        return side
    options = workshop.options
    if not workshop.losses or (options.atol, options.rtol) != (None, None):
        return side
    return with_losses(runner, config, side)


def _inverse_input(
    forward: DirectionMeasured | Unavailable,
    calls: Calls,
    config: Config,
    generator: torch.Generator,
    dtype: torch.dtype,
) -> Tensor | None:
    """Return points for the way back: images of the forward map where there is one."""
    if isinstance(forward, DirectionMeasured):
        y = forward.y
        usable = y.dim() and len(y) == config.batch and bool(torch.isfinite(y).all())
        return y.clone() if usable else None
    domain = calls.codomain or Domain(kind="real")
    return draw(domain, config.shape, config.batch, config.region, generator).to(dtype)


def _with_round_trip(
    runner: Runner,
    inverse: DirectionMeasured,
    forward: DirectionMeasured | Unavailable,
    workshop: Workshop,
) -> DirectionMeasured:
    """Add how far inverse(f(x)) is from x; find the exact value there where it is not known.

    An inverse that solves an equation numerically has no useful derivative of its own, or
    one that is good to the solver's last step only; the exact value is then minus the
    forward one at the preimage that it found.
    """
    if not isinstance(forward, DirectionMeasured):
        return inverse
    if inverse.y.shape != forward.x.shape or _drops_dims(forward):
        return inverse
    gap = (inverse.y.double() - forward.x.double()).abs()
    off = float(gap.max()) if torch.isfinite(gap).all() else float("inf")
    allowed = _round_trip_allowed(
        forward, inverse, "float32" if runner.constants else forward.dtype
    )
    if off > allowed and not inverse.rounding_seen:
        off = _off_by_turns(runner, forward.x, inverse.y, off)
    inverse = replace(inverse, round_trip=off, residual=off, round_trip_allowed=allowed)
    if off > allowed:
        noise = None
        if not is_apart(inverse):
            epsilon = MACHINE_EPSILON[forward.dtype]
            noise = noise_of(runner, forward, inverse, epsilon)
        if noise is not None:
            inverse = replace(inverse, noise=noise.ends)
        if noise is not None and noise.excuses:  # the way back does nothing wrong
            inverse = replace(inverse, round_trip_allowed=off)
        elif forward.wrt == "noise" and inverse.rounding_seen:
            if has_one_image(runner, forward.x, inverse.y):
                inverse = _of_dropped_bits(inverse, forward)
        elif forward.wrt == "input" and is_spanned_by_noise(runner, forward.x, allowed):
            inverse = replace(inverse, round_trip_allowed=off)
    derivable = inverse.method != "differences" and inverse.anchored
    if (
        (derivable and not is_apart(inverse))
        or inverse.rounding_seen
        or forward.wrt == "noise"
        or off > _PREIMAGE
    ):
        return inverse
    at = _measured(runner, "forward", inverse.y, workshop)
    if not isinstance(at, DirectionMeasured) or at.exact is None or not at.anchored:
        return inverse
    assert at.allowed is not None
    residual = 10.0 * off * at.x[0].numel()
    found = replace(
        inverse,
        exact=-at.exact,
        allowed=at.allowed + residual,
        jacobian=None,
        shares=None if at.shares is None else -at.shares,
        structure=at.structure,
        method="preimage",
        anchored=True,
    )
    if derivable and (is_apart(found) or not _stops_early(inverse, found)):
        return inverse
    return found


def _of_dropped_bits(
    inverse: DirectionMeasured, forward: DirectionMeasured
) -> DirectionMeasured:
    """Return a way back to one of the numbers that have one image, which is all it can.

    It stretches by the bits that were dropped as well, and may count them or not.
    """
    inverse = replace(inverse, round_trip=0.0, residual=0.0)  # from image to image
    if not _is_minus(inverse, forward) or forward.exact is None:
        return inverse
    return replace(
        inverse,
        exact=-forward.exact,
        jacobian=None,
        shares=None if forward.shares is None else -forward.shares,
        structure=forward.structure,
        method="preimage",
    )


def _as_meant(
    runner: Runner,
    inverse: DirectionMeasured,
    forward: DirectionMeasured | Unavailable,
    workshop: Workshop,
) -> DirectionMeasured:
    """Return a way back that leads elsewhere, and whether its ldj is that of one that does not.

    Minus the forward ldj at the right point, or where a solver stopped, is what it is meant
    to be: it is the map that is wrong then, and not its ldj.
    """
    off, allowed = inverse.round_trip, inverse.round_trip_allowed
    if off is None or allowed is None or off <= allowed or not is_apart(inverse):
        return inverse
    if not isinstance(forward, DirectionMeasured):
        return inverse
    meant = _is_minus(inverse, forward)
    if not meant:
        at = _measured(runner, "forward", inverse.y, replace(workshop, behaviour=False))
        meant = isinstance(at, DirectionMeasured) and _is_minus(inverse, at)
    return replace(inverse, meant=meant)


def _is_minus(inverse: DirectionMeasured, forward: DirectionMeasured) -> bool:
    """Return whether what the way back reports is minus what is true of the way there."""
    if inverse.reported is None or inverse.allowed is None or forward.exact is None:
        return False
    if forward.allowed is None or not forward.anchored:
        return False
    off = (inverse.reported + forward.exact).abs()
    return bool((off <= inverse.allowed + forward.allowed).all())


def _by_the_way_back(
    forward: DirectionMeasured | Unavailable, inverse: DirectionMeasured
) -> DirectionMeasured | Unavailable:
    """Return a forward direction that solves for the way back, judged by that.

    Its own derivative is that of the steps that the solver took. Where it stopped early,
    which the way there and back shows, and the difference is no more than this explains,
    the exact value is minus that of the way back at the point where it stopped.
    """
    off = inverse.round_trip
    if not isinstance(forward, DirectionMeasured) or off is None or off > _PREIMAGE:
        return forward
    forward = replace(forward, residual=off)
    if not is_apart(forward):
        return forward
    if inverse.exact is None or inverse.allowed is None or not inverse.anchored:
        return forward
    if inverse.method in ("preimage", "differences") or is_apart(inverse):
        return forward
    if float(inverse.allowed.max()) > hides_mistakes(forward.x[0].numel()):
        return forward  # what proves nothing is no judge
    found = replace(
        forward,
        exact=-inverse.exact,
        allowed=inverse.allowed,  # at the point itself, so that no residual is left
        jacobian=None,
        shares=None if inverse.shares is None else -inverse.shares,
        structure=inverse.structure,
        method="preimage",
    )
    wide = replace(found, allowed=inverse.allowed + 10.0 * off * forward.x[0].numel())
    return found if _stops_early(forward, wide) and not is_apart(found) else forward


def _off_by_turns(runner: Runner, x: Tensor, back: Tensor, off: float) -> float:
    """Return how far the way back is from x where whole turns of a circle do not count.

    A map that repeats itself has one image for both ends of a turn.
    """
    if not x.is_floating_point() or not back.is_floating_point():
        return off

    def around(at: Tensor) -> Tensor:
        y = runner.run("forward", at, Frozen()).y.detach()
        return runner.run("inverse", y, Frozen()).y.detach()

    try:
        turn = period_of(around, x, back)
    except (LayerRaisedError, UnexpectedReturnError):
        return off
    if turn is None:
        return off
    gap = (back.double() - x.double()) / turn
    return turn * float((gap - gap.round()).abs().max())


def _drops_dims(side: DirectionMeasured) -> bool:
    """Return whether the output has fewer entries: what is dropped cannot come back."""
    return side.y[0].numel() < side.x[0].numel()


def _may_round(
    forward: DirectionMeasured, inverse: DirectionMeasured | Unavailable
) -> bool:
    """Return whether rounding may be seen through: where the way back adds the noise.

    A map that rounds real numbers, and that nothing undoes, has no Jacobian but zero.
    """
    undone = isinstance(inverse, DirectionMeasured) and inverse.wrt == "noise"
    return undone or not forward.rounding_seen


def is_apart(side: DirectionMeasured) -> bool:
    """Return whether a sample's reported and exact value part by more than is allowed.

    A sample that has no finite exact value says nothing: its map has saturated there.
    """
    if side.reported is None or side.exact is None or side.allowed is None:
        return False
    off = (side.reported - side.exact).abs() > side.allowed
    return bool((off & torch.isfinite(side.exact)).any())


def _stops_early(inverse: DirectionMeasured, found: DirectionMeasured) -> bool:
    """Return whether the solver's residual explains what its own derivative is off by."""
    assert inverse.exact is not None
    assert found.exact is not None
    assert found.allowed is not None
    return bool(((inverse.exact - found.exact).abs() <= found.allowed).all())


def _round_trip_allowed(
    forward: DirectionMeasured, inverse: DirectionMeasured, dtype: str
) -> float:
    if inverse.rounding_seen or not inverse.y.is_floating_point():
        return 1e-6  # whole numbers
    if forward.jacobian is None:
        return 1e-6
    smallest = min(
        (float(torch.linalg.matrix_norm(j, ord=-2)) for j in forward.jacobian),
        default=1.0,
    )
    return round_trip_allowed(
        x=float(forward.x.abs().max()),
        y=float(forward.y.abs().max()),
        contraction=smallest,
        epsilon=MACHINE_EPSILON[dtype],
    )
