"""What is loaded to check a layer: a second of imports is a second of waiting."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHECK = """
import sys, torch, ldjcheck
from torch import nn

class Coupling(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)
    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        return torch.cat([a, b * s.exp() + t], dim=1), s.sum(dim=1)

assert ldjcheck.check(Coupling()).status == "pass"
print(*sorted({"hypothesis", "jinja2", "matplotlib", "pytest", "sympy"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_a_right_layer_is_checked_without_algebra_pictures_or_test_tools() -> None:
    run = subprocess.run(
        [sys.executable, "-c", CHECK], check=True, capture_output=True, text=True
    )
    assert run.stdout.split() == []
