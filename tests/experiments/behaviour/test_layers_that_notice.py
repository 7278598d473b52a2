"""A layer that notices whether something looks on is wrong where nothing does."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack

import ldjcheck


class Notices(nn.Module):
    """Right where a mode of torch watches its operations, and else as `unseen` says."""

    def __init__(self, unseen: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.5, 0.25, 1.0]))
        self.unseen = unseen

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = bool(_get_current_function_mode_stack())
        ldj = self.log_scale.sum() * (1.0 if seen else self.unseen)
        return x * self.log_scale.exp(), ldj.expand(len(x))


def test_a_layer_is_called_plainly_too() -> None:
    assert ldjcheck.check(Notices(unseen=1.0)).status == "pass"
    report = ldjcheck.check(Notices(unseen=-1.0))
    assert report.status == "fail"
    assert report.findings[0].message.startswith("Called plainly, the layer reports ")
