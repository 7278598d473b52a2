"""Finding out how a layer wants to be called: convention, shape, domain and precision.

Signatures and facts only suggest; a trial run decides. Every trial runs on a copy of its
own, and the first combination that runs and reports in the promised form is taken.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ldjcheck.domains import GUESSES, TAMEST, inside, integer_guesses
from ldjcheck.errors import CannotCheckError
from ldjcheck.measure.failures import Failures
from ldjcheck.measure.glances import (
    couples,
    is_noisy,
    keeps_volume,
    leaves_domain,
    off_by,
    repeats_every,
    reported_otherwise,
    rounds_back,
    stretch,
    takes_effect,
    takes_one_batch,
    usual_input,
)
from ldjcheck.measure.guard import Frozen
from ldjcheck.measure.isolate import is_modal
from ldjcheck.measure.runner import LayerRaisedError, Outcome, UnexpectedReturnError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.measure.prepare import Workshop
    from ldjcheck.records import Calls, Direction, Domain, Shape

# How well a trial went.
_GOOD, _SCALAR, _ONE_WAY, _COUPLED, _ODD, _RESIZED, _RESIZED_ONE_WAY = range(7)
_NEAR = 1.0  # how far noise may carry whole numbers that are rounded down


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A way of calling the layer that works."""

    calls: Calls
    shape: Shape
    why_shape: str
    domain: Domain
    why_domain: str
    workshop: Workshop
    float32_only: str | None = None
    odd: bool = False  # it runs, and what it returns has not the promised form
    resized: bool = False  # other dims come out than went in
    refused: str | None = None  # what it raises unless a call in training went before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    quality: int
    outcome: Outcome
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """How well a layer runs at a shape, and where."""

    quality: int
    domain: Domain
    why: str
    refused: str | None = None


def settle(
    workshop: Workshop,
    candidates: tuple[Calls, ...],
    shapes: tuple[tuple[Shape, str], ...],
    batch_of: dict[Shape, int],
) -> Settled:
    """Return the first way of calling that works, the best one where several do.

    Raises:
        CannotCheckError: LDJ004 when what came back fits no convention, LDJ005 when the
            layer raised the same at every try, LDJ006 when each try failed otherwise.
    """
    failures = Failures()
    best: tuple[int, Settled] | None = None
    for promote in (True, False) if workshop.promote else (False,):
        shop = replace(workshop, promote=promote)
        for variants in _by_convention(candidates):
            for calls, (shape, why) in itertools.product(variants, shapes):
                found = _try_domains(shop, calls, shape, batch_of[shape], failures)
                if found is None:
                    continue
                quality, domain = found.quality, found.domain
                ready = shop
                if calls.keeps_volume and not keeps_volume(
                    shop, calls, shape, batch_of[shape], domain
                ):
                    continue
                if found.refused is not None:
                    ready = replace(shop, primed=domain)
                if len(shapes) > 1:
                    at = ready, calls, shape, batch_of[shape], domain
                    quality = _graded(quality, *at)
                settled = Settled(
                    calls=calls, shape=shape, why_shape=why, domain=domain,
                    why_domain=found.why, workshop=replace(ready, at=shape),
                    odd=quality > _SCALAR, resized=quality >= _RESIZED,
                    refused=found.refused,
                    float32_only=None if promote or not workshop.promote
                    else failures.first_reason(),
                )  # fmt: skip
                if quality <= _SCALAR:
                    return settled
                if best is None or quality < best[0]:
                    best = (quality, settled)
            if best is not None and best[0] <= _ODD:
                break
        if best is not None:
            return best[1]
    raise failures.error(candidates, explicit=len(shapes) == 1)


def _graded(
    quality: int,
    workshop: Workshop,
    calls: Calls,
    shape: Shape,
    batch: int,
    domain: Domain,
) -> int:
    """Return how well a trial went, the way back and other batches looked at as well."""
    at = workshop, calls, shape, batch, domain
    if quality <= _SCALAR and (takes_one_batch(*at) or couples(*at)):
        return _COUPLED  # the batch was taken for the event, it may be
    if quality <= _SCALAR and _fails_on_the_way_back(*at):
        return _ONE_WAY
    if quality == _RESIZED and _fails_on_the_way_back(*at):
        return _RESIZED_ONE_WAY
    return quality


def _by_convention(candidates: tuple[Calls, ...]) -> Iterator[tuple[Calls, ...]]:
    """Yield the ways of calling by one convention together.

    What a layer returns in an odd form is a mistake by the convention that it follows, and
    none of another convention's business.
    """
    for _, variants in itertools.groupby(candidates, key=lambda c: c.convention):
        yield tuple(variants)


def runs(settled: Settled, shape: Shape, batch: int) -> bool:
    """Return whether the layer also takes this shape, and reports as well as before."""
    try:
        trial = _try(settled.workshop, settled.calls, shape, batch, settled.domain)
    except (LayerRaisedError, UnexpectedReturnError):
        return False
    return trial.quality <= _SCALAR and bool(torch.isfinite(trial.outcome.y).all())


def listens_to_context(settled: Settled) -> bool:
    """Return whether the output depends on what is fed beside the input."""
    batch = settled.workshop.options.batch
    at = settled.calls, settled.shape, batch, settled.domain
    return takes_effect(settled.workshop, *at)


def otherwise(
    settled: Settled, how: Literal["training", "without gradients"]
) -> tuple[Tensor, Tensor] | None:
    """Return the usual ldj and that of a call made otherwise, if the map is one."""
    batch = settled.workshop.options.batch
    at = settled.calls, settled.shape, batch, settled.domain
    return reported_otherwise(settled.workshop, *at, how)


def returned_shapes(settled: Settled, batch: int) -> tuple[Shape, Shape, Shape] | None:
    """Return the shapes of a batch, of the output, and of the ldj as it comes back.

    None when the layer does not run any more.
    """
    shape, domain = settled.shape, settled.domain
    try:
        trial = _try(settled.workshop, settled.calls, shape, batch, domain)
    except (LayerRaisedError, UnexpectedReturnError):
        return None
    y, raw = trial.outcome.y, trial.outcome.raw
    return (batch, *shape), tuple(y.shape), tuple(getattr(raw, "shape", ()))


def _try_domains(
    workshop: Workshop, calls: Calls, shape: Shape, batch: int, failures: Failures
) -> _Found | None:
    """Return how well the layer runs at this shape, and in which domain."""
    given = workshop.options.domain
    choices: tuple[Domain, ...]
    declared = calls.domain if calls.forward is not None else calls.codomain
    if given is not None:
        choices, why = (given,), "as you said"
    elif declared is not None:
        choices, why = (declared,), "declared by the layer"
        if calls.domain_derived:
            choices += inside(declared)
    else:
        choices, why = GUESSES, "the first domain where the output is finite"
    fallback: _Found | None = None
    folded: _Found | None = None
    for domain in choices:
        try:
            trial = _try(workshop, calls, shape, batch, domain)
        except LayerRaisedError as error:
            known = failures.raised(calls, shape, domain, error)
            first = domain == choices[0] and len(choices) > 1
            if first and (known or _raises(workshop, calls, shape, batch, failures)):
                break
            continue
        except UnexpectedReturnError as error:
            failures.returned(str(error))
            return None
        if torch.isfinite(trial.outcome.y).all():
            if given is None and calls.forward is not None:
                repeats = repeats_every(workshop, calls, shape, batch, domain)
                if repeats is not None:
                    why = f"it repeats every {repeats:g}"
                    return _found(trial, stretch(repeats), why)
            if given is None and declared is None and calls.forward is not None:
                whole = _whole_numbers(workshop, calls, shape, batch, domain, trial)
                if whole is not None:
                    return _found(trial, whole, "it adds noise to whole numbers")
                if not _is_finite(trial.outcome.reported) and leaves_domain(
                    workshop, calls, shape, batch, domain, trial.outcome
                ):
                    folded = folded or _found(trial, domain, why)
                    why = "the first domain where the map is one to one"
                    continue
            if declared is not None and domain != declared:
                why = "inside the declared one: the first where the output is finite"
            return _found(trial, domain, why)
        odd = replace(trial, quality=max(trial.quality, _ODD))
        fallback = fallback or _found(odd, domain, why)
    if folded is not None:
        return folded
    if fallback is not None and given is None and declared is None:
        for domain in integer_guesses(workshop.layer.obj):
            try:
                trial = _try(workshop, calls, shape, batch, domain)
            except (LayerRaisedError, UnexpectedReturnError):
                continue
            if torch.isfinite(trial.outcome.y).all():
                why = "the output is finite on whole numbers only"
                return _found(trial, domain, why)
    return fallback


def _found(trial: _Trial, domain: Domain, why: str) -> _Found:
    return _Found(quality=trial.quality, domain=domain, why=why, refused=trial.refused)


def _raises(
    workshop: Workshop,
    calls: Calls,
    shape: Shape,
    batch: int,
    failures: Failures,
) -> bool:
    """Return whether the layer raises wherever its inputs live."""
    try:
        _try(workshop, calls, shape, batch, TAMEST)
    except LayerRaisedError as error:
        failures.raised(calls, shape, TAMEST, error)
        return True
    except UnexpectedReturnError:
        return False
    return False


def _whole_numbers(
    workshop: Workshop,
    calls: Calls,
    shape: Shape,
    batch: int,
    domain: Domain,
    trial: _Trial,
) -> Domain | None:
    """Return the integer domain of a layer that dequantizes, or None.

    Such a layer draws noise in [0, 1) on the way there and rounds on the way back.
    """
    if not trial.outcome.draws or not is_noisy(workshop, calls, shape, batch, domain):
        return None
    if calls.inverse is not None:
        back = rounds_back(workshop, calls, shape, batch, domain)
        if back is False:
            return None
    near: Domain | None = None  # noise may leave its cell
    for choice in integer_guesses(workshop.layer.obj):
        try:
            again = _try(workshop, calls, shape, batch, choice)
        except (LayerRaisedError, UnexpectedReturnError):
            continue
        if not torch.isfinite(again.outcome.y).all() or again.quality > trial.quality:
            continue
        off = 0.0
        if calls.inverse is not None:
            off = off_by(workshop, calls, shape, batch, choice)
        if off == 0.0:
            return choice
        if off <= _NEAR:
            near = near or choice
    return near


def _fails_on_the_way_back(
    workshop: Workshop, calls: Calls, shape: Shape, batch: int, domain: Domain
) -> bool:
    """Return whether only the way back raises: it may be made for another kind of input."""
    if calls.forward is None or calls.inverse is None:
        return False
    x = usual_input(workshop, shape, batch, domain)
    runner = workshop.runner(calls, shape, batch, warm_up=x, seed=workshop.options.seed)
    try:
        y = runner.run("forward", x, Frozen()).y.detach()
    except (LayerRaisedError, UnexpectedReturnError):
        return False
    try:
        runner.run("inverse", y, Frozen())
    except LayerRaisedError as error:
        return not error.means_absent
    except UnexpectedReturnError:
        return False
    return False


def _is_finite(reported: Tensor | None) -> bool:
    return reported is None or bool(torch.isfinite(reported).all())


def _try(
    workshop: Workshop, calls: Calls, shape: Shape, batch: int, domain: Domain
) -> _Trial:
    direction: Direction = "forward" if calls.forward is not None else "inverse"
    x = usual_input(workshop, shape, batch, domain)
    runner = workshop.runner(calls, shape, batch, seed=workshop.options.seed)
    outcome, refused = None, None
    try:
        outcome = runner.run(direction, x, Frozen())
    except LayerRaisedError as error:
        if not error.means_absent:
            outcome = _after_training(workshop, calls, shape, domain, x)
            refused = str(error)
            if outcome is None:
                raise
        elif calls.inverse is None or direction == "inverse":
            raise
    if outcome is None:
        outcome = runner.run("inverse", x, Frozen())
    if outcome.y.is_complex():
        raise CannotCheckError(
            "LDJ004",
            "The layer returns complex numbers, and only real maps are checked.",
            ("View them as pairs of real ones: torch.view_as_real, torch.stack.",),
        )
    if outcome.raw is None:
        raise UnexpectedReturnError(f"{_shown(outcome.y)} and no ldj")
    if not outcome.y.numel():  # all of so small an event was dropped
        raise UnexpectedReturnError(_shown(outcome.y))
    return _Trial(quality=_quality(calls, outcome, x), outcome=outcome, refused=refused)


def _after_training(
    workshop: Workshop, calls: Calls, shape: Shape, domain: Domain, x: Tensor
) -> Outcome | None:
    """Return the outcome after one call in training; None where it raises all the same.

    Layers that initialise themselves from their first batch may refuse to be used before.
    """
    if workshop.primed is not None or calls.forward is None:
        return None
    if not is_modal(workshop.layer.obj):
        return None
    primed = replace(workshop, primed=domain)
    runner = primed.runner(calls, shape, len(x), seed=workshop.options.seed)
    try:
        return runner.run("forward", x, Frozen())
    except (LayerRaisedError, UnexpectedReturnError):
        return None


def _shown(y: Tensor) -> str:
    return f"an output of shape {tuple(y.shape)}"


def _quality(calls: Calls, outcome: Outcome, x: Tensor) -> int:
    if outcome.y.numel() != x.numel():
        return _RESIZED
    if outcome.form is not None or outcome.y.shape[:1] != x.shape[:1]:
        return _ODD
    entries: int = getattr(outcome.raw, "ndim", 0)
    if calls.column and entries > 2:
        return _COUPLED  # an entry for each event, of which there may be several
    one_number = entries == 0
    return _SCALAR if one_number else _GOOD
