"""A folder with a few flow layers in it, and a way to run pytest there."""

from __future__ import annotations

import contextlib
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

IS_INSTALLED = any(ep.name == "ldjcheck" for ep in entry_points(group="pytest11"))

FLOWS = '''
import torch
from torch import nn


class Scale(nn.Module):
    """Right in both directions."""

    def __init__(self, dims=3):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-1, 0.5, dims))

    def forward(self, x):
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y):
        return y * (-self.log_scale).exp(), -self.log_scale.sum().expand(len(y))


class Flipped(Scale):
    def forward(self, x):
        y, ldj = super().forward(x)
        return y, -ldj


class OneWay(nn.Module):
    def forward(self, x):
        return torch.sinh(x), torch.log(torch.cosh(x)).sum(1)


class Idle(nn.Module):
    def forward(self, x):
        return x, torch.zeros(len(x))


class Broken(nn.Module):
    def forward(self, x):
        raise ValueError("out of order")


class Untracked(Scale):
    def inverse(self, y):
        return y * (-self.log_scale).exp(), torch.zeros(len(y))


class Random(Scale):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.randn(3))
'''


@pytest.fixture(scope="session")
def warm() -> None:
    """Load all that a check needs: inner sessions forget what they have loaded.

    That takes long, and torch does not survive being loaded twice.
    """
    import hypothesis  # noqa: F401  # its own plugin loads it

    def wrong(x):  # type: ignore[no-untyped-def]
        return 2 * x, 0 * x.sum(1)

    for function in (ldjcheck.assert_ldj, ldjcheck.parametrize([wrong], shape=(3,))):
        with contextlib.suppress(ldjcheck.LdjMismatch):
            function(wrong)
    print(ldjcheck.check(wrong, shape=(3,)))


@pytest.fixture
def flows(
    warm: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """A folder with `flows.py`."""
    monkeypatch.delitem(sys.modules, "flows", raising=False)  # another test's
    pytester.makepyfile(flows=FLOWS)
    pytester.syspathinsert()
    return pytester


@pytest.fixture(scope="session")
def load() -> tuple[str, ...]:
    """What loads the plugin: nothing, where the entry point is installed."""
    quiet = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # it is loaded already
    return quiet if IS_INSTALLED else (*quiet, "-p", "ldjcheck.pytest_plugin")


@pytest.fixture
def run(
    flows: pytest.Pytester, load: tuple[str, ...]
) -> Callable[..., pytest.RunResult]:
    """Write a test file and run pytest on it, in this process."""

    def tested(source: str, *arguments: str) -> pytest.RunResult:
        flows.makepyfile(
            test_it=f"import ldjcheck, pytest\nfrom flows import *\n{source}"
        )
        return flows.runpytest_inprocess(*load, *arguments)

    return tested
