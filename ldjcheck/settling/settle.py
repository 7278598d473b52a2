"""Finding out how a layer wants to be called: convention, shape, domain and precision.

Signatures and facts only suggest; a trial run decides. Every trial runs on a copy of its
own, and the first combination that runs and reports in the promised form is taken.
"""

import itertools
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from ldjcheck.calling.domains import GUESSES, TAMEST, inside, integer_guesses
from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.records import Calls, Domain, Probe, Shape, TimeIsUpError
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import (
    FailedCallError,
    LayerRaisedError,
    UnexpectedReturnError,
    on_failure,
)
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.broadcasting import Spreads
from ldjcheck.settling.attempts import Failures, Lessons
from ldjcheck.settling.design import choose_batch
from ldjcheck.settling.domains import (
    as_asked,
    at_a_glance,
    changes_nothing,
    drawn_into_output,
    highest_back,
    keeps_volume,
    leads_back_into,
    leaves_domain,
    off_by,
    repeats_every,
    stretch,
)
from ldjcheck.settling.guesses.shapes import Shapes
from ldjcheck.settling.trial import (
    Quality,
    Trial,
    begins_with_column,
    graded,
    spread_in,
    tried,
)

_EXACT = 1e-9  # of whole numbers: what a scale there and back leaves
_NEAR = 1.0  # how far noise may carry whole numbers that are rounded down


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A way of calling the layer that works, and how it was come by."""

    bench: Bench
    why_shape: str
    why_domain: str
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
    start: Bench,
    candidates: tuple[Calls, ...],
    shapes: Shapes,
    lessons: Lessons | None = None,
) -> Settled:
    """Return the first way of calling that works, the best one where several do.

    What does not run in float64 is tried in float32, unless no size fits at all. `lessons`
    are what tries with other contexts taught.

    Raises:
        CannotCheckError: LDJ004 when what came back fits no convention, LDJ005 when the
            layer raised the same at every try, LDJ006 when each try failed otherwise.
        TimeIsUpError: the time of the check is over; it says what was tried.
    """
    failures = Failures(lessons)
    try:
        return _settled(start, candidates, shapes, failures)
    except TimeIsUpError as error:
        raise TimeIsUpError(failures.tried(), within=error.within) from None


def _settled(
    start: Bench, candidates: tuple[Calls, ...], shapes: Shapes, failures: Failures
) -> Settled:
    best: tuple[Quality, Settled] | None = None
    for promote in (True, False) if start.promote else (False,):
        falls_back = start.promote and not promote
        if falls_back and failures.all_about_sizes():
            break
        # What a layer returns in an odd form is a mistake by the convention that it
        # follows, and none of another convention's business.
        for _, variants in itertools.groupby(candidates, key=lambda c: c.convention):
            asked, ways = [*shapes], tuple(variants)
            pairs = (((shape, why), calls) for shape, why in asked for calls in ways)
            for (shape, why), calls in pairs:
                if not shape and best is not None and _tells_more(*best):
                    continue
                if failures.is_no_way(calls):
                    continue
                bench = replace(_at(start, shape), promote=promote, calls=calls)
                if falls_back and failures.precision_is_no_matter(bench):
                    continue
                found = _try_domains(bench, failures)
                if found is None:
                    continue
                if found.quality is Quality.ODD and begins_with_column(bench):
                    bench = replace(bench, calls=replace(calls, column=True))
                    found = _try_domains(bench, failures) or found
                quality, bench = found.quality, replace(bench, domain=found.domain)
                if calls.keeps_volume and not keeps_volume(bench):
                    continue
                if found.refused is not None:
                    bench = replace(bench, primed=found.domain)
                if len(shapes) > 1:
                    quality = graded(quality, bench)
                    is_first = (shape, why) in shapes  # what is opened opens nothing
                    opened = _opened(bench) if is_first and not quality.is_fit else None
                    if opened is not None and all(opened != s for s, _ in asked):
                        asked.append((opened, f"what {shape} comes back as"))
                if quality is Quality.ONE_BATCH:
                    failures.one_batch(bench)
                    continue
                if quality is Quality.SPREAD:
                    failures.spread(bench, spread_in(bench))
                    continue
                settled = Settled(
                    bench=replace(bench, fed_at=shape),
                    why_shape=why,
                    why_domain=found.why,
                    odd=not quality.is_fit,
                    resized=quality.is_resized,
                    refused=found.refused,
                    float32_only=failures.first_reason() if falls_back else None,
                )
                if quality.is_fit:
                    return settled
                if best is None or quality < best[0]:
                    best = (quality, settled)
            if best is not None and not best[0].is_resized:
                break
        if best is not None:
            return best[1]
    raise failures.error(candidates, explicit=len(shapes) == 1)


@on_failure(False)
def runs(bench: Bench, shape: Shape) -> bool:
    """Return whether the layer also takes this shape, and reports as well as before.

    It does not where parts are spread over each other, or left unread, that fit at the
    layer's own shape.
    """
    larger = _at(bench, shape)
    with Spreads(larger.batch) as there:
        trial = tried(larger)
    if not trial.quality.is_fit or not torch.isfinite(trial.outcome.y).all():
        return False
    if not (there.seen or there.unread):
        return True
    with Spreads(bench.batch) as here:
        tried(bench)
    # What is spread over the width of one row is spread over further rows as well.
    seen, known = there.seen, here.seen | here.single
    if len(shape) != len(bench.shape):  # then axes cannot be told by their numbers
        seen, known = {(at, 0) for at, _ in seen}, {(at, 0) for at, _ in known}
    return not seen - known and there.unread <= here.unread


def _opened(bench: Bench) -> Shape | None:
    """Return what an event has become that came back larger; None elsewhere.

    With more axes, or more entries along one of size one: so it does where it was spread
    over what the layer holds, as a mask of rows, or scales.
    """
    known = returned_shapes(bench)
    if known is None or len(known[1]) <= len(bench.shape):
        return None
    opened, before = known[1][1:], bench.shape
    kept = len(opened) > len(before) or all(
        n in (1, after) for n, after in zip(before, opened, strict=True)
    )
    return opened if kept and opened != before else None


def _at(bench: Bench, shape: Shape) -> Bench:
    """Return the bench at another shape, with a batch that is told from its axes."""
    return replace(bench, shape=shape, batch=choose_batch(bench.options.batch, shape))


@on_failure(False)
def _tells_more(quality: Quality, settled: Settled) -> bool:
    """Return whether an event of axes tells more than one number, where nothing is summed.

    It does unless its size is the only one: what maps one number, in a sum of four terms,
    runs for vectors of four as well.
    """
    bench = settled.bench
    if quality > Quality.ODD or len(bench.shape) != 1:
        return quality <= Quality.ODD
    tried(_at(bench, (bench.shape[0] + 1,)))
    return True


@on_failure(False)
def is_finite(bench: Bench) -> bool:
    """Return whether output and ldj are finite on one usual batch."""
    outcome = tried(bench).outcome
    return bool(torch.isfinite(outcome.y).all()) and _is_finite(outcome.reported)


def looks_for_axes(bench: Bench) -> bool:
    """Return whether the layer would put axes behind the event's into one, if there were."""
    noted = Spreads(bench.batch)
    with noted:
        tried(bench)
    return noted.opened


def with_telling_masks(bench: Bench) -> Bench:
    """Return the bench with masks of zeros and ones, where ones leave every input alone.

    A mask of ones tells a coupling that there is nothing to move.
    """
    masked = any("mask" in each.name for each in bench.options.context)
    if not masked or not changes_nothing(bench):
        return bench
    mixed = replace(bench, masks="mixed")
    return bench if changes_nothing(mixed) else mixed


def is_the_same_map(bench: Bench, other: Bench) -> bool:
    """Return whether the layer does and reports the very same, called in two ways."""
    usual = as_asked(bench)
    here = replace(as_asked(other), shape=usual.shape, domain=usual.domain)
    one, two = at_a_glance(usual), at_a_glance(replace(here, batch=usual.batch))
    if one is None or two is None:
        return False
    return all(is_once_more(a, b) for a, b in zip(one, two, strict=True))


@on_failure(None)
def returned_shapes(bench: Bench) -> tuple[Shape, Shape, Shape] | None:
    """Return the shapes of a batch, of the output, and of the ldj as it comes back.

    None when the layer does not run any more.
    """
    outcome = tried(bench).outcome
    y, raw = tuple(outcome.y.shape), tuple(getattr(outcome.raw, "shape", ()))
    return (bench.batch, *bench.shape), y, raw


@on_failure(False)
def asks_elsewhere(bench: Bench, probe: Probe) -> bool:
    """Return whether a model asks its base about as many numbers as it is given, and others.

    It maps x to z then, which may come in parts. An encoder and a mixture have densities as
    well, which are no flow's: one asks about fewer numbers, the other about x itself.
    """
    runner, x, _ = bench.ready(probe)
    z = runner.run("forward", x, Frozen()).y
    return z.numel() == x.numel() and not torch.equal(z.reshape(x.shape), x)


def _try_domains(start: Bench, failures: Failures) -> _Found | None:
    """Return how well the layer runs at this shape, and in which domain."""
    given, calls = start.options.domain, start.calls
    choices: tuple[Domain, ...]
    first = calls.forward or calls.inverse
    declared = None if first is None else first.domain
    if given is not None:
        choices, why = (given,), "as you said"
    elif declared is not None:
        choices, why = (declared,), "declared by the layer"
        if first is not None and first.domain_derived:
            choices += inside(declared)
    elif start.options.inputs is not None:  # they lie where they lie
        choices, why = GUESSES[:1], "that of the samples is not asked for"
    else:
        choices, why = GUESSES, "the first domain where the output is finite"
    fallback: _Found | None = None
    folded: _Found | None = None
    for domain in choices:
        bench = replace(start, domain=domain)
        try:
            trial = tried(bench, failures)
        except LayerRaisedError as error:
            known = failures.raised(bench, error)
            if domain == choices[0] and len(choices) > 1:
                hopeless = error.is_about_sizes or (known and not error.is_of_a_table)
                if hopeless or _raises(start, failures):
                    break
            continue
        except UnexpectedReturnError as error:
            failures.returned(bench, error)
            return None
        if torch.isfinite(trial.outcome.y).all():
            if given is None and calls.forward is not None:
                repeats = repeats_every(bench)
                if repeats is not None:
                    why = f"it repeats every {repeats:g}"
                    return _of_trial(trial, stretch(repeats), why)
            if given is None and declared is None and calls.forward is not None:
                whole = _whole_numbers(bench, trial)
                if whole is not None:
                    return _of_trial(trial, whole, "it adds noise to whole numbers")
                held = None
                if domain.kind == "real":
                    held = leads_back_into(bench)
                if held is not None:
                    within = tried(replace(bench, domain=held))
                    return _of_trial(within, held, "the way back leads nowhere else")
                if not _is_finite(trial.outcome.reported) and leaves_domain(
                    bench, trial.outcome
                ):
                    folded = folded or _of_trial(trial, domain, why)
                    why = "the first domain where the map is one to one"
                    continue
            if declared is not None and domain != declared:
                why = "inside the declared one: the first where the output is finite"
            return _of_trial(trial, domain, why)
        odd = replace(trial, quality=max(trial.quality, Quality.ODD))
        fallback = fallback or _of_trial(odd, domain, why)
    if folded is not None:
        return folded
    if fallback is not None and choices == GUESSES:
        for domain in integer_guesses(start.layer.obj):
            try:
                trial = tried(replace(start, domain=domain))
            except FailedCallError:
                continue
            if torch.isfinite(trial.outcome.y).all():
                why = "the output is finite on whole numbers only"
                return _of_trial(trial, domain, why)
    return fallback


def _of_trial(trial: Trial, domain: Domain, why: str) -> _Found:
    return _Found(quality=trial.quality, domain=domain, why=why, refused=trial.refused)


def _raises(start: Bench, failures: Failures) -> bool:
    """Return whether the layer raises wherever its inputs live."""
    tame = replace(start, domain=TAMEST)
    try:
        tried(tame, failures)
    except LayerRaisedError as error:
        failures.raised(tame, error)
        return True
    except UnexpectedReturnError:
        return False
    return False


def _whole_numbers(bench: Bench, trial: Trial) -> Domain | None:
    """Return the integer domain of a layer that dequantizes, or None.

    Such a layer draws noise in [0, 1) on the way there and rounds on the way back.
    """
    if not trial.outcome.draws or bench.calls.of_noise:
        return None
    if prod(bench.shape) not in drawn_into_output(bench):  # noise for each entry
        return None
    if bench.calls.inverse is not None:
        most = highest_back(bench)
        if most is None:
            return None
        if trial.outcome.y.numel() < bench.batch * prod(bench.shape):
            # Dims left, which the way back draws anew: it cannot lead back to the numbers.
            levels = ((g.high or 0.0, g) for g in integer_guesses(bench.layer.obj))
            enough = [(high, guess) for high, guess in levels if high >= most]
            return min(enough, key=lambda each: each[0])[1] if enough else None
    near: Domain | None = None  # noise may leave its cell
    for choice in integer_guesses(bench.layer.obj):
        there = replace(bench, domain=choice)
        try:
            again = tried(there)
        except FailedCallError:
            continue
        if not torch.isfinite(again.outcome.y).all() or again.quality > trial.quality:
            continue
        off = 0.0 if bench.calls.inverse is None else off_by(there)
        if off <= _EXACT:
            return choice
        if off <= _NEAR:
            near = near or choice
    return near


def _is_finite(reported: Tensor | None) -> bool:
    return reported is None or bool(torch.isfinite(reported).all())
