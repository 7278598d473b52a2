"""Plant faults in the package, and print which of them the default tests see.

Run from the repository root, with the tests importable:

    PYTHONPATH=tests python -m mutants [--faults 60] [--seed 0] [--seconds 60] [--slow]
        [--rooms oracle ...] [--tests tests/oracle ...] [--results FILE]

Each fault stands alone in a copy of the package. The tests that call the function with
the fault run until one fails: those of its own room first, and the quick ones, and those
that call much of its file, before the others; as many as take `--seconds` when nothing
is wrong. Which test calls what is
heard once by a run of the default tests (with `--slow`: of all; with `--tests`: of some),
which takes twice as long as they do; `--reach FILE` keeps that. `--results FILE` keeps a
line for each fault, and a run that was broken off goes on from there. At the end stands a
table by rooms. Exit status 0: every fault was seen.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from mutants.faults import Fault, drawn

ROOT = Path(__file__).parents[2]
ROOMS = {
    "oracle": ("oracle",),
    "judging": ("judging",),
    "readings": ("readings",),
    "mistakes": ("mistakes",),
    "repair": ("mistakes/mending", "mistakes/rewriting", "revision"),
}
"""The folders of the package that faults are planted in; of two, the longer one counts."""
START = 90  # seconds for a process to start, and to collect what it runs
SLOWER = 5  # times as long as a test takes alone: beyond, it hangs

Reach = list[tuple[str, float, set[str]]]


class Killer:
    """A plugin that knows the first test that failed."""

    test: str | None = None

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and self.test is None:
            self.test = report.nodeid


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--reach", type=Path)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of faults")
    parser.add_argument("--tests", nargs="*", default=[], metavar="PATH")
    parser.add_argument("--rooms", nargs="*", default=[*ROOMS], choices=ROOMS)
    parser.add_argument("--results", type=Path, metavar="FILE")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        heard = asked.reach or Path(folder) / "reach.jsonl"
        if not heard.exists():
            _hear(heard, asked.tests, slow=asked.slow)
        reach = _read(heard)
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        package = tree / "ldjcheck"
        roots = {package / each for folders in ROOMS.values() for each in folders}
        files = sorted(
            file
            for file in {file for root in roots for file in root.rglob("*.py")}
            if _room(file.relative_to(package)) in asked.rooms
        )
        _load()
        ends = _kept(asked.results)
        faults = list(enumerate(drawn(files, asked.faults, asked.seed), start=1))
        chosen = [(n, f) for n, f in faults if not asked.only or n in asked.only]
        for number, fault in chosen:
            where = f"{fault.file.relative_to(tree)}:{fault.line}"
            told = f"{number:3} {where}\n    {_short(fault)}"
            if number not in ends:
                end = _killed(fault, tree, reach, asked.seconds, asked.slow)
                ends[number] = end
                if asked.results:
                    with asked.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps([number, told, end]) + "\n")
            print(f"{told}\n    {ends[number]}", flush=True)
        done = [(_room(f.file.relative_to(package)), ends[n]) for n, f in chosen]
        print(_table(done))
        return int(any(end.startswith("SURVIVED") for _, end in done))


def _kept(file: Path | None) -> dict[int, str]:
    """Return how faults ended that an earlier run wrote down, by their numbers."""
    if file is None or not file.exists():
        return {}
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {number: end for number, _, end in lines}


def _room(path: Path) -> str:
    """Return the room of a file of the package."""
    inside = [(len(f), r) for r, of in ROOMS.items() for f in of
              if path.is_relative_to(f)]  # fmt: skip
    return max(inside)[1]


def _table(done: list[tuple[str, str]]) -> str:
    """Return how many faults of each room were seen, as a table of a page."""
    lines = ["| room | faults | seen | % |", "| --- | --- | --- | --- |"]
    for name in (*ROOMS, "all"):
        ends = [end for room, end in done if name in (room, "all")]
        seen = sum(not end.startswith("SURVIVED") for end in ends)
        share = f"{100 * seen / len(ends):.0f}" if ends else ""
        lines.append(f"| {name} | {len(ends)} | {seen} | {share} |")
    return "\n".join(lines)


def _hear(file: Path, tests: list[str], *, slow: bool) -> None:
    """Run the tests once, and write which functions each of them calls."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "REACH": str(file)}
    which = "slow or not slow" if slow else "not slow"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mutants.reach", "-m", which]
    command += tests
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr)


def _read(file: Path) -> Reach:
    lines = file.read_text(encoding="utf-8").splitlines()
    tests = [json.loads(line) for line in lines]
    return [(test, seconds, set(functions)) for test, seconds, functions in tests]


def _load() -> None:
    """Import what all tests need and none changes, so that a fork has it at once."""
    import hypothesis  # noqa: F401
    import matplotlib  # noqa: F401
    import sympy  # noqa: F401
    import torch
    import torch.utils._pytree

    torch.set_num_threads(1)


def _killed(fault: Fault, tree: Path, reach: Reach, seconds: float, slow: bool) -> str:
    """Say which test fails where the fault is planted."""
    tests, left_out, due = _tests(fault, tree, reach, seconds)
    if not tests:
        return "SURVIVED: no test calls it"
    source, written = fault.file.read_bytes(), fault.file.stat().st_mtime
    fault.file.write_bytes(fault.planted(source))
    os.utime(
        fault.file, (time.time(), written + 1 + fault.begin)
    )  # unlike what is compiled
    try:
        killer = _run(tests, tree, START + SLOWER * due, slow)
    finally:
        fault.file.write_bytes(source)
        os.utime(fault.file, (time.time(), written))
    some = f"{len(tests)} of {len(tests) + left_out} tests that call it"
    return killer or f"SURVIVED {some}"


def _tests(
    fault: Fault, tree: Path, reach: Reach, seconds: float
) -> tuple[list[str], int, float]:
    """Return the tests to run in their order, how many are left out, and their seconds."""
    path = fault.file.relative_to(tree)
    rooms = [f"tests/{'/'.join(path.parts[1:n])}/" for n in range(2, len(path.parts))]

    def called(functions: set[str]) -> bool:
        if fault.function is None:
            return any(f.startswith(f"{path}:") for f in functions)
        return f"{path}:{fault.function}" in functions

    def order(entry: tuple[str, float, set[str]]) -> tuple[int, float]:
        test, took, functions = entry
        of_file = sum(f.startswith(f"{path}:") for f in functions)
        return -sum(test.startswith(room) for room in rooms), took / of_file

    found = sorted((entry for entry in reach if called(entry[2])), key=order)
    tests: list[str] = []
    due = 0.0
    for test, took, _ in found:
        if due + took <= seconds or not tests:
            tests.append(test)
            due += took
    return tests, len(found) - len(tests), due


def _run(tests: list[str], tree: Path, limit: float, slow: bool) -> str | None:
    """Return how tests failed that were run in a process of their own, or None."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        os.close(read)
        os.write(write, (_failed(tests, tree, slow) or "").encode())
        os._exit(0)
    os.close(write)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            with os.fdopen(read) as said:
                return said.read() or None
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)  # a process group that was made here
    os.waitpid(child, 0)
    os.close(read)
    return "killed by its time"


def _failed(tests: list[str], tree: Path, slow: bool) -> str | None:
    """Return the test that fails in this process, which must have loaded nothing of ours."""
    import pytest

    os.chdir(tree)
    sys.path[:0] = [str(tree)]
    sys.dont_write_bytecode = False
    os.environ["PYTHONPATH"] = os.pathsep.join([str(tree), str(tree / "tests")])
    killer = Killer()
    which = ["-m", "slow or not slow"] if slow else []
    options = ["-n", "0", "-x", "-q", "-p", "no:cacheprovider", *which]
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
        status = pytest.main([*options, *tests], plugins=[killer])
    if status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return None
    why = out.getvalue().strip().splitlines()[-1:] if killer.test is None else []
    return f"killed by {killer.test or 'what is collected: ' + ''.join(why)}"


def _short(fault: Fault) -> str:
    before, after = (" ".join(t.split()) for t in (fault.before, fault.after))
    return f"{before[:70]}  ->  {after[:70]}"


if __name__ == "__main__":
    sys.exit(main())
