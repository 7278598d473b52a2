"""A number that is called a density is the ldj where no density of z is in it."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck


class Squashing(nn.Module):
    """An ldj that looks like a logistic base of x, as long as the scale is 1."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(3))
        self.width = width

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a = x * self.log_scale.exp()
        log_p = F.logsigmoid(a) + F.logsigmoid(-a) + self.log_scale + self.width
        return 2 * torch.sigmoid(a) - 1, log_p.sum(-1)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(3))
def test_what_only_its_name_calls_a_density_is_judged_as_the_ldj(seed: int) -> None:
    assert ldjcheck.check(Squashing(math.log(2)), seed=seed).status == "pass"
    wrong = ldjcheck.check(Squashing(0.0), seed=seed)
    assert wrong.status == "fail"
    assert [finding.code for finding in wrong.findings] == ["LDJ110"]
