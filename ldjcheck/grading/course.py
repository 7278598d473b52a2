"""A whole class: the teacher's solution, and submissions side by side, here or by Dask.

On a cluster submissions travel as bytes, and facts come back. Each worker keeps one warden,
and confines what it runs as this machine would.
"""

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from ldjcheck.grading import black_box
from ldjcheck.grading.black_box import Model, Models, Numbers, Remote
from ldjcheck.grading.confined.confinement import Conversation, Warden, enforced_here
from ldjcheck.grading.marking import asked_of, in_folder, job_for, mark, opened
from ldjcheck.grading.records import Marked
from ldjcheck.grading.rubric import Exercise, Given, Rubric, RubricError
from ldjcheck.grading.sandbox import Limits
from ldjcheck.grading.sandbox.measured import Enforced
from ldjcheck.grading.store import Store
from ldjcheck.grading.submissions import Submission

_TAIL = 12  # lines of what a reference printed before it ended


def prepared(rubric: Rubric, warden: Warden) -> tuple[Rubric, Models]:
    """Return the rubric with what it left open, and what its reference gives.

    Shape and domain are then as the reference has them. Where the numbers of the reference
    cannot be judged from outside, nobody's can.

    Raises:
        RubricError: the reference does not do what is asked.
    """
    reference = rubric.reference
    if reference is None:
        return rubric, {}
    exercises, models = [], {}
    for exercise in rubric.exercises:
        found, model = _asked_once(exercise, reference, rubric, warden)
        exercises.append(found)
        if model is not None:
            models[exercise.name] = model
    return replace(rubric, exercises=tuple(exercises)), models


def _asked_once(
    exercise: Exercise, reference: Given, rubric: Rubric, warden: Warden
) -> tuple[Exercise, Model | None]:
    def talk(said: Conversation) -> tuple[Exercise, Numbers, Model | None]:
        remote = Remote(said.ask, opened(said.hear()))
        asked = asked_of(exercise, remote)
        found = replace(exercise, shape=asked.shape, domain=asked.domain)
        numbers = black_box.judge(remote, asked)
        if numbers.standing != "right":
            return found, numbers, None
        return found, numbers, black_box.model_of(remote, asked)

    files = {each.name: each.data for each in (*rubric.files, reference)}
    with in_folder(files) as folder:
        job = replace(
            job_for("answer", exercise, reference.name, rubric), folder=folder
        )
        done = warden.run(job, talk)
    if done.value is None:
        why = done.why or "it gave no answer"
        printed = "".join(f"\n  {line}" for line in done.printed.splitlines()[-_TAIL:])
        raise _error(exercise, reference.name, f"{why}{printed}")
    found, numbers, model = done.value
    if numbers.fault is not None:
        raise _error(exercise, reference.name, numbers.fault["message"])
    if numbers.standing in ("wrong", "absent"):
        raise _error(exercise, reference.name, _render_worst(numbers))
    if numbers.standing == "unproven":
        found = replace(found, outside=False)
    return found, model


def _render_worst(numbers: Numbers) -> str:
    worst = numbers.worst
    if worst is None or not worst.is_wrong:
        return numbers.why
    return (
        f"{numbers.why} ({worst.direction}: exact {worst.exact:.6g}, "
        f"reported {worst.reported:.6g})"
    )


def _error(exercise: Exercise, file: str, why: str) -> RubricError:
    return RubricError(
        f"The reference {file} fails where it should show the way: {exercise.name}: "
        f"{why.rstrip('.')}."
    )


class Executor(Protocol):
    """Where submissions are marked."""

    def enforced(self, limits: Limits) -> Enforced:
        """Return what the confinement holds back there."""

    def mark(
        self, submissions: Sequence[Submission], rubric: Rubric, models: Models
    ) -> Iterator[Marked]:
        """Yield the facts about submissions, in any order."""


def mark_class(
    submissions: Sequence[Submission],
    rubric: Rubric,
    models: Models,
    *,
    executor: Executor,
    store: Store,
    tell: Callable[[Marked], None],
) -> list[Marked]:
    """Return the facts about all submissions, in their order.

    What the store knows is not done again. Submissions of the same content are marked
    once. `tell` hears of each.
    """
    found: dict[str, Marked] = {}
    same: dict[str, list[Submission]] = {}
    for each in submissions:
        known = store.known(each, rubric)
        if known is not None:
            found[each.name] = known
            tell(known)
        else:
            same.setdefault(each.fingerprint, []).append(each)
    first = [group[0] for group in same.values()]
    for marked in executor.mark(first, rubric, models) if first else ():
        for each in same[marked.fingerprint]:
            own = replace(marked, submission=each.name)
            store.keep(own)
            found[each.name] = own
            tell(own)
    return [found[each.name] for each in submissions]


class SideBySide:
    """Marks several submissions at a time on this machine.

    Args:
        count: how many at a time.
        warden: the first of those that it takes: it may have been at work already.
    """

    def __init__(self, count: int, warden: Warden) -> None:
        self._count, self._warden = count, warden

    def enforced(self, limits: Limits) -> Enforced:
        """Return what the confinement holds back here."""
        return enforced_here(self._warden, limits)

    def mark(
        self, submissions: Sequence[Submission], rubric: Rubric, models: Models
    ) -> Iterator[Marked]:
        """Yield the facts about submissions as they come."""
        workers = min(self._count, len(submissions))
        idle: queue.SimpleQueue[Warden] = queue.SimpleQueue()

        def work(submission: Submission) -> Marked:
            warden = idle.get()
            try:
                return mark(submission, rubric, models, warden)
            finally:
                idle.put(warden)

        with ExitStack() as stack:
            pool = ThreadPoolExecutor(workers)
            # When this is interrupted, those that have not begun never do; those that
            # have, end with their wardens, which are closed first.
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            for each in (self._warden, *(Warden() for _ in range(workers - 1))):
                idle.put(stack.enter_context(each))
            futures = [pool.submit(work, each) for each in submissions]
            for done in as_completed(futures):
                yield done.result()


# --- on a cluster ---------------------------------------------------------------------

_PLUGIN = "ldjcheck-warden"


class NoClusterError(Exception):
    """There is no cluster to be had; the text says why, and what to do."""


class Cluster:
    """Marks submissions on the workers of a Dask scheduler.

    Raises:
        NoClusterError: Dask is not installed, or nobody answers at the address.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise NoClusterError(
                "Grading on a cluster needs Dask: pip install 'ldjcheck[cluster]'"
            ) from None
        try:
            self._client = Client(address, timeout="10s", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise NoClusterError(
                f"No Dask scheduler answers at {address}: {error}"
            ) from None
        self._client.register_plugin(_plugin(), name=_PLUGIN)

    def enforced(self, limits: Limits) -> Enforced:
        """Return what the confinement holds back on every worker.

        Raises:
            NoClusterError: there is none, or none any more.
        """
        ask = partial(self._client.submit, _enforced, limits, pure=False)
        with _unless_gone():
            workers = list(self._client.scheduler_info(n_workers=-1)["workers"])
            told = self._client.gather([ask(workers=[each]) for each in workers])
        if not workers:
            raise NoClusterError("The Dask scheduler has no workers.")
        names = Enforced.__slots__
        return Enforced(**{n: all(getattr(each, n) for each in told) for n in names})

    def mark(
        self, submissions: Sequence[Submission], rubric: Rubric, models: Models
    ) -> Iterator[Marked]:
        """Yield the facts about submissions as they come.

        Raises:
            NoClusterError: the scheduler is gone, or workers end again and again.
        """
        from distributed import as_completed

        client = self._client
        with client:
            # A task, since what is scattered is gone with the workers that hold it.
            shared = client.submit(_given, rubric, dict(models), pure=False)
            ask = partial(client.submit, _mark, pure=False)
            # Nobody keeps a future that is done: a worker would keep its result, and
            # it would be marked again where that worker ends.
            waiting = as_completed(
                (ask(each, shared) for each in submissions), loop=client.loop
            )
            with _unless_gone():
                for future in waiting:
                    yield future.result()


@contextmanager
def _unless_gone() -> Iterator[None]:
    from distributed import KilledWorker

    try:
        yield
    except (CancelledError, KilledWorker, OSError) as error:
        raise NoClusterError(
            f"The Dask cluster gave up: {error} What was graded is kept: the same "
            "command goes on."
        ) from None


def _plugin() -> Any:
    from distributed import WorkerPlugin

    class KeepsWardens(WorkerPlugin):
        """Starts wardens as they are wanted, and ends them with the worker."""

        def setup(self, worker: Any) -> None:
            worker.ldjcheck_wardens = []

        def teardown(self, worker: Any) -> None:
            while worker.ldjcheck_wardens:
                worker.ldjcheck_wardens.pop().close()

    return KeepsWardens()


def _given(rubric: Rubric, models: Models) -> tuple[Rubric, Models]:
    return rubric, models


def _mark(submission: Submission, shared: tuple[Rubric, Models]) -> Marked:
    """Return the facts about one submission, on a worker."""
    with _idle_warden() as warden:
        return mark(submission, *shared, warden)


def _enforced(limits: Limits) -> Enforced:
    """Return what the confinement holds back on a worker."""
    with _idle_warden() as warden:
        return enforced_here(warden, limits)


@contextmanager
def _idle_warden() -> Iterator[Warden]:
    """Take a warden of this worker's, and leave it for the next."""
    from distributed import get_worker

    worker: Any = get_worker()
    idle: list[Warden] = worker.ldjcheck_wardens
    try:
        warden = idle.pop()
    except IndexError:
        warden = Warden()
    try:
        yield warden
    finally:
        idle.append(warden)
