"""The anchor: a Jacobian counts only where central differences say the same.

A layer whose ldj agrees with autograd only because autograd misses part of the map must
not pass.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_layers import Coupling, Curve, Pair
from torch import Tensor, nn

import ldjcheck
from ldjcheck.oracle.derivatives.anchor import anchored_samples
from ldjcheck.oracle.derivatives.jacobian import exact_jacobian

few = settings(max_examples=12, deadline=None)


def points(seed: int, dims: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((3, dims), generator=generator, dtype=torch.float64)


def bent(x: Tensor) -> Tensor:
    return x.exp() * torch.tanh(x).sum(1, keepdim=True)


# The anchor alone


@few
@given(st.integers(0, 10**6))
def test_the_jacobian_of_a_smooth_map_is_anchored(seed: int) -> None:
    x = points(seed)
    jacobian = exact_jacobian(bent, x)[0]
    assert anchored_samples(bent, x, jacobian, "float64", seed).all()


@few
@given(st.integers(0, 10**6), st.integers(0, 8), st.sampled_from([1e-4, 0.1, 10.0]))
def test_one_wrong_entry_of_one_sample_is_noticed(
    seed: int, entry: int, off: float
) -> None:
    x = points(seed)
    jacobian = exact_jacobian(bent, x)[0]
    i, j = divmod(entry, 3)
    jacobian[1, i, j] += off * jacobian[1].abs().max()
    anchored = anchored_samples(bent, x, jacobian, "float64", seed)
    assert anchored.tolist() == [True, False, True]


def test_a_map_that_jumps_is_not_anchored() -> None:
    x = points(0)
    jumping = lambda v: v + torch.where(v > x, 1.0, 0.0)  # noqa: E731
    eye = torch.eye(3, dtype=torch.float64).expand(3, 3, 3)
    assert not anchored_samples(jumping, x, eye, "float64", 0).any()


def test_a_kink_beside_the_point_does_no_harm() -> None:
    x = points(0)
    kinked = lambda v: torch.where(v > x + 1e-3, 3.0 * v - 2 * (x + 1e-3), v)  # noqa: E731
    jacobian = exact_jacobian(kinked, x)[0]
    assert anchored_samples(kinked, x, jacobian, "float64", 0).all()


# What autograd misses


class ScaledByItself(nn.Module):
    """y = x * exp(tanh(x)), whose slope the variants hide from autograd."""

    def log_scale(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Pair:
        a = self.log_scale(x)
        return x * torch.exp(a), a.sum(1)


class Detached(ScaledByItself):
    def log_scale(self, x: Tensor) -> Tensor:
        return torch.tanh(x).detach()


class DetachedData(ScaledByItself):
    def log_scale(self, x: Tensor) -> Tensor:
        return torch.tanh(x).data


class WithoutGrad(ScaledByItself):
    @torch.no_grad()
    def log_scale(self, x: Tensor) -> Tensor:
        return torch.tanh(x)


class SetGradDisabled(ScaledByItself):
    def log_scale(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(False):
            return torch.tanh(x)


class InferenceMode(ScaledByItself):
    def log_scale(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return torch.tanh(x)


class ThroughNumpy(ScaledByItself):
    def log_scale(self, x: Tensor) -> Tensor:
        return torch.from_numpy(torch.tanh(x).detach().cpu().numpy())


class ThroughLists(ScaledByItself):
    def log_scale(self, x: Tensor) -> Tensor:
        return torch.tensor(torch.tanh(x).tolist(), dtype=x.dtype)


class SlopeOfTheSquare(torch.autograd.Function):
    """sinh(x), with the derivative of another function."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.sinh(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (1 + x**2)


class WrongBackward(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return SlopeOfTheSquare.apply(x), torch.log(1 + x**2).sum(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "dims"),
    [
        (Detached, 3),
        (Detached, 90),
        (DetachedData, 3),
        (WithoutGrad, 3),
        (SetGradDisabled, 3),
        (InferenceMode, 3),
        (ThroughNumpy, 3),
        (ThroughLists, 3),
        (WrongBackward, 3),
        (WrongBackward, 90),
    ],
)
def test_an_ldj_that_only_autograd_believes_does_not_pass(
    layer: type[nn.Module], dims: int
) -> None:
    report = ldjcheck.check(layer(), shape=(dims,))
    assert report.status == "fail", report.findings
    assert report.findings[0].code in ("LDJ120", "LDJ199")


class BlindCoupling(Coupling):
    """A conditioner without gradients: the determinant of autograd's J is right."""

    def conditioned(self, p: Tensor) -> Pair:
        return super().conditioned(p.detach())


@pytest.mark.slow
def test_a_detached_conditioner_has_a_right_value_and_a_cut_gradient() -> None:
    report = ldjcheck.check(BlindCoupling(), shape=(4,))
    assert [c.status for c in report.checks if c.name == "ldj"] == ["pass", "pass"]
    assert report.findings[0].code == "LDJ210"
    assert report.result.inferred["detach"].startswith("seen through")
    assert "detach" not in ldjcheck.check(Coupling(), shape=(4,)).result.inferred


class RightButOpaque(Curve):
    """A right layer that computes outside of torch: only differences see its map."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return torch.from_numpy(y.detach().numpy().copy()), ldj


@pytest.mark.slow
def test_a_right_layer_that_autograd_cannot_follow_is_proved_by_differences() -> None:
    report = ldjcheck.check(RightButOpaque(), shape=(3,))
    assert report.status == "pass"
    assert report.checks[0].method == "differences"


class Jumping(nn.Module):
    """A map with a step at every probed point's feet, which no derivative describes."""

    def forward(self, x: Tensor) -> Pair:
        y = torch.round(x * 1e7) / 1e7 + torch.sin(1e9 * x)
        return y, torch.log((1e9 * torch.cos(1e9 * x)).abs()).sum(1)


def test_where_no_reading_agrees_nothing_is_proved() -> None:
    report = ldjcheck.check(Jumping(), shape=(2,))
    assert report.status == "unproven"
    assert [f.code for f in report.findings] == ["LDJ404"]


def test_a_kink_that_is_nearer_than_most_steps_is_stepped_past() -> None:
    x = torch.tensor([[0.4, -0.3], [1.0, 0.5]], dtype=torch.float64)
    off = torch.tensor([[3e-7], [1.0]], dtype=torch.float64)
    edge = (
        x - off
    )  # one of a network's thousands of kinks is as near to the first sample

    def f(at: Tensor) -> Tensor:
        return 2 * at + torch.relu(at - edge)

    slopes = torch.diag_embed(torch.full_like(x, 3.0))
    assert anchored_samples(f, x, slopes, "float64", 0).all()
    assert not anchored_samples(f, x, slopes - 1e-3, "float64", 0).any()


def test_what_jumps_is_not_borne_out_by_looking_nearer() -> None:
    def f(at: Tensor) -> Tensor:
        return 2 * at + torch.sin(1e5 * at).round() / 1000

    x = points(0, 4)
    slopes = 2 * torch.eye(4, dtype=torch.float64).expand(3, 4, 4)
    assert not anchored_samples(f, x, slopes, "float64", 0).all()
