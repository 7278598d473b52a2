"""The command line in processes of their own, which need not load torch each.

A process that has loaded torch and run nothing forks for every command: what it prints
and how it exits is what `python -m ldjcheck` would. Tests of what a start costs, or of
signals and terminals, start a new Python instead.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Ran = subprocess.CompletedProcess[str]


def ldjcheck_in(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    merged: bool = False,
    as_owner: bool = False,
) -> Ran:
    """Run the command line in a folder, and return what came out.

    `merged` is as on a terminal: what goes to standard error stands where it was said.
    `as_owner` lets the permissions of folders stop the superuser as they do others.
    """
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as scratch:
        out, err = (Path(scratch, name) for name in ("out", "err"))
        err.touch()
        environment = dict(os.environ if env is None else env)
        asked = {"arguments": arguments, "folder": str(folder), "env": environment}
        asked |= {
            "out": str(out),
            "err": str(out if merged else err),
            "as_owner": as_owner,
        }
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        return Ran(
            ["ldjcheck", *arguments],
            status,
            out.read_text("utf-8", "replace"),
            err.read_text("utf-8", "replace"),
        )


RIGHT_AND_WRONG = """
import torch
from torch import nn


class Right(nn.Module):
    def forward(self, x):
        return x.sinh(), x.cosh().log().sum(1)


class Wrong(nn.Module):
    def forward(self, x):
        return x.sinh(), x.cosh().log().mean(1)
"""


def in_changed_python(folder: Path, start: str, *arguments: str, **env: str) -> Ran:
    """Run the command line in a folder, in Pythons that all run `start` at first."""
    changed = folder / "changed"
    changed.mkdir(exist_ok=True)
    (changed / "sitecustomize.py").write_text(start, encoding="utf-8")
    root = Path(__file__).parents[1]
    paths = os.pathsep.join([str(changed), str(root)])
    return subprocess.run(
        [sys.executable, "-m", "ldjcheck", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(  # our own file
        [sys.executable, str(Path(__file__).resolve())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.kill)
    return server


# --- in the server -------------------------------------------------------------------


def _serve() -> None:
    import torch  # noqa: F401  # what every command would wait for

    import ldjcheck.api  # noqa: F401

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _run(asked)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _give_up_privileges() -> None:
    """Give up what lets a process on Linux read and write whatever it likes."""
    if sys.platform == "linux" and os.geteuid() == 0:
        import ctypes

        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)())


def _run(asked: dict[str, Any]) -> None:
    """Become the command, in the place of `python -m ldjcheck`."""
    os.setsid()
    for stream, path in ((1, asked["out"]), (2, asked["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(asked["folder"])
    if asked["as_owner"]:
        _give_up_privileges()
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["ldjcheck", *asked["arguments"]]
    sys.path[0] = asked["folder"]
    status: Any = 1
    try:
        from ldjcheck.cli import main

        main()
        status = 0
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # as Python shows what nobody catches
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    _serve()
