"""Trial runs: whether a layer runs when it is called so, and how well it reports."""

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from ldjcheck.errors import CannotCheckError, NoOneNoiseError
from ldjcheck.records import Calls, Direction
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import (
    FailedCallError,
    LayerRaisedError,
    UnexpectedReturnError,
    on_failure,
)
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.broadcasting import Spreads
from ldjcheck.running.runner import Outcome
from ldjcheck.running.snapshot.isolation import is_modal
from ldjcheck.settling.attempts import Failures, Lessons
from ldjcheck.settling.domains import couples, raises, takes_one_batch


class Quality(IntEnum):
    """How well a trial went, the best first."""

    GOOD = 0
    SCALAR = 1  # one number for the whole batch
    ONE_WAY = 2  # the way back raises
    COUPLED = 3  # the batch was taken for the event, it may be
    ODD = 4  # what comes back has not the promised form
    RESIZED = 5  # other dims come out than went in
    RESIZED_ONE_WAY = 6
    EMPTY = 7  # a part of the event has no entries, or it is left alone, one entry wide
    ONE_BATCH = 8  # an axis of the layer's own met the batch: no shape of an event
    SPREAD = 9  # other dims come out because one part was spread over another: likewise

    @property
    def is_fit(self) -> bool:
        """Whether it is what the convention promises, both ways."""
        return self <= Quality.SCALAR

    @property
    def is_resized(self) -> bool:
        """Whether other dims come out than went in."""
        return self in (Quality.RESIZED, Quality.RESIZED_ONE_WAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a trial run returned, and how well it went."""

    quality: Quality
    outcome: Outcome
    refused: str | None = None


def graded(quality: Quality, bench: Bench) -> Quality:
    """Return how well a trial went, the way back and other batches looked at as well."""
    if takes_one_batch(bench):
        return Quality.ONE_BATCH
    if quality.is_fit and couples(bench):
        return Quality.COUPLED  # the batch was taken for the event, it may be
    if quality.is_fit and _has_nothing_to_do(bench):
        return Quality.EMPTY
    if quality.is_fit and _fails_on_the_way_back(bench):
        return Quality.ONE_WAY
    if quality == Quality.RESIZED and spread_in(bench):
        return Quality.SPREAD
    if quality == Quality.RESIZED and _fails_on_the_way_back(bench):
        return Quality.RESIZED_ONE_WAY
    return quality


def spread_in(bench: Bench) -> str:
    """Return where parts of the samples are spread over each other; empty if nowhere."""
    with Spreads(bench.batch) as noted:
        tried(bench)
    lines = sorted({place[1] for place in noted.seen if place is not None})
    told = f" in line {lines[0]}" if lines else " somewhere"
    return told if noted.seen else ""


@on_failure(False)
def begins_with_column(bench: Bench) -> bool:
    """Return whether what is passed in as a total is a column, where a layer begins with one.

    A plain call that hands back a column, `(batch, 1)`, does: a total of another shape would
    have every sample meet every total.
    """
    if not bench.calls.accumulates or bench.calls.column or bench.calls.forward is None:
        return False
    x = bench.inputs()
    runner = bench.runner(warm_up=x, seed=bench.options.seed)
    plain = runner.without_total("forward", x)
    said = None if plain is None else plain.ldj
    return isinstance(said, Tensor) and said.shape == (len(x), 1)


def _has_nothing_to_do(bench: Bench) -> bool:
    """Return whether so small an event cannot be parted, or sorted, as the layer does it."""
    noted = Spreads(bench.batch)
    try:
        with noted:
            y = tried(bench).outcome.y
    except FailedCallError:
        return False  # beside what watches; it ran without
    x = bench.inputs()
    empty = noted.empty if 1 in bench.shape else noted.always_empty
    if empty or 1 not in bench.shape or not _is_same(y, x):
        return empty
    # What starts as the identity does so at every size.
    moved = bench.runner(warm_up=x, draw=1, scale=bench.options.params_scale)
    direction: Direction = "forward" if bench.calls.forward else "inverse"
    try:
        return _is_same(moved.run(direction, x, Frozen()).y.detach(), x)
    except FailedCallError:
        return True


def _is_same(y: Tensor, x: Tensor) -> bool:
    as_many = y.numel() == x.numel()
    return as_many and torch.equal(y.reshape(x.shape).double(), x.double())


@on_failure(False)
def _fails_on_the_way_back(bench: Bench) -> bool:
    """Return whether only the way back raises: it may be made for another kind of input."""
    if bench.calls.inverse is None:
        return False
    x = bench.inputs()
    runner = bench.runner(warm_up=x, seed=bench.options.seed)
    return raises(runner, "inverse", runner.output("forward", x))


def tried(bench: Bench, failures: Failures | None = None) -> Trial:
    """Return what one usual batch gives, on a copy of its own.

    `failures` of earlier trials tell what need not be tried once more.

    Raises:
        LayerRaisedError, UnexpectedReturnError: from running the layer.
        CannotCheckError: LDJ004, for an output of complex numbers.
    """
    direction: Direction = "forward" if bench.calls.forward is not None else "inverse"
    known = failures or Failures()
    raised = known.raised_by_call(bench)
    if raised is not None:
        raise raised
    x = bench.inputs()
    runner = bench.runner(seed=bench.options.seed)
    outcome, refused = None, None
    try:
        outcome = runner.run(direction, x, Frozen())
    except LayerRaisedError as error:
        if isinstance(error.error, NoOneNoiseError):
            raise CannotCheckError(
                "LDJ004",
                "I cannot tell how probable what this call draws is.",
                (
                    str(error.error),
                    "A density is checked where one draw, normal, uniform or exponential,",
                    "is made into the whole sample. Of a mixture, or of noise at several",
                    "places, name the flow that the draw goes through.",
                ),
            ) from None
        if not error.means_absent:
            refused = str(error)
            lessons = known.lessons
            if not (error.is_about_sizes or lessons.trained_in_vain(error)):
                outcome = _after_training(bench, x, error, lessons)
            if outcome is None:
                if direction == "forward":
                    known.note_call(bench, error)
                raise
        elif bench.calls.inverse is None or direction == "inverse":
            raise
    if outcome is None:
        outcome = runner.run("inverse", x, Frozen())
    if outcome.y.is_complex():
        raise CannotCheckError(
            "LDJ004",
            "The layer returns complex numbers, and only real maps are checked.",
            ("View them as pairs of real ones: torch.view_as_real, torch.stack.",),
        )
    shown = f"an output of shape {tuple(outcome.y.shape)}"
    says_nothing = bench.calls.plain and not _tells_of_samples(outcome.raw)
    numbers = _is_number(outcome.y, x)
    if outcome.raw is None or says_nothing or numbers:
        raise UnexpectedReturnError(f"{shown} and no ldj", is_foreign=numbers)
    if not outcome.y.numel():  # all of so small an event was dropped
        raise UnexpectedReturnError(shown)
    quality = _quality(bench.calls, outcome, x)
    return Trial(quality=quality, outcome=outcome, refused=refused)


def _after_training(
    bench: Bench, x: Tensor, error: LayerRaisedError, lessons: Lessons
) -> Outcome | None:
    """Return the outcome after one call in training; None where it raises all the same.

    Layers that initialise themselves from their first batch may refuse to be used before.
    """
    if bench.primed is not None or bench.calls.forward is None:
        return None
    if not is_modal(bench.layer.obj):
        return None
    runner = bench.runner(seed=bench.options.seed)
    in_training = bench.warm_up(runner, x)
    if in_training is not None and in_training.trail == error.trail:
        lessons.note_vain(error)
        return None
    try:
        return runner.run("forward", x, Frozen())
    except FailedCallError:
        return None


def _tells_of_samples(ldj: object) -> bool:
    """Return whether there is a number for each sample, and not a zero for each."""
    return isinstance(ldj, Tensor) and ldj.dim() > 0 and bool(ldj.any())


def _is_number(y: Tensor, x: Tensor) -> bool:
    """Return whether what comes back first has lost axes, as a sum does: it is no output.

    One sample of those that were given is none, but of a batch that was taken apart.
    """
    is_sum = (
        y.dim() < x.dim() and y.shape == x.shape[: y.dim()] and y.numel() < x.numel()
    )
    return is_sum or (y.dim() < 2 <= x.dim() and y.shape != x.shape[1:])


def _quality(calls: Calls, outcome: Outcome, x: Tensor) -> Quality:
    if outcome.y.numel() != x.numel() and not calls.of_noise:
        return Quality.RESIZED
    if outcome.form is not None or outcome.y.shape[:1] != x.shape[:1]:
        return Quality.ODD
    entries: int = getattr(outcome.raw, "ndim", 0)
    if calls.column and entries > 2:
        return Quality.COUPLED  # an entry for each event, of which there may be several
    return Quality.SCALAR if entries == 0 else Quality.GOOD
