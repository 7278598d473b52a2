"""One call of `ldjcheck check`: every target in a process of its own, side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from ldjcheck.errors import CannotCheckError, CommentError
from ldjcheck.faults import failed_result
from ldjcheck.records import Layer, Options, Result, Run, Suppression
from ldjcheck.records.result import Skipped, exit_code
from ldjcheck.session.isolation import (
    Died,
    Faulted,
    Finished,
    Outcome,
    Running,
    TimedOut,
    start,
    wait_for,
)
from ldjcheck.session.progress import ProgressLine
from ldjcheck.targets import (
    Survey,
    find_layers,
    load_layer,
    load_source,
    parse_target,
    refused,
    seed_all,
    trouble_ahead,
)
from ldjcheck.targets.data import read_inputs, with_weights
from ldjcheck.targets.expression import evaluate
from ldjcheck.targets.user_errors import shown_path, users_fault
from ldjcheck.tracebacks import RunningLine

if TYPE_CHECKING:
    from ldjcheck.checking import Tell


class Misused(NamedTuple):
    """What a source asks for and cannot be."""

    told: str


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
    inputs: Path | None = None  # a file of samples to check at
    weights: Path | None = None  # a file with a state dict
    comments: bool = False  # whether the source may say what is to be ignored
    derives: bool = False  # the ldj is derived, and not checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What came out, and the tracebacks of whatever went wrong in ldjcheck itself.

    `misused` says which argument was named that no layer takes, or which comment of a
    source cannot be meant.
    """

    run: Run
    faults: tuple[str, ...] = ()
    misused: str | None = None


def run_session(
    targets: Sequence[str],
    request: Request,
    *,
    timeout: float,
    command: str,
    jobs: int = 1,
    started: float | None = None,
    waiting: TextIO | None = None,
) -> Session:
    """Return the results of all targets, in their order; `jobs` of them run at a time.

    A target that hangs, dies or trips over a fault of ours ends alone. `started` is when
    the user began to wait, by `time.perf_counter()`. Whoever is `waiting` at a terminal is
    shown there what is being done.
    """
    started = time.perf_counter() if started is None else started
    job = _Job(request, timeout, jobs, waiting)
    job.do(targets)
    run = Run(
        seed=request.options.seed,
        exit_code=exit_status(job.results, is_faulty=bool(job.faults)),
        seconds=time.perf_counter() - started,
        command=command,
        results=tuple(job.results),
        skipped=tuple(job.skipped),
    )
    return Session(run=run, faults=tuple(job.faults), misused=job.misused())


def exit_status(results: Sequence[Result], *, is_faulty: bool = False) -> int:
    """Return the exit status of a call: of several that apply, 4, 2, 1, 3, 0.

    Where nothing was checked, nothing could be: 2.
    """
    if is_faulty:
        return 4
    if not results:
        return 2
    return exit_code({result.status for result in results})


@dataclass(slots=True)
class _Task:
    """A target that is to be run, what came of it, and the targets that it led to."""

    target: str
    function: Callable[..., Any]
    outcome: Outcome | Result | None = None
    led_to: list[_Task] = field(default_factory=list)


class _Job:
    """Gathers what comes out of targets, each run in a process of its own."""

    def __init__(
        self, request: Request, timeout: float, jobs: int, waiting: TextIO | None
    ) -> None:
        self.request = request
        self.timeout = timeout
        self.jobs = jobs
        self.line = None if waiting is None else ProgressLine(waiting)
        self.results: list[Result] = []
        self.skipped: list[Skipped] = []
        self.faults: list[str] = []
        self.strange: list[dict[str, str]] = []  # one for each layer
        self.slips: list[str] = []  # of comments

    def do(self, targets: Sequence[str]) -> None:
        """Check targets; of a source that is named alone, all its flow layers."""
        tasks = [_task_of(target) for target in targets]
        self._run([task for task in tasks if task.outcome is None])
        for task in tasks:
            self._note(task, is_one_of_many=len(tasks) > 1)

    def misused(self) -> str | None:
        """Return what to say of a slip of a comment, or of what no layer takes."""
        if self.slips:
            return self.slips[0]
        for name, told in self.strange[0].items() if self.strange else ():
            if all(name in each for each in self.strange):
                return told
        return None

    def _run(self, tasks: list[_Task]) -> None:
        """Run tasks side by side, and those that they lead to."""
        if not tasks:
            return
        load_checks()
        waiting = [(task, self._threads(len(tasks))) for task in tasks]
        at_work: list[tuple[Running, _Task]] = []
        try:
            while waiting or at_work:
                while waiting and len(at_work) < self.jobs:
                    task, threads = waiting.pop(0)
                    about = task.target, self.request
                    running = start(
                        _work_of,
                        *(task.function, threads, *about),
                        timeout=self.timeout,
                        tells=True,
                    )
                    at_work.append((running, task))
                wait_for([running for running, _ in at_work])
                self._show(at_work)
                for running, task in tuple(at_work):
                    task.outcome = running.outcome()
                    if task.outcome is None:
                        continue
                    at_work.remove((running, task))
                    running.end()
                    task.led_to = _tasks_of_layers(task)
                    threads = self._threads(len(task.led_to))
                    waiting[:0] = [(each, threads) for each in task.led_to]
        finally:
            for running, _ in at_work:
                running.end()
            if self.line is not None:
                self.line.close()

    def _show(self, at_work: Sequence[tuple[Running, _Task]]) -> None:
        """Show whoever waits what the oldest of those at work is doing."""
        running, task = at_work[0]
        if self.line is not None:
            self.line.show(task.target, running.doing, running.left)

    def _threads(self, count: int) -> int | None:
        """Return how many threads one of `count` tasks may have; None: as many as usual.

        Torch's threads wait for one another by spinning: with more of them than cores, a
        check of a second takes a minute.
        """
        beside = min(self.jobs, count)
        return None if beside < 2 else max(1, cores() // beside)

    def _note(self, task: _Task, *, is_one_of_many: bool = False) -> None:
        target, outcome = task.target, task.outcome
        if isinstance(outcome, Result):  # that it cannot be run was seen beforehand
            self.results.append(outcome)
        elif isinstance(outcome, Faulted):
            why = "ldjcheck itself failed; standard error has the details"
            told = {"not checked": why}
            failed = Result(target=target, layer=None, status="error", inferred=told)
            self.results.append(failed)
            self.faults.append(outcome.traceback)
        elif isinstance(outcome, TimedOut) and outcome.told is not None:
            self.results.append(_cut_short(outcome))
        elif isinstance(outcome, (Died, TimedOut)):
            ended = failed_result(target, _no_answer(outcome))
            seconds = outcome.seconds if isinstance(outcome, TimedOut) else 0.0
            self.results.append(replace(ended, seconds=seconds))
        elif isinstance(outcome, Finished):
            self._note_value(task, outcome.value, is_one_of_many)

    def _note_value(self, task: _Task, value: Any, is_one_of_many: bool) -> None:
        if isinstance(value, Survey):
            if not value.candidates and not value.skipped:
                self._note_nothing(task.target, is_one_of_many)
            self.skipped += value.skipped
            for each in task.led_to:
                self._note(each)
        elif isinstance(value, Skipped):
            self.skipped.append(value)
        elif isinstance(value, Misused):
            self.slips.append(value.told)
        elif isinstance(value, Checked):
            result, strange = value
            self.strange.append(strange)
            if isinstance(result, Skipped):
                self.skipped.append(result)
            else:
                left = {f"argument {n}": "not taken, so left out" for n in strange}
                inferred = {**result.inferred, **left}
                self.results.append(replace(result, inferred=inferred))
        else:
            self.results.append(value)

    def _note_nothing(self, target: str, is_one_of_many: bool) -> None:
        """Note a source in which nothing looks like a layer: of several, it is skipped."""
        message = f"There is no flow layer in {target}."
        if is_one_of_many:
            self.skipped.append(Skipped(target=target, why=message))
            return
        looked = ("Its own classes, instances and functions were looked at.",)
        error = CannotCheckError("LDJ002", message, looked)
        self.results.append(failed_result(target, error))


def load_checks() -> None:
    """Load what checks layers, and torch with it, once for all processes to come.

    No operator is run here: the threads that it starts would not survive a fork.
    """
    import ldjcheck.api  # noqa: F401  # for all


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _task_of(target: str) -> _Task:
    """Return what is to be run for a target; what its text tells against it at once."""
    started = time.perf_counter()
    trouble = refused(target) or trouble_ahead(target)
    alone = _is_source_alone(target)
    task = _Task(target, find_targets if alone else check_target)
    if trouble is not None:
        took = time.perf_counter() - started
        task.outcome = replace(failed_result(target, trouble), seconds=took)
    return task


def _tasks_of_layers(task: _Task) -> list[_Task]:
    """Return the tasks of the layers that a source was found to hold."""
    outcome = task.outcome
    if not isinstance(outcome, Finished) or not isinstance(outcome.value, Survey):
        return []
    source = task.target.strip().removesuffix(":")
    return [
        _Task(f"{source}:{name}", check_discovered) for name in outcome.value.candidates
    ]


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
                *(_where(outcome.place) if outcome.place else ()),
                "The limit is for importing, building and calls together.",
                f"Give it more time with: --timeout {2 * outcome.seconds:g}",
            ),
        )
    return CannotCheckError(
        "LDJ005",
        f"Its process ended before the check did: {outcome.how}.",
        ("The other targets of this call are not affected.",),
    )


def _where(place: RunningLine) -> tuple[str, ...]:
    """Return the line that took the time, and how to keep it out of an import."""
    file = shown_path(place.file)
    if not place.is_import:
        return (f"It was in line {place.line} of {file}:", f"  {place.text}")
    return (
        f"Importing it hangs in line {place.line} of {file}:",
        f"  {place.text}",
        "Put what trains or downloads, and what needs that, under",
        '  if __name__ == "__main__":',
        "at the end of the file: a check imports only what stands above.",
    )


# --- in the target's own process --------------------------------------------------


def _work_of(
    function: Callable[..., Any], threads: int | None, *about: Any, tell: Tell
) -> Any:
    """Return `function(*about)`, run with so many threads."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    try:
        return function(*about, tell)
    except CommentError as error:
        return Misused(str(error))


def check_target(
    text: str, request: Request, tell: Tell | None = None
) -> Result | Checked:
    """Return the result of loading and checking one target; `tell` hears what fails.

    What ends a program (`sys.exit`, `KeyboardInterrupt`, any exception that no-one is
    meant to catch) is the user's doing here, as is running out of memory; any other is a
    mistake of ours.
    """
    result, layer, strange = _check(text, request, tell)
    return result if layer is None else Checked(result, strange)


def check_discovered(
    text: str, request: Request, tell: Tell | None = None
) -> Result | Skipped | Checked:
    """Return the same of a target that was found, or why it is no flow layer."""
    from ldjcheck import api

    result, layer, strange = _check(text, request, tell)
    if layer is None:
        first = result.findings[0]
        is_none = first.code in ("LDJ003", "LDJ004")
        return Skipped(target=text, why=first.message) if is_none else result
    options, _ = api.without_untaken(layer, request.options)
    why = None if request.derives else api.why_no_flow(layer, result, options)
    skipped = None if why is None else Skipped(target=text, why=why)
    return Checked(skipped or result, strange)


def find_targets(
    text: str, request: Request, tell: Tell | None = None
) -> Survey | Result:
    """Return what in a source may be a flow layer, or why it cannot be looked through."""
    seed_all(request.options.seed)
    try:
        return find_layers(parse_target(text).source)
    except CannotCheckError as error:
        return failed_result(text, error)


def _check(
    text: str, request: Request, tell: Tell | None
) -> tuple[Result, Layer | None, dict[str, str]]:
    """Return the result, the layer where it came to one, and what that does not take."""
    from ldjcheck import api

    judge = api.derive_layer if request.derives else api.check_layer
    started, asked = time.perf_counter(), request.options.started()
    layer, strange = None, dict[str, str]()
    try:
        # Random initial weights are part of what is checked.
        seed_all(request.options.seed)
        target = parse_target(text)
        source = load_source(target, [expr for _, expr in request.kwargs])
        layer = load_layer(target, source)
        if request.weights is not None:
            layer = with_weights(layer, request.weights)
        kwarg = tuple((name, evaluate(expr, source)) for name, expr in request.kwargs)
        ignore = (*request.options.ignore, *_silences(text, request))
        if request.comments:
            from ldjcheck.options.comments import ignored_in_source

            ignore = (*ignore, *ignored_in_source(layer.obj))
        options = replace(asked, kwarg=kwarg, ignore=ignore)
        if request.inputs is not None:
            options = replace(options, inputs=read_inputs(request.inputs), search=0)
        if request.inputs is not None or request.weights is not None:
            options = replace(options, params="as-is")
        options, strange = api.without_untaken(layer, options)
        try:
            result = judge(layer, options, started, tell)
            return result, layer, strange
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, MemoryError):
                raise
            with users_fault("LDJ005", f"Running {layer.name}"):
                raise
    except CannotCheckError as error:
        result = failed_result(text, error)
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
