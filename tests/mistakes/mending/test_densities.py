"""A split whose number is no log-density of what it drops gets the edit that makes it one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ldjcheck
from mistakes.mending.layers import loaded, mended, written

if TYPE_CHECKING:
    from pathlib import Path

_SPLIT = """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x, ldj):
        kept, dropped = x.chunk(2, dim=1)
        mean, log_std = self.net(kept).chunk(2, dim=1)
        z = (dropped - mean) * torch.exp(-log_std)
        log_p = LOG_P
        return kept, ldj + REDUCED
"""
_CONSTANT = "0.5 * math.log(2 * math.pi)"
SPLITS = {
    "its scale": (f"-0.5 * z**2 - {_CONSTANT}", "log_p.sum(1)", "- log_std"),
    "its constant": ("-0.5 * z**2 - log_std", "log_p.sum(1)", f"- {_CONSTANT}"),
    "the sum": (
        f"-0.5 * z**2 - log_std - {_CONSTANT}",
        "log_p.mean(1)",
        "log_p.sum(1)",
    ),
}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", SPLITS)
def test_a_learned_prior_gets_what_it_lacks(name: str, tmp_path: Path) -> None:
    log_p, reduced, expected = SPLITS[name]
    text = _SPLIT.replace("LOG_P", log_p).replace("REDUCED", reduced)
    path = written(text, tmp_path)
    found = ldjcheck.check(loaded(path), shape=(4,)).findings[0]
    assert found.code == ("LDJ105" if name == "the sum" else "LDJ501")
    assert found.fix is not None
    (edit,) = found.fix.edits
    assert edit.after.endswith(expected)
    report = ldjcheck.check(loaded(mended(path, found.fix)), shape=(4,))
    assert report.status == "pass", report
