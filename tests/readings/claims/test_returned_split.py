"""Splits that hand back what they drop: their density is counted, and no term too many."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ldjcheck


class HandsBack(nn.Module):
    """Hands back both halves, and counts the second one's density given the first."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def counted(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        kept, left = x.chunk(2, 1)
        mean, log_scale = self.net(kept).chunk(2, 1)
        return kept, left, Normal(mean, log_scale.exp()).log_prob(left)

    def forward(
        self, x: Tensor, ldj: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        kept, left, density = self.counted(x)
        return kept, density.sum(1) if ldj is None else ldj + density.sum(1), left


class Averaged(HandsBack):
    """Averages the density over the dims that it drops."""

    def forward(
        self, x: Tensor, ldj: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        kept, left, density = self.counted(x)
        return kept, density.mean(1) if ldj is None else ldj + density.mean(1), left


class HandsBackNoise(HandsBack):
    """Hands back what the second half is made of, and draws that on the way back."""

    widening = 1.0

    def forward(
        self, x: Tensor, ldj: Tensor, reverse: bool = False, eps: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        if not reverse:
            kept, left = x.chunk(2, 1)
            mean, log_scale = self.net(kept).chunk(2, 1)
            density = Normal(mean, (self.widening * log_scale).exp()).log_prob(left)
            return kept, ldj + density.sum(1), (left - mean) / log_scale.exp()
        mean, log_scale = self.net(x).chunk(2, 1)
        eps = torch.randn_like(x) if eps is None else eps
        left = mean + log_scale.exp() * eps
        density = Normal(mean, log_scale.exp()).log_prob(left)
        return torch.cat([x, left], 1), ldj - density.sum(1)


class CountsAnotherScale(HandsBackNoise):
    """A density, and none that the way back draws from."""

    widening = 2.0


class ForgetsCoupling(HandsBack):
    """A coupling in two outputs that reports nothing: no part of it may be let go."""

    def forward(
        self, x: Tensor, ldj: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        kept, other = x.chunk(2, 1)
        shift, log_scale = self.net(kept).chunk(2, 1)
        nothing = x.new_zeros(len(x))
        return kept, nothing if ldj is None else ldj, other * log_scale.exp() + shift


class ForgetsWhatItAsked(HandsBack):
    """Asks for the density, and reports nothing: that it asks saves nobody."""

    def forward(
        self, x: Tensor, ldj: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        kept, other, _ = self.counted(x)
        nothing = x.new_zeros(len(x))
        return kept, nothing if ldj is None else ldj, other * kept.exp()


class ByHand(HandsBack):
    """Writes the normal density out, and asks no distribution."""

    power = 2.0

    def counted(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        kept, left = x.chunk(2, 1)
        mean, log_scale = self.net(kept).chunk(2, 1)
        squares = (left - mean) ** 2 * torch.exp(-self.power * log_scale)
        return kept, left, -0.5 * (math.log(2 * math.pi) + 2 * log_scale + squares)


class OfAnotherScale(ByHand):
    power = 1.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_what_only_takes_x_apart_counts_a_density_right_or_wrong(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(ByHand(), seed=seed).result.kind == "split"
    report = ldjcheck.check(OfAnotherScale(), seed=seed)
    assert [f.code for f in report.findings][:1] == ["LDJ501"]
    assert not any(finding.fix for finding in report.findings)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [HandsBack, HandsBackNoise])
def test_one_that_counts_what_it_hands_back_passes(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert report.result.kind == "split"
    assert report.result.inferred["split"] == (
        "output 1 of the call leaves, and its density is counted"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (Averaged, "LDJ105"),
        (CountsAnotherScale, "LDJ501"),
        (ForgetsCoupling, "LDJ119"),
        (ForgetsWhatItAsked, "LDJ119"),
    ],
)
def test_one_that_counts_it_wrongly_fails(layer: type[nn.Module], code: str) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "fail", report
    assert report.findings[0].code == code


class Drawing(nn.Module):
    """Counts a standard normal density both ways, and draws with a scale of its own."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        if not reverse:
            z, left = z.chunk(2, 1)
            return z, ldj + Normal(0.0, 1.0).log_prob(left).sum(1)
        left = self.scale * torch.randn_like(z)
        return torch.cat([z, left], 1), ldj - Normal(0.0, 1.0).log_prob(left).sum(1)


@pytest.mark.parametrize(("scale", "status"), [(1.0, "pass"), (2.0, "fail")])
def test_what_is_drawn_on_the_way_back_has_the_density_that_is_counted(
    scale: float, status: str
) -> None:
    report = ldjcheck.check(Drawing(scale))
    assert report.status == status, report
    codes = [finding.code for finding in report.findings]
    assert ("LDJ501" in codes) == (status == "fail")
