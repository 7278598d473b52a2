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
from ldjcheck.measure.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.measure.failures import Failures, Lessons
from ldjcheck.measure.glances import (
    at_a_glance,
    is_noisy,
    keeps_volume,
    leads_back_into,
    leaves_domain,
    mixes_contexts,
    off_by,
    repeats_every,
    reported_otherwise,
    rounds_back,
    stretch,
    takes_effect,
)
from ldjcheck.measure.spreads import Spreads
from ldjcheck.measure.trial import Quality, Trial, graded, tried
from ldjcheck.tolerance import is_once_more

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.measure.prepare import Workshop
    from ldjcheck.records import Calls, Domain, Shape

_EXACT = 1e-9  # of whole numbers: what a scale there and back leaves
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
class _Found:
    """How well a layer runs at a shape, and where."""

    quality: Quality
    domain: Domain
    why: str
    refused: str | None = None


def settle(
    workshop: Workshop,
    candidates: tuple[Calls, ...],
    shapes: tuple[tuple[Shape, str], ...],
    batch_of: dict[Shape, int],
    lessons: Lessons | None = None,
) -> Settled:
    """Return the first way of calling that works, the best one where several do.

    What does not run in float64 is tried in float32, unless no size fits at all. `lessons`
    are what tries with other contexts taught.

    Raises:
        CannotCheckError: LDJ004 when what came back fits no convention, LDJ005 when the
            layer raised the same at every try, LDJ006 when each try failed otherwise.
    """
    failures = Failures(lessons)
    best: tuple[Quality, Settled] | None = None
    for promote in (True, False) if workshop.promote else (False,):
        if workshop.promote and not promote and failures.all_about_sizes():
            break
        shop = replace(workshop, promote=promote)
        for variants in _by_convention(candidates):
            for calls, (shape, why) in itertools.product(variants, shapes):
                if not shape and best is not None and best[0] <= Quality.ODD:
                    continue  # a single number leaves nothing to be summed
                if failures.is_no_way(calls):
                    continue
                again = workshop.promote and not promote
                if again and failures.precision_is_no_matter(shop, calls, shape):
                    continue
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
                    quality = graded(quality, *at)
                if quality is Quality.ONE_BATCH:
                    failures.one_batch(shape, batch_of[shape])
                    continue
                settled = Settled(
                    calls=calls, shape=shape, why_shape=why, domain=domain,
                    why_domain=found.why, workshop=replace(ready, at=shape),
                    odd=not quality.is_fit, resized=quality.is_resized,
                    refused=found.refused,
                    float32_only=None if promote or not workshop.promote
                    else failures.first_reason(),
                )  # fmt: skip
                if quality.is_fit:
                    return settled
                if best is None or quality < best[0]:
                    best = (quality, settled)
            if best is not None and not best[0].is_resized:
                break
        if best is not None:
            return best[1]
    raise failures.error(candidates, explicit=len(shapes) == 1)


def _by_convention(candidates: tuple[Calls, ...]) -> Iterator[tuple[Calls, ...]]:
    """Yield the ways of calling by one convention together.

    What a layer returns in an odd form is a mistake by the convention that it follows, and
    none of another convention's business.
    """
    for _, variants in itertools.groupby(candidates, key=lambda c: c.convention):
        yield tuple(variants)


def runs(settled: Settled, shape: Shape, batch: int, usual: int) -> bool:
    """Return whether the layer also takes this shape, and reports as well as before.

    It does not where parts are spread over each other that fit at the layer's own shape,
    where `usual` is the size of a batch.
    """
    shop, calls, domain = settled.workshop, settled.calls, settled.domain
    with Spreads(batch) as there:
        try:
            trial = tried(shop, calls, shape, batch, domain)
        except (LayerRaisedError, UnexpectedReturnError):
            return False
    if not trial.quality.is_fit or not torch.isfinite(trial.outcome.y).all():
        return False
    if not there.seen:
        return True
    with Spreads(usual) as here:
        tried(shop, calls, settled.shape, usual, domain)
    return not there.seen - here.seen


def looks_for_axes(settled: Settled, batch: int) -> bool:
    """Return whether the layer would put axes behind the event's into one, if there were."""
    noted = Spreads(batch)
    with noted:
        tried(settled.workshop, settled.calls, settled.shape, batch, settled.domain)
    return noted.opened


def listens_to_context(settled: Settled) -> bool:
    """Return whether the output depends on what is fed beside the input."""
    batch = settled.workshop.options.batch
    at = settled.calls, settled.shape, batch, settled.domain
    return takes_effect(settled.workshop, *at)


def is_the_same_map(settled: Settled, other: Settled) -> bool:
    """Return whether the layer does and reports the very same, settled in two ways."""
    batch = settled.workshop.options.batch
    at = settled.shape, batch, settled.domain
    one = at_a_glance(settled.workshop, settled.calls, *at)
    two = at_a_glance(other.workshop, other.calls, *at)
    if one is None or two is None:
        return False
    return all(is_once_more(a, b) for a, b in zip(one, two, strict=True))


def parts_contexts(settled: Settled) -> bool:
    """Return whether each sample has a context of its own among what is fed."""
    batch = settled.workshop.options.batch
    at = settled.calls, settled.shape, batch, settled.domain
    return not mixes_contexts(settled.workshop, *at)


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
        trial = tried(settled.workshop, settled.calls, shape, batch, domain)
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
            trial = tried(workshop, calls, shape, batch, domain, failures)
        except LayerRaisedError as error:
            known = failures.raised(workshop, calls, shape, domain, error)
            if domain == choices[0] and len(choices) > 1:
                hopeless = known or error.is_about_sizes
                if hopeless or _raises(workshop, calls, shape, batch, failures):
                    break
            continue
        except UnexpectedReturnError as error:
            failures.returned(workshop, calls, shape, error)
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
                held = None
                if domain.kind == "real":
                    held = leads_back_into(workshop, calls, shape, batch, domain)
                if held is not None:
                    within = tried(workshop, calls, shape, batch, held)
                    return _found(within, held, "the way back leads nowhere else")
                if not _is_finite(trial.outcome.reported) and leaves_domain(
                    workshop, calls, shape, batch, domain, trial.outcome
                ):
                    folded = folded or _found(trial, domain, why)
                    why = "the first domain where the map is one to one"
                    continue
            if declared is not None and domain != declared:
                why = "inside the declared one: the first where the output is finite"
            return _found(trial, domain, why)
        odd = replace(trial, quality=max(trial.quality, Quality.ODD))
        fallback = fallback or _found(odd, domain, why)
    if folded is not None:
        return folded
    if fallback is not None and given is None and declared is None:
        for domain in integer_guesses(workshop.layer.obj):
            try:
                trial = tried(workshop, calls, shape, batch, domain)
            except (LayerRaisedError, UnexpectedReturnError):
                continue
            if torch.isfinite(trial.outcome.y).all():
                why = "the output is finite on whole numbers only"
                return _found(trial, domain, why)
    return fallback


def _found(trial: Trial, domain: Domain, why: str) -> _Found:
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
        tried(workshop, calls, shape, batch, TAMEST, failures)
    except LayerRaisedError as error:
        failures.raised(workshop, calls, shape, TAMEST, error)
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
    trial: Trial,
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
            again = tried(workshop, calls, shape, batch, choice)
        except (LayerRaisedError, UnexpectedReturnError):
            continue
        if not torch.isfinite(again.outcome.y).all() or again.quality > trial.quality:
            continue
        off = 0.0
        if calls.inverse is not None:
            off = off_by(workshop, calls, shape, batch, choice)
        if off <= _EXACT:
            return choice
        if off <= _NEAR:
            near = near or choice
    return near


def _is_finite(reported: Tensor | None) -> bool:
    return reported is None or bool(torch.isfinite(reported).all())
