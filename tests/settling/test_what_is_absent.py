"""What a layer says it does not offer is told apart from what it gets wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import transforms

import ldjcheck


@pytest.mark.parametrize(
    "transform",
    [
        transforms.AbsTransform(),
        transforms.SoftmaxTransform(),
        transforms.LowerCholeskyTransform(),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_a_transform_without_an_ldj_declares_none(
    transform: transforms.Transform,
) -> None:
    report = ldjcheck.check(transform, shape=(3, 3))
    assert report.status == "error"
    assert report.findings[0].code == "LDJ004"
    assert "declares no ldj" in report.findings[0].message


def test_no_frame_or_name_of_ours_is_in_the_traceback_of_an_absent_layer() -> None:
    class Absent(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise NotImplementedError

        def inverse(self, y: Tensor) -> Tensor:
            raise NotImplementedError("not written yet")

    finding = ldjcheck.check(Absent(), shape=(3,)).findings[0]
    shown = "\n".join((finding.message, *finding.evidence))
    assert "not written yet" in shown
    assert "LayerRaisedError" not in shown
    assert "During handling" not in shown


def test_a_layer_with_only_a_way_back_is_checked_there() -> None:
    class Sampler(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise NotImplementedError

        def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
            return y.exp(), y.sum(1)

    report = ldjcheck.check(Sampler(), shape=(3,))
    assert report.status == "pass", report
    assert torch.is_grad_enabled()


class WithoutADensity(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return self._likelihood(x)

    def _likelihood(self, x: Tensor) -> Tensor:
        return x.sum()


@pytest.mark.slow
def test_a_model_is_told_the_names_that_a_density_may_have() -> None:
    (finding,) = ldjcheck.check(WithoutADensity(), kind="model").findings
    assert finding.code == "LDJ004"
    assert (
        finding.message == "WithoutADensity() has no density that I know by its name."
    )
    assert "log_prob" in finding.evidence[0]
    assert "bits_per_dimension" in finding.evidence[0]
