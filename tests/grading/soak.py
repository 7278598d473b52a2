"""A large class on a cluster whose workers are killed and whose scheduler ends once.

`PYTHONPATH=tests python -m grading.soak` grades two thousand cheap submissions on the
two workers of a Dask scheduler, kills a worker now and then and the scheduler when half
are graded, starts the command again where it ended, and prints what came out, how often
each was graded, and what the processes held.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # Dask stands on it

from grading.class_of_200 import _left_over
from grading.made_class import MEAN, SOLUTION, Planned, slipped, write_class

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = (
    Planned("other name", slipped("Scale", "Stretch"), "absent", 0),
    Planned("no Python", "def f(:\n" + SOLUTION, "broken", 0),
    Planned("right", SOLUTION, "right", 2),
    Planned("mean", MEAN, "wrong", 1.5, "LDJ105"),
)
NTH = (1, 4, 20, 100)
"""Each of a kind's nth submissions is of it; those that take longest are the fewest."""

ENDED = 2  # the exit status where the cluster is gone
LIMIT = 300  # seconds without a grade: it hangs
ENDING = 60  # seconds that processes may take to see that nobody wants them


def planned(count: int) -> dict[str, Planned]:
    """Return what must come of each submission, by its name."""
    kinds = list(zip(NTH, KINDS, strict=True))
    return {
        f"s{number:05}": [kind for nth, kind in kinds if number % nth == 0][-1]
        for number in range(count)
    }


@dataclass
class Soaked:
    """What was seen while a class was graded."""

    class_: dict[str, Planned]
    seconds: float = 0.0
    starts: int = 0  # of the command
    killed: int = 0  # workers
    graded: Counter[str] = field(default_factory=Counter)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: list[dict[str, float]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # where the command ended early
    left: set[str] = field(default_factory=set)  # folders
    running: list[str] = field(default_factory=list)  # processes, a while later

    def off(self) -> dict[str, str]:
        """Return what was not graded as planned."""
        found = {}
        for name, plan in self.class_.items():
            if name not in self.results:
                found[name] = "no result"
                continue
            layer = self.results[name]["layers"][0]
            codes = [c["code"] for c in layer["causes"] if c["severity"] == "error"]
            same = (layer["standing"], layer["points"]) == (plan.standing, plan.points)
            if not same or (plan.code and codes[:1] != [plan.code]):
                found[name] = f"{layer['standing']} {layer['points']} {codes}"
        return found


def soak(folder: Path, count: int, every: int) -> Soaked:
    """Return what came of a class that is graded in a folder.

    Args:
        folder: an empty one.
        count: how many submissions.
        every: after how many grades a worker is killed.
    """
    found = Soaked(planned(count))
    texts = {name: f"{p.text}\n# {name}\n" for name, p in found.class_.items()}
    write_class(folder, texts)
    folders, began, rows = _left_over(), time.perf_counter(), max(1, count // 10)
    times: dict[str, set[int]] = defaultdict(set)
    ours: set[int] = set()
    others = {os.getpid(), *(each.pid for each in _tree(os.getpid()))}
    with _cluster(folder) as cluster:
        command = _grading(folder, cluster.address)
        found.starts = 1
        changed, done, is_restarted = time.monotonic(), 0, False
        while (status := command.poll()) is None or status == ENDED:
            if status == ENDED:
                found.said.append((folder / "said.txt").read_text()[-300:])
                command = _grading(folder, cluster.address)
                found.starts += 1
            time.sleep(0.5)
            cluster.keep()
            _note(folder, times)
            ours |= {each.pid for each in _tree(os.getpid())}
            if len(times) > done:
                before, done, changed = done, len(times), time.monotonic()
                if before // rows != done // rows:
                    found.held.append({"graded": done, **cluster.held(command)})
                if done >= count // 2 and not is_restarted:
                    is_restarted = True
                    cluster.restart_scheduler()
                elif before // every != done // every and done < count:
                    found.killed += cluster.kill_worker()
            assert time.monotonic() - changed < LIMIT, "nothing is graded any more"
        _note(folder, times)
        assert status in (0, 3), (folder / "said.txt").read_text()
    found.seconds = time.perf_counter() - began
    document = json.loads((folder / "grades" / "grades.json").read_text())
    found.results = {each["name"]: each for each in document["submissions"]}
    found.graded = Counter({name: len(each) for name, each in times.items()})
    found.left = _left_over() - folders
    ours -= others
    end = time.monotonic() + ENDING
    while any(map(_told, ours)) and time.monotonic() < end:
        time.sleep(0.5)
    found.running = [*filter(None, map(_told, ours))]
    return found


def _note(folder: Path, times: dict[str, set[int]]) -> None:
    """Remember when each submission's facts were written."""
    with suppress(FileNotFoundError), os.scandir(folder / "grades" / "facts") as files:
        for each in files:
            if each.name.endswith(".json"):
                times[each.name[:-5]].add(each.stat().st_mtime_ns)


def _grading(folder: Path, address: str) -> subprocess.Popen[bytes]:
    with (folder / "said.txt").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "ldjcheck", "grade", "class", "--executor",
             f"dask:{address}", "--rubric", "rubric.toml", "--format", "json", "-q"],
            cwd=folder, stdout=said, stderr=said,
        )  # fmt: skip


def _tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def _told(pid: int) -> str:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return " ".join(process.cmdline())[:200]
    return ""


class Processes:
    """A scheduler and the nannies of its workers, as a service would keep them."""

    def __init__(self, folder: Path, workers: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self._port}"
        self._folder, self._count = folder, workers
        self._scheduler = self._started("scheduler", "--host", self.address)
        self._workers = self._start_workers()

    def _started(self, what: str, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{what}.txt").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *words,
                 "--no-dashboard"],
                cwd=self._folder, stdout=said, stderr=said,
            )  # fmt: skip

    def _start_workers(self) -> subprocess.Popen[bytes]:
        return self._started(
            "worker", self.address, "--nthreads", "1", "--nworkers", str(self._count)
        )

    def keep(self) -> None:
        """Start the workers again where they ended with their scheduler."""
        if self._workers.poll() is not None:
            self._workers = self._start_workers()

    def workers(self) -> list[psutil.Process]:
        """Return the processes of workers that are there."""
        found = []
        for each in _tree(self._workers.pid):
            with suppress(psutil.Error):
                if "spawn_main" in " ".join(each.cmdline()):
                    found.append(each)
        return found

    def kill_worker(self) -> int:
        """Kill the oldest worker, and return how many that are."""
        there = sorted(self.workers(), key=lambda each: each.create_time())
        for each in there[:1]:
            each.kill()
        return len(there[:1])

    def restart_scheduler(self) -> None:
        """Kill the scheduler, and start another one at its address."""
        self._scheduler.send_signal(signal.SIGKILL)
        self._scheduler.wait()
        self._scheduler = self._started("scheduler", "--host", self.address)

    def held(self, command: subprocess.Popen[bytes]) -> dict[str, float]:
        """Return what processes hold: memory in MiB, files and threads."""
        found: dict[str, float] = {}
        of = {"command": [command.pid], "scheduler": [self._scheduler.pid],
              "worker": [each.pid for each in self.workers()]}  # fmt: skip
        for name, pids in of.items():
            for pid in pids:
                with suppress(psutil.Error):
                    each = psutil.Process(pid)
                    now = {f"{name}, MiB": each.memory_info().rss / 2**20,
                           f"{name}, files": each.num_fds(),
                           f"{name}, threads": each.num_threads()}  # fmt: skip
                    for what, much in now.items():
                        found[what] = max(found.get(what, 0), round(much))
        found["processes"] = len(_tree(os.getpid()))
        return found

    def close(self) -> None:
        """End what was started here."""
        for each in (self._workers, self._scheduler):
            started = _tree(each.pid)
            each.terminate()
            try:
                each.wait(30)
            except subprocess.TimeoutExpired:
                for process in (each, *started):
                    with suppress(psutil.Error):
                        process.kill()
                each.wait()


@contextmanager
def _cluster(folder: Path, workers: int = 2) -> Iterator[Processes]:
    with ExitStack() as stack:
        cluster = Processes(folder, workers)
        stack.callback(cluster.close)
        with suppress(ImportError):
            from distributed import Client

            with Client(cluster.address, timeout="60s", set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=120)
        yield cluster


def main() -> int:
    """Soak, and print what was seen; 0 where all is as planned."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="submissions")
    parser.add_argument("--every", type=int, default=150, help="grades to a kill")
    typed = parser.parse_args()
    from tabulate import tabulate

    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        found = soak(Path(folder), typed.count, typed.every)
    print(tabulate(found.held, "keys", tablefmt="github"))
    often = Counter(found.graded.values())
    print(f"{len(found.results)} submissions in {found.seconds:.0f} s")
    print(f"workers killed: {found.killed}; schedulers: 1; starts: {found.starts}")
    print(f"how often each was graded: {dict(often)}")
    print(f"not as planned: {found.off() or 'none'}")
    print(f"left behind: {found.running or 'no process'}, {len(found.left)} folders of "
          "workers that were killed at a submission")  # fmt: skip
    for said in found.said:
        print(f"said where it ended: {said.partition('Error: ')[2]}")
    are_many = len(found.left) > found.killed + 2  # the scheduler's end ends workers
    return int(bool(found.off() or {*often} - {1} or found.running or are_many))


if __name__ == "__main__":
    sys.exit(main())
