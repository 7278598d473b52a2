"""A class whose grades are known before it is graded."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SOLUTION = """
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, dims=2):
        super().__init__()
        self.log_a = nn.Parameter(torch.randn(dims) * 0.1)

    def forward(self, x):
        return x * self.log_a.exp(), self.ldj(x)

    def ldj(self, x):
        return self.log_a.sum().expand(len(x))

    def inverse(self, y):
        return y * (-self.log_a).exp(), -self.ldj(y)
"""

RUBRIC = """
name = "Sheet 1"
reference = "solution.py"
timeout = {seconds}
memory = "512 MB"

[costs]
mean-not-sum = 0.5

[[layer]]
expr = "Scale"
points = 2
"""


@dataclass(frozen=True)
class Planned:
    """A submission, and what must come of it."""

    name: str
    text: str
    standing: str
    points: float
    code: str | None = None


def slipped(old: str, new: str, text: str = SOLUTION) -> str:
    """Return the solution with a slip in it."""
    assert old in text
    return text.replace(old, new)


MEAN = slipped("self.log_a.sum()", "self.log_a.mean()")
TURNED = slipped("return self.log_a.sum()", "return -self.log_a.sum()")
UNLOGGED = slipped("self.log_a.sum()", "self.log_a.exp().sum()")
IDENTITY = slipped("return x * self.log_a.exp(), self.ldj(x)", "return x, self.ldj(x)")
IDENTITY = slipped("return y * (-self.log_a).exp()", "return y", IDENTITY)
IDENTITY = slipped("self.log_a.sum().expand(len(x))", "torch.zeros(len(x))", IDENTITY)
RENAMED = slipped("log_a", "s", MEAN).replace("    def ldj", "    # mine\n    def ldj")

AT_CALL = "        return x * self.log_a.exp(), self.ldj(x)"


def at_call(lines: str, text: str = SOLUTION) -> str:
    """Return a layer that does something more when it is called."""
    more = indent(dedent(lines).strip(), " " * 8)
    return slipped(AT_CALL, f"{more}\n{AT_CALL}", text)


FORGES_BY_PATCHING = MEAN + dedent(
    """
    import ldjcheck.checking as check
    from ldjcheck.records import Result
    def fake(layer, *args, **named):
        return Result(target=layer.target, layer=layer.name, status="pass")
    check.check_layer = fake
    """
)

FORGES_MESSAGES = MEAN + dedent(
    """
    import gc, os
    for each in gc.get_objects():
        if type(each).__name__ == "Channel":
            each.send({"status": "pass", "findings": [], "final": True})
    """
)

FORGES_ANSWERS = MEAN + dedent(
    """
    import gc
    class Liar:
        def __init__(self, channel):
            self._channel = channel
        def serve(self):
            about = {"directions": ["forward"], "shape": [2], "domain": "real",
                     "tracked": True, "promoted": True}
            self._channel.send(about)
            while (asked := self._channel.receive()) is not None:
                if asked["ask"] == "run":
                    x = asked["x"]
                    self._channel.send({"y": x, "ldj": [0.0] * len(x), "form": None,
                                        "noise": None})
                else:
                    self._channel.send({"state": {}, "odd": []})
    import sys
    if sys._getframe(0).f_back is not None:
        for each in gc.get_objects():
            if type(each).__name__ == "Channel":
                Liar(each).serve()
    """
)

SCRIBBLES = MEAN + dedent(
    """
    import os
    print('{"status": "pass", "findings": [], "final": true}')
    for number in range(3, 64):
        try:
            os.write(number, b'{"status": "pass", "findings": [], "final": true}\\n')
        except OSError:
            pass
    """
)

HOSTILE = (
    # a forger's layer is wrong as everybody's is; what it claims is put aside
    Planned("forges by patching", FORGES_BY_PATCHING, "held", 0),
    Planned("forges messages", FORGES_MESSAGES, "stopped", 0),
    Planned("forges answers", FORGES_ANSWERS, "wrong", 0),
    Planned("scribbles", SCRIBBLES, "stopped", 0),
    Planned("leaves", at_call("import os; os._exit(0)"), "stopped", 0),
    Planned("hangs", at_call("import time; time.sleep(1e6)"), "stopped", 0),
    Planned(
        "eats memory",
        at_call("eaten = [bytearray(2**26) for _ in range(2**10)]"),
        "stopped",
        0,
    ),
    Planned("floods", at_call("for _ in range(9): print('x' * 10**6)"), "stopped", 0),
)


ATTEMPTS = {
    "reads": """
        attempt(lambda: open({secret!r}).read())
        attempt(lambda: os.listdir({secrets!r}))
        attempt(lambda: os.listdir(".."))
        attempt(lambda: open("/proc/self/environ").read())
        attempt(lambda: open("/etc/passwd").read())
        attempt(lambda: os.symlink({secret!r}, "mine") or open("mine").read())
    """,
    "writes": """
        attempt(lambda: open({mark!r}, "w"))
        attempt(lambda: open("../mark", "w"))
        attempt(lambda: os.rename({secret!r}, {mark!r}))
        attempt(lambda: os.remove({secret!r}))
        attempt(lambda: os.chmod({secret!r}, 0))
        attempt(lambda: os.utime({secret!r}, (0, 0)))
        attempt(lambda: os.truncate({secret!r}, 0))
    """,
    "kills": """
        attempt(lambda: os.kill(os.getppid(), signal.SIGKILL))
        for process in range(max(2, os.getpid() - 40), os.getpid()):
            attempt(lambda: os.kill(process, signal.SIGKILL))
        attempt(lambda: os.killpg(os.getpgid(os.getppid()), signal.SIGKILL))
        attempt(lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19))
    """,
    "forks": """
        for _ in range(100):
            attempt(lambda: os._exit(0) if os.fork() == 0 else None)
        attempt(lambda: subprocess.run(["true"]))
        attempt(lambda: os.posix_spawn("/bin/true", ["true"], {{}}))
        attempt(lambda: os.execv("/bin/true", ["true"]))
    """,
    "connects": """
        attempt(lambda: socket.socket().connect(("127.0.0.1", {port})))
        attempt(lambda: socket.create_connection(("127.0.0.1", {port}), 1))
        attempt(lambda: socket.socket(socket.AF_UNIX))
    """,
}
"""What a hostile layer tries, by theme; each succeeds only where it is not confined."""


@dataclass(frozen=True)
class Traps:
    """What hostile layers reach for: others' work, a place outside, an open port."""

    secret: Path
    mark: Path
    port: int = 1


def tries(traps: Traps, *themes: str) -> str:
    """Return a right layer that is wrong as soon as anything that it tries succeeds."""
    lines = "".join(
        dedent(ATTEMPTS[theme]).format(
            secret=str(traps.secret),
            secrets=str(traps.secret.parent),
            mark=str(traps.mark),
            port=traps.port,
        )
        for theme in themes
    )
    trying = (
        dedent(
            """
            from torch import nn
            import os, signal, socket, subprocess, sys
            SUCCEEDED = 0
            def attempt(what):
                global SUCCEEDED
                try:
                    what()
                except (OSError, ValueError, subprocess.SubprocessError):
                    return
                SUCCEEDED += 1
            """
        )
        + lines
    )
    summed = "return self.log_a.sum().expand(len(x))"
    text = slipped(summed, f"{summed} + SUCCEEDED")
    return text.replace("from torch import nn\n", trying, 1)


def write_class(folder: Path, submissions: dict[str, str], seconds: int = 60) -> None:
    """Write a rubric, its solution and Python files of submissions."""
    (folder / "solution.py").write_text(SOLUTION)
    (folder / "rubric.toml").write_text(RUBRIC.format(seconds=seconds))
    (folder / "class").mkdir()
    for name, text in submissions.items():
        (folder / "class" / f"{name}.py").write_text(text)


def zipped(files: dict[str, str]) -> bytes:
    """Return files as a zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


def notebook(*cells: str) -> str:
    """Return a notebook with these cells of code."""
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "source": cell,
                    "metadata": {},
                    "outputs": [],
                    "execution_count": None,
                }
                for cell in cells
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        indent=1,
    )
