"""Whole flows of images, at the size at which they are trained."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.oracle.structured import is_afforded
from ldjcheck.oracle.structures.by_structure import Wanted
from ldjcheck.oracle.structures.composition import determined
from ldjcheck.running.observers.calls import SubmoduleCalls

from .image_flows import (
    ActNorm,
    ActNormOfOnePixel,
    FlippedCheckerboard,
    Glow,
    several_scales,
)
from .maps import normal


def off_by(flow: nn.Module, x: Tensor) -> Tensor:
    """Return what a flow reports less what is proved of it by its parts."""
    flow = flow.double()
    found = determined(
        lambda v: flow(v)[0], x, SubmoduleCalls(), Wanted(afford=is_afforded)
    )
    assert found.method == "composition"
    assert found.anchored is not None
    assert found.anchored.all()
    assert found.allowed is not None
    assert (found.allowed < 1e-6).all()
    return flow(x)[1].detach() - found.exact


def test_a_flow_of_several_scales_is_proved_at_its_real_size() -> None:
    off = off_by(several_scales(28, 32), normal(0, 2, 1, 28, 28))
    assert off.abs().max() < 1e-9


def test_a_flow_of_several_scales_with_one_wrong_coupling_is_off_by_it() -> None:
    flow = several_scales(28, 32, FlippedCheckerboard)
    assert off_by(flow, normal(0, 2, 1, 28, 28)).abs().min() > 1e-3


@pytest.mark.slow
def test_glow_is_proved_at_its_real_size() -> None:
    assert off_by(Glow(), normal(0, 2, 3, 32, 32)).abs().max() < 1e-8


@pytest.mark.slow
def test_glow_with_one_wrong_actnorm_is_off_by_it() -> None:
    flow = Glow(kind=ActNormOfOnePixel)
    off = off_by(flow, normal(0, 2, 3, 32, 32))
    scales = flow.levels[1].parts[3].parts[0].log_scale.sum().detach()
    torch.testing.assert_close(off, (scales * (1 - 8 * 8)).expand(2))


@pytest.mark.slow
def test_a_right_flow_of_several_scales_passes() -> None:
    report = ldjcheck.check(several_scales(12, 8), shape=(1, 12, 12))
    assert report.status == "pass", str(report)


@pytest.mark.slow
def test_the_wrong_sublayer_is_named() -> None:
    flow = several_scales(12, 8, FlippedCheckerboard)
    report = ldjcheck.check(flow, shape=(1, 12, 12))
    first = report.findings[0]
    assert (first.code, first.direction) == ("LDJ104", "forward"), str(report)
    assert "parts[6]" in first.message


class Model(Glow):
    """The same with densities of its own: in nats, and in bits per dim."""

    def log_prob(self, x: Tensor) -> Tensor:
        z, total = self(x)
        base = torch.distributions.Normal(0.0, 1.0)
        return base.log_prob(z).flatten(1).sum(1) + total

    def bits_per_dim(self, x: Tensor) -> Tensor:
        dims = x[0].numel()
        return (math.log(256) - self.log_prob(x) / dims) / math.log(2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "status"), [(ActNorm, "pass"), (ActNormOfOnePixel, "fail")]
)
def test_no_whole_jacobian_is_taken_of_a_model_of_images(
    kind: type[ActNorm], status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    jacobian = FrozenMap.jacobian

    def noted(self: FrozenMap, *arguments: Any, **named: Any) -> Any:
        taken.append(self.x[0].numel())
        return jacobian(self, *arguments, **named)

    monkeypatch.setattr(FrozenMap, "jacobian", noted)
    model = Model(levels=2, steps=4, hidden=8, kind=kind)
    for density in (model.log_prob, model.bits_per_dim):
        assert ldjcheck.check(density, shape=(3, 16, 16)).status == status
    assert max(taken, default=0) < 768
