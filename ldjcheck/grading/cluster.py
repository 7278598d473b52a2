"""Grading on a cluster, by Dask: submissions travel as bytes, and facts come back.

Each worker keeps one warden, and confines what it runs as this machine would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ldjcheck.grading.black_box import Models
from ldjcheck.grading.confined.confinement import Warden, enforced_here
from ldjcheck.grading.marking import mark
from ldjcheck.grading.records import Marked
from ldjcheck.grading.rubric import Rubric
from ldjcheck.grading.sandbox import Limits
from ldjcheck.grading.sandbox.measured import Enforced
from ldjcheck.grading.submissions import Submission

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
            NoClusterError: there is none.
        """
        workers = list(self._client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise NoClusterError("The Dask scheduler has no workers.")
        ask = partial(self._client.submit, _enforced, limits, pure=False)
        told = self._client.gather([ask(workers=[each]) for each in workers])
        names = Enforced.__slots__
        return Enforced(**{n: all(getattr(each, n) for each in told) for n in names})

    def mark(
        self, submissions: Sequence[Submission], rubric: Rubric, models: Models
    ) -> Iterator[Marked]:
        """Yield the facts about submissions as they come."""
        from distributed import as_completed

        client = self._client
        with client:
            given = [(rubric, dict(models))]
            (shared,) = client.scatter(given, broadcast=True, hash=False)
            ask = partial(client.submit, _mark, pure=False)
            futures = [ask(each, shared) for each in submissions]
            for future in as_completed(futures, loop=client.loop):
                yield future.result()


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
