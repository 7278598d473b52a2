"""A whole class: several submissions side by side, each kept as soon as it is graded."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol

from ldjcheck.grading.black_box import Models
from ldjcheck.grading.confined.confinement import Warden, enforced_here
from ldjcheck.grading.marking import mark
from ldjcheck.grading.records import Marked
from ldjcheck.grading.rubric import Rubric
from ldjcheck.grading.sandbox import Limits
from ldjcheck.grading.sandbox.measured import Enforced
from ldjcheck.grading.store import Store
from ldjcheck.grading.submissions import Submission


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
