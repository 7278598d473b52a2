"""What TorchScript compiles is run as the Python that it was written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

import ldjcheck
from ldjcheck.targets import load_layer, parse_target

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTED = """
import torch
from torch import Tensor, nn
from typing import Tuple


@torch.jit.script
def planar(z: Tensor, u: Tensor, w: Tensor, b: Tensor) -> Tuple[Tensor, Tensor]:
    h = torch.tanh(z @ w + b)
    slope = 1 - h
    ldj = torch.log(torch.abs(1 + slope * (u @ w)))
    return z + h[:, None] * u, ldj


class Planar(nn.Module):
    def __init__(self, dim: int = 3) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.randn(dim) / 2)
        self.w = nn.Parameter(torch.randn(dim) / 2)
        self.b = nn.Parameter(torch.randn(1))

    def forward(self, z):
        return planar(z, self.u, self.w, self.b)
"""


def test_a_mistake_in_a_scripted_function_has_its_line_and_its_edit(
    tmp_path: Path,
) -> None:
    file = tmp_path / "scripted.py"
    file.write_text(SCRIPTED, encoding="utf-8")
    torch.manual_seed(0)
    layer = load_layer(parse_target(f"{file}:Planar"))
    (finding, *_) = ldjcheck.check(layer.obj).findings
    assert finding.location is not None
    assert finding.location.function == "planar"
    assert finding.fix is not None
    (edit,) = finding.fix.edits
    assert edit.before.strip() == "slope = 1 - h"


def test_scripting_is_on_again_for_others(tmp_path: Path) -> None:
    file = tmp_path / "scripted_too.py"
    file.write_text(SCRIPTED, encoding="utf-8")
    load_layer(parse_target(f"{file}:Planar"))
    assert isinstance(torch.jit.script(_twice), torch.jit.ScriptFunction)


def _twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x
