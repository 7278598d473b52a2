"""Targets that misbehave: each is named for what it does, and ends alone."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

import ldjcheck

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable

    Ran = subprocess.CompletedProcess[str]
    Results = dict[str, Any]
    Check = Callable[[Iterable[str]], tuple[Ran, Results]]

HEALTHY = """
    import torch
    from torch import nn

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.4, 0.2]))

        def forward(self, z, ldj, reverse=False):
            log_scale = -self.log_scale if reverse else self.log_scale
            return z * log_scale.exp(), ldj + log_scale.sum()
"""

HOSTILE = """
    import ctypes, os, signal, sys, time
    import torch
    from healthy import Scale

    class NeedsArguments(Scale):
        def __init__(self, network, mask):
            super().__init__()

    class Raises(Scale):
        def forward(self, z, ldj, reverse=False):
            raise RuntimeError("not today")

    class ReturnsNone(Scale):
        def forward(self, z, ldj, reverse=False):
            return None

    class WrongBatch(Scale):
        def forward(self, z, ldj, reverse=False):
            z, ldj = super().forward(z, ldj, reverse)
            return z, torch.cat([ldj, ldj])

    class NotANumber(Scale):
        def forward(self, z, ldj, reverse=False):
            z, ldj = super().forward(z, ldj, reverse)
            return z, ldj * float("nan")

    class Loops(Scale):
        def forward(self, z, ldj, reverse=False):
            while True:
                pass

    class LoopsWhenBuilt(Scale):
        def __init__(self):
            while True:
                pass

    class Leaves(Scale):
        def forward(self, z, ldj, reverse=False):
            sys.exit(0)

    class Interrupts(Scale):
        def forward(self, z, ldj, reverse=False):
            raise KeyboardInterrupt

    class LeavesAtOnce(Scale):
        def forward(self, z, ldj, reverse=False):
            os._exit(0)

    class Aborts(Scale):
        def forward(self, z, ldj, reverse=False):
            os.abort()

    class Crashes(Scale):
        def forward(self, z, ldj, reverse=False):
            ctypes.string_at(0)

    class Greedy(Scale):
        def forward(self, z, ldj, reverse=False):
            raise MemoryError

    class Chatty(Scale):
        def forward(self, z, ldj, reverse=False):
            print("{" * 1_000_000)
            os.write(1, b"}" * 1_000_000)
            return super().forward(z, ldj, reverse)

    class ChattyInC(Scale):
        def __init__(self):
            super().__init__()
            c = ctypes.CDLL(None)
            c.puts(b"{" * 100_000)
            c.fflush(None)

    class ClosesEverything(Scale):
        def forward(self, z, ldj, reverse=False):
            os.closerange(0, 256)
            return super().forward(z, ldj, reverse)

    class Replaces(Scale):
        def forward(self, z, ldj, reverse=False):
            sys.stdout = sys.stderr = None
            return super().forward(z, ldj, reverse)

    class ReplacesTorch(Scale):
        def forward(self, z, ldj, reverse=False):
            torch.log = torch.randn = None
            return super().forward(z, ldj, reverse)

    class ReplacesByTorchs(Scale):
        def forward(self, z, ldj, reverse=False):
            torch.randn = torch.zeros
            return super().forward(z, ldj, reverse)

    class ReplacesWhatIsInherited(Scale):
        def forward(self, z, ldj, reverse=False):
            z, ldj = super().forward(z, ldj, reverse)
            torch.Tensor.sum = lambda *args, **kwargs: 1
            return z, ldj

    class RaisesWhenLookedAt(Scale):
        @property
        def inverse(self):
            raise RuntimeError("not yet fitted")

    class RaisesWhatNobodyCatches(Scale):
        def forward(self, z, ldj, reverse=False):
            raise GeneratorExit

    class CannotSayWhy(Scale):
        def forward(self, z, ldj, reverse=False):
            class Mute(Exception):
                def __str__(self):
                    raise RuntimeError("no words")

            raise Mute

    class SaysNoise(Scale):
        def forward(self, z, ldj, reverse=False):
            raise ValueError("\\x1b[2J\\ud800" + "x" * 100_000)

    class Vast(Scale):
        def forward(self, z, ldj, reverse=False):
            torch.empty(10**15)

    class Elsewhere(Scale):
        def forward(self, z, ldj, reverse=False):
            torch.set_default_device("meta")
            return super().forward(z, ldj, reverse)

    class Sparse(Scale):
        def forward(self, z, ldj, reverse=False):
            z, ldj = super().forward(z, ldj, reverse)
            return z.to_sparse(), ldj

    class Weightless(Scale):
        def forward(self, z, ldj, reverse=False):
            return z.to("meta"), ldj
"""

FILES = {
    "healthy.py": HEALTHY,
    "hostile.py": HOSTILE,
    "broken.py": "from no_such_module_anywhere import Layer",
    "leaves.py": "import sys; Layer = sys.exit(3)",
}

UNCHECKABLE = {
    "broken.py:Layer": "LDJ001",
    "leaves.py:Layer": "LDJ001",
    "absent.py:Layer": "LDJ001",
    "absent.module:Layer": "LDJ001",
    "hostile.py:Absent": "LDJ002",
    "hostile.py:NeedsArguments": "LDJ003",
    "hostile.py:torch": "LDJ004",
    "hostile.py:ReturnsNone": "LDJ004",
    "hostile.py:Raises": "LDJ005",
    "hostile.py:Leaves": "LDJ005",
    "hostile.py:Interrupts": "LDJ005",
    "hostile.py:LeavesAtOnce": "LDJ005",
    "hostile.py:Aborts": "LDJ005",
    "hostile.py:Crashes": "LDJ005",
    "hostile.py:ClosesEverything": "LDJ005",
    "hostile.py:Greedy": "LDJ007",
    "hostile.py:ReplacesTorch": "LDJ005",
    "hostile.py:ReplacesByTorchs": "LDJ005",
    "hostile.py:ReplacesWhatIsInherited": "LDJ005",
    "hostile.py:RaisesWhatNobodyCatches": "LDJ005",
    "hostile.py:CannotSayWhy": "LDJ005",
    "hostile.py:SaysNoise": "LDJ005",
    "hostile.py:Vast": "LDJ007",
    "hostile.py:Weightless": "LDJ004",
}
HANGING = ("hostile.py:Loops", "hostile.py:LoopsWhenBuilt")
WRONG = {"hostile.py:WrongBatch": "LDJ199", "hostile.py:NotANumber": "LDJ213"}
SOUND = ("hostile.py:Chatty", "hostile.py:ChattyInC", "hostile.py:Replaces",
    "hostile.py:Elsewhere", "hostile.py:Sparse", "hostile.py:RaisesWhenLookedAt")  # fmt: skip
HEALTHY_TARGET = "healthy.py:Scale"


@pytest.fixture(scope="module")
def check(
    ldjcheck_in: Callable[..., Ran], tmp_path_factory: pytest.TempPathFactory
) -> Check:
    """Check targets in one call, between two that are healthy and must pass.

    Standard output must be one JSON document and nothing else, whatever they print.
    """
    folder = tmp_path_factory.mktemp("hostile")
    for name, text in FILES.items():
        (folder / name).write_text(dedent(text))

    @cache
    def check(targets: tuple[str, ...]) -> tuple[Ran, Results]:
        asked = [HEALTHY_TARGET, *targets, HEALTHY_TARGET]
        limit = ("--timeout", "5") if targets == HANGING else ()
        ran = ldjcheck_in(folder, *asked, "--shape", "3", "--format", "json", *limit)
        results = json.loads(ran.stdout)["results"]
        assert [result["target"] for result in results] == asked
        first, *between, last = results
        assert first["status"] == last["status"] == "pass", (first, last)
        return ran, dict(zip(targets, between, strict=True))

    return lambda targets: check(tuple(targets))


@pytest.mark.slow
@pytest.mark.parametrize(("target", "code"), UNCHECKABLE.items())
def test_what_cannot_be_checked_is_told_why(
    check: Check, target: str, code: str
) -> None:
    result = check(UNCHECKABLE)[1][target]
    assert result["status"] == "error"
    assert result["findings"][0]["code"] == code


@pytest.mark.slow
@pytest.mark.parametrize("target", HANGING)
def test_what_hangs_is_given_up(check: Check, target: str) -> None:
    result = check(HANGING)[1][target]
    assert result["status"] == "error"
    assert result["findings"][0]["code"] == "LDJ007"
    assert 5.0 <= result["seconds"] < 15.0


@pytest.mark.slow
@pytest.mark.parametrize(("target", "code"), WRONG.items())
def test_what_reports_nonsense_fails(check: Check, target: str, code: str) -> None:
    result = check(WRONG)[1][target]
    assert result["status"] == "fail"
    assert result["findings"][0]["code"] == code


@pytest.mark.slow
@pytest.mark.parametrize("target", SOUND)
def test_what_talks_too_much_still_passes(check: Check, target: str) -> None:
    assert check(SOUND)[1][target]["status"] == "pass"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("targets", "code"), [(UNCHECKABLE, 2), (HANGING, 2), (WRONG, 1), (SOUND, 0)]
)
def test_the_exit_status_is_that_of_the_worst(
    check: Check, targets: Iterable[str], code: int
) -> None:
    assert check(targets)[0].returncode == code


@pytest.mark.parametrize("targets", [UNCHECKABLE, HANGING, WRONG, SOUND])
def test_no_frame_of_ours_is_shown(check: Check, targets: Iterable[str]) -> None:
    ran, _ = check(targets)
    ours = f"{Path(ldjcheck.__file__).parent}{os.sep}"
    assert ours not in ran.stdout.replace("\\\\", "\\")
    assert ours not in ran.stderr


def test_what_was_printed_goes_to_standard_error(check: Check) -> None:
    ran, _ = check(SOUND)
    assert "{" * 1_000_000 in ran.stderr
    assert "}" * 1_000_000 in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="has other names for it")
@pytest.mark.parametrize(("name", "how"), [("Aborts", "ABRT"), ("Crashes", "SEGV")])
def test_how_a_process_died_is_told(check: Check, name: str, how: str) -> None:
    result = check(UNCHECKABLE)[1][f"hostile.py:{name}"]
    assert f"the signal SIG{how}" in result["findings"][0]["message"]


def test_a_message_is_escaped_and_cut(check: Check) -> None:
    message = check(UNCHECKABLE)[1]["hostile.py:SaysNoise"]["findings"][0]["message"]
    assert r"\x1b[2J\ud800xxx" in message
    assert len(message) < 3000
