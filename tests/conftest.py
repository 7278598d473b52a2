"""Settings that must stand before torch is imported, and which tests run, and how long."""

from __future__ import annotations

import os
import random
import time
from collections import Counter, defaultdict
from typing import Any

import pytest

# Workers share the cores. Torch's threads wait for one another by spinning: with more of
# them than cores, a check of a second took a minute.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

# Layers that are built while tests are collected have the same weights in every run.
torch.manual_seed(0)


@pytest.fixture(autouse=True)
def same_weights() -> None:
    """Build layers with the same weights, whichever tests ran before."""
    torch.manual_seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("time")
    group.addoption(
        "--stop-after",
        type=float,
        metavar="SECONDS",
        help="leave out what has not begun by then; long lists come first, then the rest",
    )
    group.addoption("--order", type=int, default=0, help="the seed of the rest's order")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.stop_after is not None:
        config.pluginmanager.register(Clock(config), "clock")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Mark as slow what `thinned(nth)` leaves out; put tests in order where time is short.

    Of a thinned test, each n-th of the parameters runs by default. Many of them take as
    long as one of the others, so they come first.
    """
    seen: Counter[str] = Counter()
    for item in items:
        thinned = item.get_closest_marker("thinned")
        if thinned is None or item.get_closest_marker("slow"):
            continue
        test = _test_of(item)
        if seen[test] % thinned.args[0]:
            item.add_marker(pytest.mark.slow)
        seen[test] += 1
    if config.option.stop_after is not None:
        together = defaultdict(list)
        for item in items:
            together[_test_of(item)].append(item)
        tests = list(together.values())
        random.Random(config.option.order).shuffle(tests)
        tests.sort(key=lambda test: test[0].get_closest_marker("thinned") is None)
        items[:] = [item for test in tests for item in test]


def _test_of(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


class Clock:
    """A plugin that begins no test once the time is up, and says how many are left out."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.end = time.monotonic() + config.option.stop_after
        self.left_out = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool | None:
        if time.monotonic() < self.end:
            return None
        self.left_out += 1
        return True

    def pytest_sessionfinish(self) -> None:
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["left_out"] = self.left_out

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.left_out += getattr(node, "workeroutput", {}).get("left_out", 0)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        order = self.config.option.order
        terminalreporter.write_line(
            f"{self.left_out} tests were left out after "
            f"{self.config.option.stop_after:g} seconds, in the order {order}"
        )
