"""A way back that draws anew what left the flow is judged where it gets what left."""

from __future__ import annotations

import pytest
import torch
from benchmarks.flows import Chain, Dequantization, Split, Squeeze
from torch import Tensor, nn

import ldjcheck
from ldjcheck.oracle.way_back.preimage import given_back
from ldjcheck.records import Layer, Options
from ldjcheck.records.asked import Target
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.subject import settle_layer


class ChannelScale(nn.Module):
    """Scale each channel by a learned factor."""

    def __init__(self, channels: int, back: float = 1.0) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.linspace(-0.5, 0.4, channels).view(-1, 1, 1))
        self.back = back

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        total = self.log_s.sum() * z.shape[2] * z.shape[3]
        if reverse:
            return z * torch.exp(-self.log_s), ldj - self.back * total
        return z * torch.exp(self.log_s), ldj + total


def flow(*, back: float = 1.0, splits: int = 1) -> Chain:
    """Return a flow of whole numbers, some of whose dims leave it on the way."""
    layers: list[nn.Module] = [Dequantization(), Squeeze(), ChannelScale(4, back)]
    channels = 4
    for _ in range(splits):
        layers += [Split(), ChannelScale(channels // 2)]
        channels //= 2
    return Chain(layers)


@pytest.mark.slow
@pytest.mark.parametrize("splits", [1, 2])
def test_a_right_flow_of_whole_numbers_passes_both_ways(splits: int) -> None:
    report = ldjcheck.check(flow(splits=splits), shape=(1, 4, 4))
    assert report.status == "pass", report
    kinds = {c.name: c.status for c in report.checks if c.direction == "inverse"}
    assert kinds["ldj"] == "pass"
    assert report.result.inferred["domain"].startswith("int:0:255")


@pytest.mark.slow
def test_a_wrong_way_back_of_it_fails() -> None:
    report = ldjcheck.check(flow(back=2.0), shape=(1, 4, 4))
    assert report.status == "fail"
    wrong = {c.direction for c in report.checks if c.status == "fail"}
    assert wrong == {"inverse"}


def test_what_left_is_drawn_in_the_opposite_order() -> None:
    target = Target(text="flow", source="", expr=None)
    layer = Layer(obj=flow(splits=2), name="flow", target=target)
    options = Options(shape=((None, (1, 4, 4)),))
    subject = settle_layer(layer, options)
    runner, x, _ = subject.bench.ready(subject.probes()[0])
    y = runner.run("forward", x, Frozen()).y.detach()
    draws = given_back(runner, x, y)
    assert draws is not None
    assert torch.equal(runner.run("inverse", y, draws).y.to(x), x)
