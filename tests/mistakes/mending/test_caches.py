"""What a layer keeps is computed anew: the fix leaves no ldj of an earlier call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ldjcheck
from mistakes.mending.layers import loaded, mended, written

if TYPE_CHECKING:
    from pathlib import Path

STALE = {
    "a number taken when the layer is built": (
        """
        class Layer(nn.Module):
            def __init__(self, dim=4):
                super().__init__()
                W = torch.eye(dim) + 0.1 * torch.randn(dim, dim)
                self.W = nn.Parameter(W)
                self.logdet = torch.slogdet(W)[1].item()

            def forward(self, x):
                return x @ self.W.T, torch.full((len(x),), self.logdet)

            def inverse(self, y):
                x = y @ torch.inverse(self.W).T
                return x, torch.full((len(y),), -self.logdet)
        """,
        "x @ self.W.T, torch.slogdet(self.W)[1].expand((len(x),))",
    ),
    "a buffer of an accumulator": (
        """
        class Layer(nn.Module):
            def __init__(self, dim=4):
                super().__init__()
                self.log_s = nn.Parameter(torch.linspace(-0.3, 0.5, dim))
                self.register_buffer("total", self.log_s.detach().sum())

            def forward(self, z, ldj, reverse=False):
                if reverse:
                    return z * torch.exp(-self.log_s), ldj - self.total
                return z * self.log_s.exp(), ldj + self.total
        """,
        "self.log_s.sum()",
    ),
    "computed once, in a method of its own": (
        """
        class Layer(nn.Module):
            def __init__(self, dim=4):
                super().__init__()
                self.W = nn.Parameter(torch.eye(dim) + 0.1 * torch.randn(dim, dim))
                self._logdet = None

            def logdet(self):
                if self._logdet is None:
                    self._logdet = torch.slogdet(self.W)[1]
                return self._logdet

            def forward(self, x):
                return x @ self.W.T, self.logdet().expand(len(x))
        """,
        "self._logdet = torch.slogdet(self.W)[1]",
    ),
    "handed back early": (
        """
        class Layer(nn.Module):
            cached = None

            def __init__(self, dim=4):
                super().__init__()
                self.log_s = nn.Parameter(torch.linspace(-0.3, 0.5, dim))

            def logdet(self):
                if self.cached is not None:
                    return self.cached
                self.cached = self.log_s.sum()
                return self.cached

            def forward(self, x):
                return x * self.log_s.exp(), self.logdet().expand(len(x))
        """,
        "",
    ),
    "of the last batch of that length": (
        """
        class Layer(nn.Module):
            def __init__(self, dim=4):
                super().__init__()
                self.net = nn.Linear(dim // 2, dim)
                self.cache = {}

            def forward(self, x):
                a, b = x.chunk(2, 1)
                s, t = self.net(a).chunk(2, 1)
                if len(x) not in self.cache:
                    self.cache[len(x)] = s.sum(1)
                return torch.cat([a, b * s.exp() + t], 1), self.cache[len(x)]
        """,
        "self.cache[len(x)] = s.sum(1)",
    ),
    "of the last call of the map": (
        """
        class Layer(nn.Module):
            def __init__(self, dim=4):
                super().__init__()
                self.log_s = nn.Parameter(torch.linspace(-0.3, 0.5, dim))

            def forward(self, x):
                u = self.log_s.exp() * x
                self.ldj = torch.log(torch.cosh(u)).sum(1) + self.log_s.sum()
                return torch.sinh(u)

            def log_det(self, x):
                return self.ldj
        """,
        "self(x)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STALE)
def test_what_is_kept_too_long_is_computed_at_each_call(
    name: str, tmp_path: Path
) -> None:
    text, expected = STALE[name]
    path = written(text, tmp_path)
    first = ldjcheck.check(loaded(path), shape=(4,)).findings[0]
    assert first.code == "LDJ211"
    assert first.fix is not None
    assert first.fix.applicability == "verified"
    assert expected in first.fix.edits[0].after
    report = ldjcheck.check(loaded(mended(path, first.fix)), shape=(4,))
    assert not [f for f in report.findings if f.severity == "error"], report


@pytest.mark.slow
def test_a_cache_of_both_directions_is_not_mended_in_one_alone(tmp_path: Path) -> None:
    text = """
    class Layer(nn.Module):
        def __init__(self, dim=4):
            super().__init__()
            self.log_s = nn.Parameter(torch.linspace(-0.3, 0.5, dim))
            self.there = self.back = None

        def forward(self, x):
            if self.there is None:
                self.there = self.log_s.sum()
            return x * self.log_s.exp(), self.there.expand(len(x))

        def inverse(self, y):
            if self.back is None:
                self.back = -self.log_s.sum()
            return y * torch.exp(-self.log_s), self.back.expand(len(y))
    """
    path = written(text, tmp_path)
    for finding in ldjcheck.check(loaded(path), shape=(4,)).findings:
        if finding.fix is not None:
            report = ldjcheck.check(loaded(mended(path, finding.fix)), shape=(4,))
            assert not [f for f in report.findings if f.severity == "error"], report
