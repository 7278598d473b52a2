"""Guarded running: float32, asked for in any way, becomes float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_layers import Affine, Curve, Pair
from torch import Tensor, nn

import ldjcheck
from ldjcheck.running.guard import Frozen, Guard

if TYPE_CHECKING:
    from collections.abc import Callable

X = torch.tensor([[0.1, -1.3, 2.7], [1 / 3, 0.0, 1e-3]], dtype=torch.float64)
OTHER = torch.zeros(1, dtype=torch.float32)

CASTS: dict[str, Callable[[Tensor], Tensor]] = {
    "to(dtype)": lambda x: x.to(torch.float32),
    "to(dtype=)": lambda x: x.to(dtype=torch.float32),
    "to(device, dtype)": lambda x: x.to("cpu", torch.float32),
    "to(half)": lambda x: x.to(torch.float16),
    "to(bfloat16)": lambda x: x.to(torch.bfloat16),
    "to(other)": lambda x: x.to(OTHER),
    "float()": lambda x: x.float(),
    "half()": lambda x: x.half(),
    "bfloat16()": lambda x: x.bfloat16(),
    "type(dtype)": lambda x: x.type(torch.float32),
    "type(name)": lambda x: x.type("torch.FloatTensor"),
    "type(class)": lambda x: x.type(torch.FloatTensor),
    "type_as": lambda x: x.type_as(OTHER),
    "new_zeros": lambda x: x.new_zeros(x.shape, dtype=torch.float32) + x,
    "zeros(dtype=)": lambda x: torch.zeros(x.shape, dtype=torch.float32).copy_(x),
    "zeros_like(dtype=)": lambda x: torch.zeros_like(x, dtype=torch.float32).copy_(x),
    "empty(dtype=)": lambda x: torch.empty(x.shape, dtype=torch.float32).copy_(x),
    "full(dtype=)": lambda x: torch.full(x.shape, 0.0, dtype=torch.float32).copy_(x),
    "ones, in place": lambda x: torch.ones(x.shape, dtype=torch.float32).mul_(x),
    "zeros, written row by row": lambda x: _row_by_row(
        torch.zeros(x.shape, dtype=torch.float32), x
    ),
    "as_tensor": lambda x: torch.as_tensor(x, dtype=torch.float32),
    "tensor(list)": lambda x: torch.tensor(x.tolist(), dtype=torch.float32),
    "sum(dtype=)": lambda x: x.unsqueeze(-1).sum(-1, dtype=torch.float32),
    "cumsum(dtype=)": lambda x: x.unsqueeze(-1).cumsum(-1, dtype=torch.float32)[..., 0],
    "FloatTensor": lambda x: torch.FloatTensor(x.shape).zero_() + x,
    "Tensor, filled": lambda x: torch.Tensor(*x.shape).copy_(x),
    "stack of floats": lambda x: torch.stack([row.float() for row in x]),
    "new_tensor": lambda x: OTHER.new_tensor(x.tolist()),
    "to of a new float32": lambda x: x.to(torch.zeros(1, dtype=torch.float32)),
}


def _row_by_row(out: Tensor, x: Tensor) -> Tensor:
    for i, row in enumerate(x):
        out[i] = row
    return out


@pytest.mark.parametrize("cast", CASTS.values(), ids=CASTS.keys())
def test_a_cast_to_low_precision_loses_nothing(
    cast: Callable[[Tensor], Tensor],
) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with Guard(Frozen()):
            y = cast(X.clone())
    finally:
        torch.set_default_dtype(before)
    assert y.dtype == torch.float64
    assert torch.equal(y, X)


@pytest.mark.parametrize("cast", [CASTS["to(dtype)"], CASTS["float()"]])
def test_without_the_guard_a_cast_does_lose_digits(
    cast: Callable[[Tensor], Tensor],
) -> None:
    assert not torch.equal(cast(X).double(), X)


def test_the_layer_as_written_keeps_its_casts() -> None:
    with Guard(Frozen(), promote=False):
        assert X.float().dtype == torch.float32


def test_whole_numbers_and_booleans_are_left_alone() -> None:
    with Guard(Frozen()):
        assert X.to(torch.int64).dtype == torch.int64
        assert (X > 0).dtype == torch.bool
        assert torch.arange(3).dtype == torch.int64


# Whole layers that hard-code float32, each in its own way


class InAttribute(Curve):
    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.tensor([0.1, 0.2, 0.7], dtype=torch.float32)

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y * self.gain, ldj + self.gain.log().sum()


class InListOfAttributes(Curve):
    def __init__(self) -> None:
        super().__init__()
        self.parts = {"gains": [torch.tensor([0.1, 0.2, 0.7])]}

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y * self.parts["gains"][0], ldj + self.parts["gains"][0].log().sum()


class AssertsItsDtype(Curve):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("gain", torch.tensor([0.1, 0.2, 0.7]))

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        assert y.dtype == self.gain.dtype
        return y * self.gain, ldj + self.gain.log().sum()


class FromNumpy(Curve):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        gain = torch.from_numpy(np.array([0.1, 0.2, 0.7], dtype=np.float32))
        return y * gain, ldj + gain.log().sum()


class Legacy(Curve):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        gain = torch.FloatTensor([0.1, 0.2, 0.7])
        return y * gain, ldj + torch.log(gain).sum()


class ToAnother(Curve):
    def __init__(self) -> None:
        super().__init__()
        self.like = torch.zeros(1)

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x.to(self.like))
        fresh = torch.zeros(1, dtype=torch.float32)
        return y.to(fresh), ldj.type_as(fresh)


class OwnAccumulator(Curve):
    """Sums its ldj up in a float32 tensor that it makes itself."""

    def forward(self, x: Tensor) -> Pair:
        y, _ = super().forward(x)
        ldj = torch.zeros(len(x), dtype=torch.float32)
        ldj += self.log_slope(x).sum(1)
        return y, ldj


class Loss(Curve):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        weights = F.softmax(y, dim=1, dtype=torch.float32)
        return y, ldj + 0.0 * weights.sum(1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    "layer",
    [
        InAttribute, InListOfAttributes, AssertsItsDtype, FromNumpy, Legacy, ToAnother,
        OwnAccumulator, Loss,
    ],
)  # fmt: skip
def test_a_layer_that_hard_codes_float32_is_proved_in_float64(
    layer: type[nn.Module],
) -> None:
    report = ldjcheck.check(layer(), shape=(3,))
    assert report.status == "pass", report.findings
    assert report.checks[0].dtype == "float64"
    assert report.checks[0].worst is not None
    assert report.checks[0].worst < 1e-10


class NeedsFloat32(nn.Module):
    """Compares dtypes with a constant: it cannot run in float64."""

    def __init__(self, *, wrong_by: float = 0.0) -> None:
        super().__init__()
        self.bend = nn.Parameter(torch.tensor(0.4))
        self.wrong_by = wrong_by

    def forward(self, x: Tensor) -> Pair:
        if x.dtype != torch.float32:
            raise TypeError("expected float32")
        slope = 1 + self.bend.exp() * (1 - torch.tanh(x) ** 2)
        y = x + self.bend.exp() * torch.tanh(x)
        return y, slope.log().sum(1) + self.wrong_by


def test_a_layer_that_runs_in_float32_only_is_checked_there_and_it_is_said() -> None:
    report = ldjcheck.check(NeedsFloat32(), shape=(3,))
    assert report.status == "pass", report.findings
    assert report.checks[0].dtype == "float32"
    assert "expected float32" in report.result.inferred["dtype"]


@pytest.mark.slow
def test_float32_is_no_excuse_for_a_mistake() -> None:
    report = ldjcheck.check(NeedsFloat32(wrong_by=0.01), shape=(3,))
    assert report.status == "fail"


@pytest.mark.parametrize("dtype", ["float64", "as-written"])
def test_the_dtype_of_the_check_can_be_chosen(dtype: str) -> None:
    report = ldjcheck.check(Affine(), shape=(4,), dtype=dtype)
    expected = "float64" if dtype == "float64" else "float32"
    assert report.status == "pass"
    assert report.checks[0].dtype == expected


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_any_precision_are_checked_in_float64(dtype: torch.dtype) -> None:
    layer = Affine().to(dtype)
    report = ldjcheck.check(layer, shape=(4,))
    assert report.status == "pass", report.findings
    assert layer.shift.dtype == dtype


class OtherInFloat32(Curve):
    """Right in float64 only, where nobody but a checker would run it."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, ldj if x.dtype == torch.float64 else 1.5 * ldj


class OtherInverseInFloat32(Affine):
    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        return x, ldj if y.dtype == torch.float64 else ldj + 1


class LostInAView(Curve):
    """Writes its ldj into a view of a legacy tensor, where promotion cannot follow."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        scale = torch.FloatTensor([[0.5] * x.shape[1]])
        scale.view(-1).fill_(2.0)
        return y * scale, ldj + scale.log().sum()


@pytest.mark.parametrize("layer", [OtherInFloat32, OtherInverseInFloat32])
def test_a_layer_that_says_something_else_as_written_does_not_pass(
    layer: type[nn.Module],
) -> None:
    report = ldjcheck.check(layer(), shape=(4,))
    said = [f.message + " ".join(f.evidence) for f in report.findings]
    assert report.status == "fail"
    assert any("as written, in float32" in line for line in said)


def test_a_right_layer_that_promotion_cannot_follow_is_no_silent_pass() -> None:
    written = LostInAView()(torch.ones(1, 3))[1]
    assert float(written) == pytest.approx(
        float(Curve()(torch.ones(1, 3))[1]) + 3 * np.log(2.0)
    )
    assert ldjcheck.check(LostInAView(), shape=(3,)).status == "fail"
