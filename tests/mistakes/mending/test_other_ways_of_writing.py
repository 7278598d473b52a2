"""A slip that is one word of the line: another round, the other mask, the other way's term."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ldjcheck

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "import math\nimport torch\nfrom torch import nn\n"
LOOP = """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.eye(4) + 0.2 * torch.randn(4, 4))
    def forward(self, x):
        m = torch.tril(self.m)
        ldj = 0.0
        for i in range(1, 4):
            ldj = ldj + torch.log(torch.abs(m[i, i]))
        return x @ m.T, ldj * torch.ones(len(x))
"""
BRANCH = """
class Layer(nn.Module):
    def forward(self, x):
        above = x > 0
        y = torch.where(above, x, 0.2 * x)
        count = above.to(x.dtype).sum(dim=1)
        return y, count * math.log(0.2)
"""
OTHER_WAY = """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(1 + 0.1 * torch.randn(2))
        self.register_buffer("counts", torch.tensor([2.0, 3.0]))
    def forward(self, x):
        gain = self.gain
        y = x * torch.cat([gain[:1].expand(2), gain[1:].expand(3)])
        ldj = gain.abs().log().sum()
        return y, ldj.expand(len(x))
    def inverse(self, y):
        gain = self.gain
        x = y / torch.cat([gain[:1].expand(2), gain[1:].expand(3)])
        ldj = -(self.counts * gain.abs().log()).sum()
        return x, ldj.expand(len(y))
"""

CIRCLE = """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.la = nn.Parameter(0.3 * torch.randn(3))
        self.b = nn.Parameter(0.5 * torch.randn(3))
    def forward(self, x):
        a = torch.exp(self.la)
        t = torch.sinh(x)
        new_t = a * t + self.b
        top = a * torch.cosh(x)
        bottom = torch.sqrt(1 + (a * t) ** 2)
        return torch.asinh(new_t), (torch.log(top) - torch.log(bottom)).sum(1)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "shape", "edits"),
    [
        (LOOP, (4,), ["for i in range(0, 4):"]),
        (BRANCH, (3,), ["count = (~above).to(x.dtype).sum(dim=1)"]),
        (CIRCLE, (3,), ["bottom = torch.sqrt(1 + new_t ** 2)"]),
        (OTHER_WAY, (5,), ["ldj = (self.counts * gain.abs().log()).sum()"]),
    ],
)
def test_the_line_is_the_one_that_was_written_wrong_and_the_edit_reads_like_it(
    source: str, shape: tuple[int, ...], edits: list[str], tmp_path: Path
) -> None:
    (tmp_path / "layers.py").write_text(HEAD + source, encoding="utf-8")
    for seed in range(2):
        report = ldjcheck.check(
            f"{tmp_path / 'layers.py'}:Layer", shape=shape, seed=seed
        )
        (finding,) = [f for f in report.findings if f.severity == "error"]
        assert finding.fix is not None, report
        assert finding.fix.applicability == "verified", report
        assert [each.after.strip() for each in finding.fix.edits] == edits
        assert finding.location is not None
        assert finding.location.line == finding.fix.edits[0].line
