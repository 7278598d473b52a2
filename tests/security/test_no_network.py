"""A check opens no connection: every process that it starts says what it does with sockets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import RIGHT_AND_WRONG, in_changed_python

WATCH = """
import os, socket, sys

LOG = os.environ["WATCHED_SOCKETS"]


def told(what):
    line = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(line, (what + "\\n").encode())
    os.close(line)


def watch(event, arguments):
    if not event.startswith("socket."):
        return
    here = getattr(socket, "AF_UNIX", None)
    if event == "socket.__new__" and arguments[1] == here:
        return  # between processes of one machine
    if event in ("socket.bind", "socket.connect") and arguments[0].family == here:
        return
    told(event)
    raise PermissionError("no network here")


told("started")
sys.addaudithook(watch)
"""
FLOWS = f"""{RIGHT_AND_WRONG}

class Reaches(nn.Module):
    def forward(self, x):
        import socket

        socket.create_connection(("127.0.0.1", 9), 1)
        return x, 0 * x.sum(1)


class Unwritten(nn.Module):
    def forward(self, x):
        return x.sinh()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS)
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": FLOWS}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "flows.ipynb").write_text(json.dumps(notebook))
    return tmp_path


def events(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Return the exit status of a command, and what its processes did with sockets."""
    log = folder / "sockets.log"
    ran = in_changed_python(folder, WATCH, *arguments, WATCHED_SOCKETS=str(log))
    assert log.exists(), ran.stderr
    return ran.returncode, log.read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["flows.py:Right", "--shape", "3"], 0),
        (["flows.py:Wrong", "--shape", "3", "--format", "html", "--fix"], 1),
        (["explain", "LDJ101"], 0),
        pytest.param(
            ["flows.ipynb:Right", "--shape", "3", "-j", "2"], 0, marks=pytest.mark.slow
        ),
        pytest.param(
            ["derive", "flows.py:Unwritten", "--shape", "3"], 0, marks=pytest.mark.slow
        ),
    ],
    ids=["pass", "fix", "explain", "notebook", "derive"],
)
def test_a_command_uses_no_network(
    arguments: list[str], status: int, folder: Path
) -> None:
    returned, seen = events(folder, *arguments)
    assert returned == status
    assert set(seen) == {"started"}


@pytest.mark.slow
def test_a_layer_that_connects_would_have_been_seen(folder: Path) -> None:
    status, seen = events(folder, "flows.py:Reaches", "--shape", "3")
    assert status == 2
    assert {event for event in seen if event.startswith("socket.")}
