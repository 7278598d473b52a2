"""Which functions each test calls, and how long it takes: what may see a fault in them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

ROOT = Path(__file__).parents[2]


class Listener:
    """A plugin that writes one line for each test that passes, to the file `$REACH`."""

    def __init__(self) -> None:
        self.called: dict[int, CodeType] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.called, self.seconds, self.failed = {}, 0.0, False
        sys.settrace(self.hear)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            if not self.failed:
                self.write(item.nodeid)

    def hear(self, frame: FrameType, _event: str, _argument: Any) -> None:
        """Note a function that is called; its lines are of no interest."""
        code = frame.f_code
        self.called[id(code)] = code  # to hash one takes longer than many calls

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= not report.passed
        self.seconds += report.duration

    def write(self, test: str) -> None:
        """Write the test, its seconds, and the functions of ours that it called."""
        functions = sorted(
            f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_firstlineno}"
            for code in self.called.values()
            if code.co_filename.startswith(f"{ROOT}/ldjcheck/")
        )
        line = json.dumps([test, round(self.seconds, 3), functions])
        with open(os.environ["REACH"], "a", encoding="utf-8") as file:
            file.write(line + "\n")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Listener())
