"""`torch.inference_mode` inside a layer hides no derivative and no mistake."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Sampled(nn.Module):
    """A coupling whose way back runs in inference mode, as sampling code does."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.network, self.factor = nn.Linear(2, 4), factor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.network(a).chunk(2, 1)
        return torch.cat([a, b * s.exp() + t], 1), s.sum(1)

    @torch.inference_mode()
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, 1)
        s, t = self.network(a).chunk(2, 1)
        return torch.cat([a, (b - t) * (-s).exp()], 1), -self.factor * s.sum(1)


def test_an_inverse_in_inference_mode_is_differentiated_like_any_other() -> None:
    report = ldjcheck.check(Sampled(), shape=(4,))
    assert report.status == "pass", report
    inverse = report.to_dict()["results"][0]["checks"][1]
    assert inverse["method"] == "reverse"
    assert inverse["worst"] < 1e-12


@pytest.mark.thinned(2)
@pytest.mark.parametrize("factor", [2.0, -1.0])
def test_a_wrong_ldj_in_inference_mode_is_found(factor: float) -> None:
    report = ldjcheck.check(Sampled(factor), shape=(4,))
    assert report.status == "fail"


def test_inference_mode_is_itself_again_afterwards() -> None:
    ldjcheck.check(Sampled(), shape=(4,))
    with torch.inference_mode():
        assert torch.ones(1).is_inference()
    assert not torch.is_inference_mode_enabled()
