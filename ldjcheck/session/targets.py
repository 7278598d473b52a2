"""One call of `ldjcheck check`: every target in turn, each in its own process."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Result, Run, Skipped
from ldjcheck.session.isolation import (
    Died,
    Faulted,
    Finished,
    Outcome,
    TimedOut,
    run_isolated,
)
from ldjcheck.session.progress import ProgressLine
from ldjcheck.targets import (
    Survey,
    find_layers,
    load_layer,
    load_source,
    parse_target,
)
from ldjcheck.targets.blame import users_fault
from ldjcheck.targets.expression import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from ldjcheck.checking import Tell
    from ldjcheck.records import Layer, Options, Suppression


class Checker(NamedTuple):
    """The functions that know how a layer is checked."""

    check_layer: Callable[[Layer, Options, float | None, Tell | None], Result]
    failed_result: Callable[[str, CannotCheckError], Result]
    why_no_flow: Callable[[Layer, Result, Options], str | None]
    without_untaken: Callable[[Layer, Options], tuple[Options, dict[str, str]]]


class Checked(NamedTuple):
    """What came of a layer, and what to say of arguments that it does not take."""

    result: Result | Skipped
    strange: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How every target is to be checked. `kwargs` are still as they were typed."""

    options: Options
    kwargs: tuple[tuple[str, str], ...] = ()
    silences: tuple[tuple[str, Suppression], ...] = ()  # by pattern of target


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What came out, and the tracebacks of whatever went wrong in ldjcheck itself.

    `misused` says which argument was named that no layer takes.
    """

    run: Run
    faults: tuple[str, ...] = ()
    misused: str | None = None


def run_session(
    targets: Sequence[str],
    request: Request,
    checker: Checker,
    *,
    timeout: float,
    command: str,
    waiting: TextIO | None = None,
) -> Session:
    """Return the results of all targets, in their order.

    A target that hangs, dies or trips over a fault of ours ends alone. Whoever is
    `waiting` at a terminal is shown there what is being done.
    """
    started = time.perf_counter()
    job = _Job(request, checker, timeout, waiting)
    for target in targets:
        job.do(target)
    run = Run(
        seed=request.options.seed,
        exit_code=exit_code(job.results, is_faulty=bool(job.faults)),
        seconds=time.perf_counter() - started,
        command=command,
        results=tuple(job.results),
        skipped=tuple(job.skipped),
    )
    return Session(run=run, faults=tuple(job.faults), misused=job.misused())


def exit_code(results: Sequence[Result], *, is_faulty: bool = False) -> int:
    """Return the exit status of a call: of several that apply, 4, 2, 1, 3, 0.

    Where nothing was checked, nothing could be: 2.
    """
    if is_faulty:
        return 4
    if not results:
        return 2
    statuses = {result.status for result in results}
    codes = {"error": 2, "fail": 1, "unproven": 3}
    return next((code for status, code in codes.items() if status in statuses), 0)


class _Job:
    """Gathers what comes out of targets, each run in a process of its own."""

    def __init__(
        self,
        request: Request,
        checker: Checker,
        timeout: float,
        waiting: TextIO | None,
    ) -> None:
        self.request = request
        self.checker = checker
        self.timeout = timeout
        self.waiting = waiting
        self.results: list[Result] = []
        self.skipped: list[Skipped] = []
        self.faults: list[str] = []
        self.strange: list[dict[str, str]] = []  # one for each layer

    def do(self, target: str) -> None:
        """Check one target, or all flow layers of a source that is named alone."""
        if _is_source_alone(target):
            self._note(target, self._run(find_targets, target))
        else:
            self._note(target, self._run(check_target, target))

    def misused(self) -> str | None:
        """Return what to say of an argument that no layer takes, if there is one."""
        for name, told in self.strange[0].items() if self.strange else ():
            if all(name in each for each in self.strange):
                return told
        return None

    def _run(self, function: Callable[..., Any], target: str) -> Outcome:
        at = target, self.request, self.checker
        limits: dict[str, Any] = {"timeout": self.timeout, "tells": True}
        if self.waiting is None:
            return run_isolated(function, *at, **limits)
        with closing(ProgressLine(self.waiting, target)) as line:
            return run_isolated(function, *at, **limits, watch=line)

    def _note(self, target: str, outcome: Outcome) -> None:
        if isinstance(outcome, Faulted):
            why = "ldjcheck itself failed; standard error has the details"
            told = {"not checked": why}
            failed = Result(target=target, layer=None, status="error", inferred=told)
            self.results.append(failed)
            self.faults.append(outcome.traceback)
        elif isinstance(outcome, TimedOut) and outcome.told is not None:
            self.results.append(_cut_short(outcome))
        elif not isinstance(outcome, Finished):
            ended = self.checker.failed_result(target, _no_answer(outcome))
            seconds = outcome.seconds if isinstance(outcome, TimedOut) else 0.0
            self.results.append(replace(ended, seconds=seconds))
        elif isinstance(outcome.value, Survey):
            self.skipped += outcome.value.skipped
            source = target.strip().removesuffix(":")
            for found in outcome.value.candidates:
                each = f"{source}:{found}"
                self._note(each, self._run(check_found, each))
        elif isinstance(outcome.value, Skipped):
            self.skipped.append(outcome.value)
        elif isinstance(outcome.value, Checked):
            result, strange = outcome.value
            self.strange.append(strange)
            if isinstance(result, Skipped):
                self.skipped.append(result)
            else:
                left = {f"argument {n}": "not taken, so left out" for n in strange}
                inferred = {**result.inferred, **left}
                self.results.append(replace(result, inferred=inferred))
        else:
            self.results.append(outcome.value)


def _is_source_alone(target: str) -> bool:
    try:
        return parse_target(target).expr is None
    except CannotCheckError:  # said when it is checked
        return False


def _cut_short(outcome: TimedOut) -> Result:
    """Return what was known of a layer when its time was over.

    Where it was right so far, that proves nothing of what did not come back.
    """
    told: Result = outcome.told
    stopped = f"all else: stopped after {outcome.seconds:g} seconds"
    stopped += f" while {outcome.doing}" if outcome.doing else ""
    return replace(
        told,
        status="unproven" if told.status == "pass" else told.status,
        seconds=outcome.seconds,
        not_done=(*told.not_done, stopped),
    )


def _no_answer(outcome: Died | TimedOut) -> CannotCheckError:
    if isinstance(outcome, TimedOut):
        return CannotCheckError(
            "LDJ007",
            f"No answer within {outcome.seconds:g} seconds, so I stopped it.",
            (
                *((f"It was {outcome.doing}.",) if outcome.doing else ()),
                "The limit is for importing, building and calls together.",
                f"Give it more time with: --timeout {2 * outcome.seconds:g}",
            ),
        )
    return CannotCheckError(
        "LDJ005",
        f"Its process ended before the check did: {outcome.how}.",
        ("The other targets of this call are not affected.",),
    )


# --- in the target's own process --------------------------------------------------


def check_target(
    text: str, request: Request, checker: Checker, tell: Tell | None = None
) -> Result | Checked:
    """Return the result of loading and checking one target; `tell` hears what fails.

    What ends a program (`sys.exit`, `KeyboardInterrupt`, any exception that no-one is
    meant to catch) is the user's doing here, as is running out of memory; any other is a
    mistake of ours.
    """
    result, layer, strange = _check(text, request, checker, tell)
    return result if layer is None else Checked(result, strange)


def check_found(
    text: str, request: Request, checker: Checker, tell: Tell | None = None
) -> Result | Skipped | Checked:
    """Return the same of a target that was found, or why it is no flow layer."""
    result, layer, strange = _check(text, request, checker, tell)
    if layer is None:
        first = result.findings[0]
        is_none = first.code in ("LDJ003", "LDJ004")
        return Skipped(target=text, why=first.message) if is_none else result
    options, _ = checker.without_untaken(layer, request.options)
    why = checker.why_no_flow(layer, result, options)
    skipped = None if why is None else Skipped(target=text, why=why)
    return Checked(skipped or result, strange)


def find_targets(
    text: str, request: Request, checker: Checker, tell: Tell | None = None
) -> Survey | Result:
    """Return what in a source may be a flow layer, or why it cannot be looked through."""
    _seed(request.options.seed)
    try:
        found = find_layers(parse_target(text).source)
        if found.candidates or found.skipped:
            return found
        message = f"There is no flow layer in {text}."
        raise CannotCheckError(
            "LDJ002",
            message,
            ("Its own classes, instances and functions were looked at.",),
        )
    except CannotCheckError as error:
        return checker.failed_result(text, error)


def _check(
    text: str, request: Request, checker: Checker, tell: Tell | None
) -> tuple[Result, Layer | None, dict[str, str]]:
    """Return the result, the layer where it came to one, and what that does not take."""
    started = time.perf_counter()
    layer, strange = None, dict[str, str]()
    try:
        _seed(
            request.options.seed
        )  # random initial weights are part of what is checked
        target = parse_target(text)
        source = load_source(target, [expr for _, expr in request.kwargs])
        layer = load_layer(target, source)
        kwarg = tuple((name, evaluate(expr, source)) for name, expr in request.kwargs)
        ignore = (*request.options.ignore, *_silences(text, request))
        options = replace(request.options, kwarg=kwarg, ignore=ignore)
        options, strange = checker.without_untaken(layer, options)
        try:
            result = checker.check_layer(layer, options, started, tell)
            return result, layer, strange
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, MemoryError):
                raise
            with users_fault("LDJ005", f"Running {layer.name}"):
                raise
    except CannotCheckError as error:
        result = checker.failed_result(text, error)
        took = time.perf_counter() - started
        return replace(result, seconds=took), layer, strange


def _silences(text: str, request: Request) -> list[Suppression]:
    """Return what is to be ignored at a target, or at all of its source.

    Brackets in a pattern are those of the target, as in `make_flow().layers[2]`.
    """
    names = (text, parse_target(text).source)
    return [
        suppression
        for pattern, suppression in request.silences
        if any(fnmatchcase(name, pattern.replace("[", "[[]")) for name in names)
    ]


def _seed(seed: int) -> None:
    """Start all random generators at the same point in every run."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
