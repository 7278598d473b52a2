"""Some of the cases of `python -m tests.fuzz`, and that it would see what it looks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from small_layers import Affine

from . import layers, touched
from .cases import Case, draw
from .layers import Source
from .running import Ran, run

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="it forks, and reads what a process holds"
)


def is_answered(case: Case) -> Ran:
    ran = run(replace(case, limit=2.0))
    assert not ran.findings, f"{case.repeat}\n{case.told()}\n" + "\n".join(ran.findings)
    return ran


@pytest.mark.thinned(90)
@pytest.mark.parametrize("number", range(450))
def test_whatever_is_checked_is_answered_and_left_as_it_was(number: int) -> None:
    is_answered(draw(0, number, may_hang=False))


@pytest.mark.slow
@pytest.mark.parametrize("act", [name for name, act in layers.ACTS.items() if act.ends])
@pytest.mark.parametrize("when", ["CALLS == 1", "CALLS == 20"])
def test_whatever_ends_or_hangs_its_process_is_answered(act: str, when: str) -> None:
    source = Source(act=act, when=when)
    is_answered(Case(seed=0, number=0, face="command", source=source))


@pytest.mark.slow
@pytest.mark.parametrize("returns", layers.RETURNS)
@pytest.mark.parametrize("when", ["True", "CALLS > 5"])
def test_whatever_is_returned_is_answered(returns: str, when: str) -> None:
    source = Source(returns=returns, when=when)
    is_answered(Case(seed=0, number=0, face="python", source=source))


def test_a_case_is_drawn_again_by_its_seed_and_number() -> None:
    assert draw(3, 5) == draw(3, 5)
    assert draw(3, 5) != draw(3, 6)
    assert draw(3, 5) != draw(4, 5)


def test_every_piece_is_drawn() -> None:
    sources = [draw(0, number).source for number in range(6000)]
    assert {s.act for s in sources} == {*layers.ACTS}
    assert {s.returns for s in sources} == {"", *layers.RETURNS}
    assert {s.map for s in sources} == {*layers.MAPS}
    assert {s.oddity for s in sources} == {*layers.ODDITIES}
    assert {s.convention for s in sources} == {*layers.CONVENTIONS}


def chdir() -> None:
    os.chdir("/")


def filters() -> None:
    warnings.simplefilter("error")


DEEDS: dict[str, Callable[[], Any]] = {
    "working folder": chdir,
    "warnings": filters,
    "environment": lambda: os.environ.update(LDJCHECK_FUZZ="1"),
    "random numbers of torch": lambda: torch.rand(1),
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "grad mode": lambda: torch.set_grad_enabled(False),
    "path": lambda: sys.path.append("/nowhere"),
    "files": lambda: os.open(os.devnull, os.O_RDONLY),
    "torch": lambda: setattr(torch, "log", lambda x: x),
    "hooks": lambda: torch.nn.modules.module.register_module_forward_hook(print),
}


@pytest.mark.parametrize("name", DEEDS)
def test_what_a_check_would_leave_otherwise_is_seen(name: str) -> None:
    reader, writer = os.pipe()
    if not (child := os.fork()):  # where it does no harm
        before = touched.process()
        DEEDS[name]()
        os.write(
            writer, json.dumps(touched.changed(before, touched.process())).encode()
        )
        os._exit(0)
    os.waitpid(child, 0)
    assert name in json.loads(os.read(reader, 65536))
    os.close(reader)
    os.close(writer)


def test_what_becomes_of_a_layer_is_seen() -> None:
    layer = Affine()
    before = touched.layer(layer)
    assert not touched.changed(before, touched.layer(layer))
    with torch.no_grad():
        layer.shift[0] += 1e-7
    layer.train(False)
    layer.kept = [3]
    told = touched.changed(before, touched.layer(layer))
    assert {"layer._parameters.shift", "layer.training", "layer holds"} <= {*told}


def test_a_fault_of_ours_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldjcheck.checking.settle_layer", None)
    (found,) = run(Case(seed=0, number=0, face="python", source=Source())).findings
    assert "TypeError: 'NoneType' object is not callable" in found


@pytest.mark.slow
def test_three_hundred_checks_take_no_more_than_some() -> None:
    root = Path(__file__).parents[2]
    command = (
        "from tests.fuzz.soaking import soak; import json; print(json.dumps(soak(300)))"
    )
    path = os.pathsep.join([str(root), str(root / "tests")])
    ran = subprocess.run(
        [sys.executable, "-c", command], cwd=root, capture_output=True, check=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    rows = json.loads(ran.stdout)
    for name in ("tensors", "files", "threads", "hooks"):
        assert len({row[name] for row in rows[2:]}) == 1, [row[name] for row in rows]
    for name in ("memory, MiB", "objects"):
        early, late = ([row[name] for row in part] for part in (rows[3:6], rows[-3:]))
        grown = max(late) - max(early)
        spread = max(early) - min(early)
        assert grown <= 3 * spread + 0.01 * max(early), [row[name] for row in rows]
