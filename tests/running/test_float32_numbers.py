"""Numbers that come rounded to float32 from outside torch are no mistake; others are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class OfNumPy(nn.Module):
    """A scale that is a float32 number or array of NumPy's."""

    def __init__(self, scale: object, slip: float = 0.0) -> None:
        super().__init__()
        self.scale, self.slip = scale, slip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        each = np.log(self.scale) * np.ones(x.shape[1], np.float32) + self.slip
        scale = torch.as_tensor(self.scale, dtype=x.dtype)
        return x * scale, torch.as_tensor(each.sum()).expand(len(x))


class OfLegacy(nn.Module):
    """The logarithm of a float32 tensor that is made anew in every call."""

    def __init__(self, slip: float = 0.0) -> None:
        super().__init__()
        self.slip = slip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        each = torch.log(torch.FloatTensor([0.1])) + self.slip
        return x * 0.1, (each * x[0].numel()).expand(len(x))


SCALES = [np.float32(0.3), np.array([0.3, 1.7, 2.3, 0.9], np.float32)]


@pytest.mark.slow
@pytest.mark.parametrize("scale", SCALES, ids=["number", "array"])
def test_a_numpy_constant_passes_and_a_slip_of_a_hundred_thousandth_does_not(
    scale: object,
) -> None:
    right = ldjcheck.check(OfNumPy(scale), shape=(4,))
    assert right.status == "pass", right
    assert ldjcheck.check(OfNumPy(scale, slip=1e-5), shape=(4,)).status == "fail"


def test_the_layer_keeps_its_own_numbers() -> None:
    layer = OfNumPy(np.float32(0.3))
    ldjcheck.check(layer, shape=(4,))
    assert type(layer.scale) is np.float32


@pytest.mark.slow
def test_a_float32_tensor_made_in_the_call_is_allowed_its_rounding_and_no_more() -> (
    None
):
    assert ldjcheck.check(OfLegacy(), shape=(4,)).status == "pass"
    assert ldjcheck.check(OfLegacy(slip=1e-5), shape=(4,)).status == "fail"
