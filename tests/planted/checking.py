"""The only place where the field test meets ldjcheck: check one layer, note the answer.

Only the public surface is used: `ldjcheck.check` and the report that it returns.
"""

from __future__ import annotations

import signal
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from .cases import case_by_id
from .planting import short_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .case import Case, Shape
    from .planted import Planted, RightConfiguration

LIMIT = 120  # seconds for one layer

REFUSALS = frozenset({"wrong-derivative", "unexplained-mismatch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What ldjcheck said about one layer: its status and its diagnosis."""

    status: str
    name: str | None = None
    also_fits: tuple[str, ...] = ()
    place: tuple[str, int] | None = None
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good one answer is.

    `verdict` is one of: named (an accepted name comes first), tie (another name comes
    first, but an accepted one is reported beside it), refused (120 or 199: no name),
    wrong (another name), missed (the status is not `fail`).
    """

    planted: Planted
    answer: Answer
    verdict: str
    exact_line: bool
    chain_line: bool


def check_planted(planted: Planted) -> Score:
    """Return how ldjcheck judged one planted layer."""
    with planted.layer() as layer:
        answer = _check(planted.case, layer, planted.shape)
    return score(planted, answer)


def check_right(configuration: RightConfiguration) -> Answer:
    """Return how ldjcheck judged one right configuration."""
    case = case_by_id(configuration.case_id)
    return _check(case, configuration.layer(), configuration.shape)


def score(planted: Planted, answer: Answer) -> Score:
    """Return how good an answer is for a planted mistake."""
    if answer.status != "fail":
        verdict = "missed"
    elif answer.name in planted.expected:
        verdict = "named"
    elif set(answer.also_fits) & set(planted.expected):
        verdict = "tie"
    elif answer.name in REFUSALS:
        verdict = "refused"
    else:
        verdict = "wrong"
    return Score(
        planted=planted,
        answer=answer,
        verdict=verdict,
        exact_line=answer.place in planted.lines,
        chain_line=answer.place in planted.chain,
    )


def _check(case: Case, layer: Any, shape: Shape) -> Answer:
    """Check a layer as its user would, with shape and domain said."""
    import ldjcheck

    options = check_options(case, shape)
    torch.set_num_threads(1)
    started = time.perf_counter()
    try:
        with warnings.catch_warnings(), time_limit():
            warnings.simplefilter("ignore")
            report = ldjcheck.check(layer, **options)
    except TimeoutError:
        return Answer(status="error", message="took too long", seconds=LIMIT)
    except Exception as error:  # a fault of ldjcheck itself: counted, never hidden
        text = f"{type(error).__name__}: {error}"
        return Answer(status="crash", message=text)
    seconds = time.perf_counter() - started
    errors = [f for f in report.findings if f.severity == "error"]
    first = (errors or list(report.findings) or [None])[0]
    if first is None:
        return Answer(status=report.status, seconds=seconds)
    place = first.location and (short_path(first.location.file), first.location.line)
    return Answer(
        status=report.status,
        name=first.name,
        also_fits=tuple(first.also_fits),
        place=place,
        message=first.message,
        seconds=seconds,
    )


def check_options(case: Case, shape: Shape) -> dict[str, Any]:
    """Return what the user of a layer would say: shape, domain, and how far to move."""
    options: dict[str, Any] = {"shape": shape, "domain": case.domain}
    if case.scale == 0:
        options["params"] = "as-is"
    else:
        options["params_scale"] = case.scale
    if case.forward_only:
        options["direction"] = "forward"
    return options


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise TimeoutError inside the `with` after LIMIT seconds, where there is SIGALRM."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
