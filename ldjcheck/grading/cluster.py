"""Grading on a cluster, by Dask: submissions travel as bytes, and facts come back.

Each worker keeps one warden, and confines what it runs as this machine would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldjcheck.grading.confinement import Warden
from ldjcheck.grading.marking import mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ldjcheck.grading.black_box import Model
    from ldjcheck.grading.course import Executor
    from ldjcheck.grading.records import Marked
    from ldjcheck.grading.rubric import Rubric
    from ldjcheck.grading.submissions import Submission

_PLUGIN = "ldjcheck-warden"


class NoClusterError(Exception):
    """There is no cluster to be had; the text says why, and what to do."""


def on_cluster(address: str) -> Executor:
    """Return what marks submissions on the workers of a Dask scheduler.

    Raises:
        NoClusterError: Dask is not installed, or nobody answers at the address.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise NoClusterError(
            "Grading on a cluster needs Dask: pip install 'ldjcheck[cluster]'"
        ) from None
    try:
        client = Client(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise NoClusterError(
            f"No Dask scheduler answers at {address}: {error}"
        ) from None

    def execute(
        submissions: Sequence[Submission], rubric: Rubric, models: Mapping[str, Model]
    ) -> Iterator[Marked]:
        with client:
            client.register_plugin(_plugin(), name=_PLUGIN)
            shared = client.scatter((rubric, dict(models)), broadcast=True, hash=False)
            futures = [
                client.submit(_mark, each, shared, pure=False, resources=None)
                for each in submissions
            ]
            for future in as_completed(futures):
                yield future.result()

    return execute


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


def _mark(submission: Submission, shared: tuple[Rubric, Mapping[str, Model]]) -> Marked:
    """Return the facts about one submission, on a worker, by a warden that is idle."""
    from distributed import get_worker

    rubric, models = shared
    worker: Any = get_worker()
    idle: list[Warden] = worker.ldjcheck_wardens
    try:
        warden = idle.pop()
    except IndexError:
        warden = Warden()
    try:
        return mark(submission, rubric, models, warden)
    finally:
        idle.append(warden)
