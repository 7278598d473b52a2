"""Which of several numbers beside the output is the ldj: names first, then what is right."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ldjcheck

Three = tuple[Tensor, Tensor, Tensor]


class Scaling(nn.Module):
    """Its numbers come back as expressions, so no name tells which is which."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.randn(4))

    def given(self) -> Tensor:
        return self.log_scale.sum()

    def forward(self, x: Tensor) -> Three:
        z = x * self.log_scale.exp()
        energy = -0.5 * (z**2).sum(1)
        return z, 1.0 * energy, self.given().expand(len(x))


class Halved(Scaling):
    def given(self) -> Tensor:
        return self.log_scale.sum() / 2


class Named(Scaling):
    """A name tells, and what it tells of is wrong, whatever stands beside that."""

    def forward(self, x: Tensor) -> Three:
        z = x * self.log_scale.exp()
        log_det = -0.5 * (z**2).sum(1)
        return z, log_det, self.given().expand(len(x))


class OfABase(Scaling):
    """What a base is asked is no ldj, under any name and through any helper."""

    def forward(self, x: Tensor) -> Three:
        z = x * self.log_scale.exp()
        first = _asked(z)
        return z, first.sum(1), self.given().expand(len(x))


class OfABaseHalved(OfABase):
    given = Halved.given


def _asked(z: Tensor) -> Tensor:
    return Normal(0.0, 1.0).log_prob(z)


@pytest.mark.thinned(40)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("layer", "status"),
    [
        (Scaling, "pass"),
        (OfABase, "pass"),
        (Halved, "fail"),
        (OfABaseHalved, "fail"),
        (Named, "fail"),
    ],
)
def test_the_ldj_is_what_is_right_where_no_name_tells(
    layer: type[nn.Module], status: str, seed: int
) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(layer(), shape=(4,), seed=seed).status == status


def test_what_a_base_is_asked_is_not_blamed_for_an_ldj_that_is_wrong() -> None:
    torch.manual_seed(0)
    result = ldjcheck.check(OfABaseHalved(), shape=(4,))
    assert [finding.code for finding in result.findings] == ["LDJ114"]


def test_a_reading_of_another_number_is_told() -> None:
    torch.manual_seed(0)
    told = ldjcheck.check(Scaling(), shape=(4,)).details
    assert (
        "ldj: no name tells which number it is, and the first of them is wrong" in told
    )
