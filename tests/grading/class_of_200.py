"""Two hundred submissions whose grades are known: right, wrong, broken and hostile ones.

`PYTHONPATH=tests python -m grading.class_of_200` grades them on two cores, is killed on the
way and goes on, grades them one at a time and on a local Dask cluster as well, and prints
what came out and how long it took.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter, defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from grading.made_class import (
    ATTEMPTS,
    HOSTILE,
    IDENTITY,
    MEAN,
    RUBRIC,
    SOLUTION,
    TURNED,
    UNLOGGED,
    Traps,
    at_call,
    notebook,
    slipped,
    tries,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COUNT = 200
SECONDS = 20
HANGING = 4  # of those who run until their time is over, which takes just that long

_SUM = "return self.log_a.sum().expand(len(x))"


@dataclass(frozen=True)
class Kind:
    """A manner of submission, and what must come of it.

    `text` is that of its file; `packed` makes the handed-in files of it, named as they
    are behind the submission's own name.
    """

    name: str
    text: str
    standing: str
    points: float
    code: str | None = None
    packed: Callable[[str], tuple[str, bytes]] = lambda text: (".py", text.encode())
    is_slow: bool = False


def _in_zip(text: str) -> tuple[str, bytes]:
    return ".zip", zipped({"sheet/flows.py": text, "sheet/notes.txt": "mine"})


def _in_notebook(text: str) -> tuple[str, bytes]:
    cells = notebook("# Sheet 1\nimport torch", text, "raise RuntimeError('a draft')")
    return ".ipynb", cells.encode()


def _in_folder(text: str) -> tuple[str, bytes]:
    return "/flows.py", text.encode()


def _reaching_out(text: str) -> tuple[str, bytes]:
    return ".zip", zipped({"../../flows.py": text})


def _swelling(text: str) -> tuple[str, bytes]:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flows.py", text)
        archive.writestr("zeros.bin", bytes(2**26 + 1))
    return ".zip", data.getvalue()


SOFT = slipped("self.log_a.exp()", "nn.functional.softplus(self.log_a)")
SOFT = slipped("(-self.log_a).exp()", "1 / nn.functional.softplus(self.log_a)", SOFT)
SOFT = slipped(
    "self.log_a.sum()", "nn.functional.softplus(self.log_a).log().sum()", SOFT
)
LOOPED = slipped(
    _SUM,
    "total = 0.0\n        for a in self.log_a.exp():\n            total = total + a.log()\n"
    "        return total.expand(len(x))",
)
RIGHT = (
    Kind("right", SOLUTION, "right", 2),
    Kind("right, other names", slipped("log_a", "s"), "right", 2),
    Kind("right, in a loop", LOOPED, "right", 2),
    Kind("right, archived", SOLUTION, "right", 2, packed=_in_zip),
    Kind("right, in a notebook", SOLUTION, "right", 2, packed=_in_notebook),
    Kind("right, in a folder", SOLUTION, "right", 2, packed=_in_folder),
    Kind("right, of no use", "import nothing_of_this_name\n" + SOLUTION, "right", 2),
)
WRONG = (
    Kind("mean", MEAN, "wrong", 1.5, "LDJ105"),
    Kind("mean, archived", MEAN, "wrong", 1.5, "LDJ105", packed=_in_zip),
    Kind("mean, in a notebook", MEAN, "wrong", 1.5, "LDJ105", packed=_in_notebook),
    Kind("turned", TURNED, "wrong", 0, "LDJ104"),
    Kind("no logarithm", UNLOGGED, "wrong", 0, "LDJ108"),
    Kind("no term", slipped(_SUM, "return torch.zeros(len(x))"), "wrong", 0, "LDJ119"),
    Kind("twice", slipped("self.log_a.sum()", "2 * self.log_a.sum()"), "wrong", 0),
    Kind(
        "over the batch",
        slipped("expand(len(x))", "expand(len(x)) * len(x)"),
        "wrong",
        0,
    ),
    Kind("other map", SOFT, "held", 0),
    Kind("identity", IDENTITY, "wrong", 0),
    Kind("way back astray", slipped("y * (-self", "y - (-self"), "wrong", 0),
    Kind("way back unturned", slipped("-self.ldj(y)", "self.ldj(y)"), "wrong", 0),
)
BROKEN = (
    Kind("no Python", "def f(:\n" + SOLUTION, "broken", 0),
    Kind(
        "missing module",
        "import nothing_of_this_name as gone\n"
        + slipped("self.log_a.sum()", "gone.sum(self.log_a)"),
        "broken",
        0,
    ),
    Kind("raises", at_call("raise ValueError('not today')"), "broken", 0),
    Kind("other name", slipped("Scale", "Stretch"), "absent", 0),
    Kind("empty", "", "absent", 0),
    Kind("needs arguments", slipped("dims=2", "dims"), "broken", 0),
    Kind("reaches out", SOLUTION, "absent", 0, packed=_reaching_out),
    Kind("swells", SOLUTION, "absent", 0, packed=_swelling),
)
DYING = (
    Kind("exits", at_call("import sys; sys.exit(0)"), "broken", 0),
    Kind("crashes", at_call("import ctypes; ctypes.string_at(0)"), "stopped", 0),
    Kind("recurses", at_call("return self.forward(x)"), "broken", 0),
    Kind(
        "fills the disk",
        at_call(
            """
            for number in range(10**6):
                with open(f"file{number}", "wb") as file:
                    file.write(bytes(2**22))
            """
        ),
        "stopped",
        0,
    ),
    Kind(
        "prints without end",
        at_call("import os\nwhile True: os.write(2, b'x' * 2**16)"),
        "stopped",
        0,
    ),
    Kind(
        "starts threads",
        at_call(
            """
            import threading, time
            for _ in range(10**6):
                threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
            """
        ),
        "broken",
        0,
    ),
    Kind(
        "closes all files",
        at_call("import os; os.closerange(0, 256)"),
        "stopped",
        0,
    ),
    Kind(
        "computes without end",
        at_call("while True: pass"),
        "stopped",
        0,
        is_slow=True,
    ),
    Kind(
        "does not want to end",
        dedent(
            """
            import signal, time
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
                signal.signal(each, signal.SIG_IGN)
            while True:
                time.sleep(1)
            """
        )
        + SOLUTION,
        "stopped",
        0,
        is_slow=True,
    ),
)
FORGING = (
    Kind(
        "makes slogdet lie",
        MEAN + "\ntorch.linalg.slogdet = lambda j: (torch.ones(len(j)), torch.zeros(len(j)))",
        "wrong",
        0,
    ),
    Kind(
        "counts everything alike",
        MEAN + "\nclass Same(float):\n    __eq__ = __le__ = __lt__ = lambda a, b: True\n"
        "torch.allclose = torch.equal = lambda *a, **b: True",
        "wrong",
        1.5,
    ),
    Kind(
        "knows when it is looked at",
        MEAN + "\nimport sys\nLOOKED = 'ldjcheck' in sys.modules",
        "wrong",
        0,
    ),
)  # fmt: skip


def kinds(traps: Traps) -> list[Kind]:
    """Return all kinds; hostile ones go for the traps."""
    plain = (Kind(h.name, h.text, h.standing, h.points, is_slow=h.name == "hangs")
             for h in HOSTILE)  # fmt: skip
    trying = (
        Kind(f"{theme} what is not its own", tries(traps, theme), "right", 2)
        for theme in ATTEMPTS
    )
    return [*RIGHT, *WRONG, *BROKEN, *DYING, *FORGING, *plain, *trying]


def planned(count: int, traps: Traps) -> dict[str, Kind]:
    """Return a class: kinds in turn, by the names of submissions.

    Of the slow ones there are few; for the rest a submission is right.
    """
    every = kinds(traps)
    found, made = {}, Counter[str]()
    for number in range(count):
        kind = every[number % len(every)]
        if kind.is_slow and made[kind.name] >= max(1, HANGING // 2):
            kind = RIGHT[number % len(RIGHT)]
        made[kind.name] += 1
        found[f"s{number:03}"] = kind
    return found


# --- grading it ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Class:
    """A class on disk, what is planned for it, and the traps around it."""

    folder: Path
    planned: dict[str, Kind]
    traps: Traps

    @property
    def graded(self) -> Path:
        """Where the facts of the first grading are kept."""
        return self.folder / "grades" / "facts"

    def copied(self, names: Sequence[str], to: str) -> None:
        """Copy these submissions to a class of their own."""
        unwanted = self.planned.keys() - set(names)
        patterns = [f"{name}{end}" for name in unwanted for end in ("", ".*")]
        shutil.copytree(
            self.folder / "class",
            self.folder / to,
            ignore=shutil.ignore_patterns(*patterns),
        )


@contextmanager
def made(folder: Path, count: int = COUNT) -> Iterator[Class]:
    """Write a class, with an open port that nobody may reach while it is graded."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        secret = folder / "secret" / "answers.txt"
        secret.parent.mkdir()
        secret.write_text("the answers")
        traps = Traps(secret, folder / "mark", listening.getsockname()[1])
        found = Class(folder, planned(count, traps), traps)
        (folder / "solution.py").write_text(SOLUTION)
        (folder / "rubric.toml").write_text(RUBRIC.format(seconds=SECONDS))
        for name, kind in found.planned.items():
            suffix, data = kind.packed(f"{kind.text}\n# {name}\n")
            path = folder / "class" / f"{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        yield found
        assert (
            found.folder.joinpath("secret", "answers.txt").read_text() == "the answers"
        )
        assert not found.traps.mark.exists()
        try:
            listening.accept()
        except BlockingIOError:
            return
        raise AssertionError("a submission reached a port of this machine")


def grade(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start grading with a rubric that lies in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "ldjcheck", "grade", *words, "--rubric", "rubric.toml",
         "--format", "json", "-q"],
        cwd=folder, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip


def results(folder: Path, out: str) -> dict[str, Any]:
    """Return what was written about each submission."""
    document = json.loads((folder / out / "grades.json").read_text())
    return {each["name"]: each for each in document["submissions"]}


def grade_and_kill(found: Class) -> tuple[int, dict[str, int]]:
    """Begin to grade, kill it when a tenth is done, and go on.

    Returns how many were done when it was killed, and which of them were done again.
    """
    first = grade(found.folder, "class", "-j", "2")
    while not found.graded.is_dir() or len(_facts(found)) < len(found.planned) // 10:
        assert first.poll() is None
        time.sleep(0.2)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    done = _facts(found)
    second = grade(found.folder, "class", "-j", "2")
    _, said = second.communicate()
    assert second.returncode == 3, said
    again = {
        name: when
        for name, when in _facts(found).items()
        if done.get(name, when) != when
    }
    return len(done), again


def _facts(found: Class) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in found.graded.glob("*.json")}


def grade_otherwise(found: Class, how: str, names: Sequence[str]) -> dict[str, Any]:
    """Return what comes of some submissions at `-j 1`, or on a local `dask` cluster."""
    found.copied(names, f"class {how}")
    words = [f"class {how}", "--out", how]
    with _cluster() if how == "dask" else nullcontext("") as where:
        more = ["--executor", where] if where else ["-j", "1"]
        graded = grade(found.folder, *words, *more)
        _, said = graded.communicate()
    assert graded.returncode in (0, 3), said
    return results(found.folder, how)


@contextmanager
def _cluster() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        yield f"dask:{cluster.scheduler_address}"


def off(found: Class, out: str) -> dict[str, dict[str, Any]]:
    """Return what was not graded as planned, by the kind and the name of a submission."""
    graded = results(found.folder, out)
    wrong = {}
    for name, each in graded.items():
        layer, kind = each["layers"][0], found.planned[name]
        codes = [c["code"] for c in layer["causes"] if c["severity"] == "error"]
        same = (layer["standing"], layer["points"]) == (kind.standing, kind.points)
        if not same or (kind.code and codes[:1] != [kind.code]):
            wrong[f"{kind.name}: {name}"] = layer
    return wrong


# --- as a command ---------------------------------------------------------------------------


def main() -> None:
    """Grade the class in three ways, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="submissions in all")
    parser.add_argument(
        "--nth", type=int, default=1, help="which of them are graded in other ways too"
    )
    parser.add_argument("--folder", type=Path, help="an empty one, to be kept")
    typed = parser.parse_args()
    folder = typed.folder or Path(tempfile.mkdtemp(prefix="class-"))
    folder.mkdir(parents=True, exist_ok=True)
    before = _left_over()
    with made(folder, typed.count) as found:
        started = time.perf_counter()
        done, again = grade_and_kill(found)
        seconds = time.perf_counter() - started
        _print_kinds(found)
        print(f"{len(found.planned)} submissions at -j 2 in {seconds:.0f} s; killed after "
              f"{done}, of which {len(again)} were graded again")  # fmt: skip
        whole = results(folder, "grades")
        for how in ("-j 1", "dask"):
            started = time.perf_counter()
            part = grade_otherwise(found, how, list(found.planned)[:: typed.nth])
            seconds = time.perf_counter() - started
            other = [name for name in part if part[name] != whole[name]]
            print(f"{len(part)} of them at {how} in {seconds:.0f} s; "
                  f"otherwise than before: {', '.join(other) or 'none'}")  # fmt: skip
    left = _left_over() - before
    print(
        f"secrets, places outside and ports untouched; left behind: {left or 'nothing'}"
    )
    print(f"as JSON: {folder / 'grades' / 'grades.json'}")


def _left_over() -> set[str]:
    """Return the folders that submissions ran in and that are still there."""
    return {
        n for n in os.listdir(tempfile.gettempdir()) if n.startswith("ldjcheck-grade-")
    }


def _print_kinds(found: Class) -> None:
    wrong = off(found, "grades")
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name, kind in found.planned.items():
        by_kind[kind.name].append(name)
    for kind, names in by_kind.items():
        plan = found.planned[names[0]]
        count = sum(f"{kind}: {name}" not in wrong for name in names)
        print(f"{kind:32} {plan.standing:9} {plan.points:3g}  {count} of {len(names)}")
    for name, layer in wrong.items():
        codes = [cause["code"] for cause in layer["causes"]]
        print(
            f"OFF {name}: {layer['standing']} {layer['points']} {codes} {layer['why']}"
        )


if __name__ == "__main__":
    main()
