"""On a cluster every grade is given once, whoever ends on the way."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ldjcheck.grading.course import Cluster, NoClusterError

distributed = pytest.importorskip("distributed")


@pytest.mark.parametrize(
    "error",
    [
        distributed.client.FutureCancelledError("mark-1", "connection lost"),
        distributed.KilledWorker("mark-1", SimpleNamespace(address="tcp://a"), 3),
        distributed.comm.CommClosedError("closed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_cluster_that_is_gone_is_said_to_be(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        loop = None
        __enter__ = submit = lambda self, *_given, **_named: self

        def __exit__(self, *_raised: object) -> None: ...

        def result(self) -> Any:
            raise error

    monkeypatch.setattr(distributed, "as_completed", lambda futures, loop: futures)
    marked = Cluster.mark(
        SimpleNamespace(_client=Gone()),  # type: ignore[arg-type]
        ["s1"],  # type: ignore[list-item]
        None,  # type: ignore[arg-type]
        {},
    )
    with pytest.raises(NoClusterError, match="What was graded is kept"):
        list(marked)


def test_nothing_that_is_done_is_kept_on_the_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Done:
        def result(self) -> Any:
            return weakref.ref(self)

    class Client:
        loop = None
        __enter__ = lambda self: self  # noqa: E731

        def __exit__(self, *_raised: object) -> None: ...

        def submit(self, *_given: Any, **_named: Any) -> Done:
            return Done()

    def as_completed(futures: Any, loop: None) -> Any:
        waiting = [*futures]
        del futures
        while waiting:
            yield waiting.pop()

    monkeypatch.setattr(distributed, "as_completed", as_completed)
    cluster: Any = SimpleNamespace(_client=Client())
    seen: list[Any] = []
    for each in Cluster.mark(cluster, [1, 2, 3], None, {}):  # type: ignore
        assert not any(done() for done in seen)
        seen.append(each)
    assert len(seen) == 3


@pytest.mark.slow
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="it reads what a process holds"
)
def test_workers_are_killed_and_the_scheduler_ends_and_every_grade_is_given_once(
    tmp_path: Path,
) -> None:
    from grading.soak import soak

    found = soak(tmp_path, 40, 10)
    assert found.killed
    assert found.starts >= 2
    assert "What was graded is kept" in found.said[0]
    assert found.off() == {}
    assert set(found.graded) == set(found.class_)
    assert set(found.graded.values()) == {1}
    assert not found.running
