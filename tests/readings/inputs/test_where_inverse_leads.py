"""Where a map is none on all numbers, its way back tells where its inputs live."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class JohnsonSB(nn.Module):
    """From an interval of its own for each dim, learned or not, to all numbers."""

    def __init__(self, *, counts_width: bool = True, learned: bool = False) -> None:
        super().__init__()
        low, width = torch.tensor([-1.0, 2.0, 10.0]), torch.tensor([2.0, 3.0, 20.0])
        self.low = nn.Parameter(low) if learned else low
        self.log_width = nn.Parameter(width.log()) if learned else width.log()
        self.gamma = nn.Parameter(0.3 * torch.randn(3))
        self.log_delta = nn.Parameter(0.3 * torch.randn(3))
        self.counts_width = counts_width

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = (x - self.low) / self.log_width.exp()
        z = self.gamma + self.log_delta.exp() * torch.log(u / (1 - u))
        ldj = self.log_delta - torch.log(u) - torch.log1p(-u)
        if self.counts_width:
            ldj = ldj - self.log_width
        return z, ldj.sum(-1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        u = torch.sigmoid((z - self.gamma) * torch.exp(-self.log_delta))
        ldj = torch.log(u) + torch.log1p(-u) + self.log_width - self.log_delta
        return self.low + self.log_width.exp() * u, ldj.sum(-1)


class Ordered(nn.Module):
    """From ordered vectors to all."""

    def __init__(self, first: int = 1) -> None:
        super().__init__()
        self.first = first  # entry whose logarithm is counted; of entry 0 there is none

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        steps = torch.log(y[:, 1:] - y[:, :-1])
        return torch.cat([y[:, :1], steps], 1), -steps[:, self.first - 1 :].sum(1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.cat([z[:, :1], z[:, 1:].exp()], 1).cumsum(1)
        return y, z[:, 1:].sum(1)


class Halved(nn.Module):
    """Its way back leads to half of what the map takes: the other half has another ldj."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.sign() * x.abs().sqrt(), (-0.5 * x.abs().log() - 0.693147).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y.abs() * y, (2 * y.clamp(min=0)).log().sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("learned", [False, True])
def test_each_dim_may_have_an_interval_of_its_own(seed: int, learned: bool) -> None:
    torch.manual_seed(seed)
    right = ldjcheck.check(JohnsonSB(learned=learned), seed=seed)
    assert right.status == "pass", right
    assert right.result.inferred["domain"].startswith("where the inverse leads")
    wrong = ldjcheck.check(JohnsonSB(learned=learned, counts_width=False), seed=seed)
    assert [f.code for f in wrong.findings] == ["LDJ110"]


def test_a_sample_may_have_to_be_ordered() -> None:
    assert ldjcheck.check(Ordered(), shape=(4,)).status == "pass"
    assert ldjcheck.check(Ordered(first=2), shape=(4,)).status == "fail"


@pytest.mark.slow
def test_what_the_map_takes_is_not_narrowed_by_its_inverse() -> None:
    report = ldjcheck.check(Halved(), shape=(3,))
    assert report.status == "fail"
    assert "inverse" not in report.result.inferred.get("domain", "")


class Picky(nn.Module):
    """From what is beyond 3; its way back takes only what is near."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.a, self.times = nn.Parameter(torch.tensor([0.3, -0.2, 0.1])), times

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.log(x - 3)
        return y * self.a.exp(), (self.times * self.a - y).sum(-1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        if bool((y.abs() > 1.5).any()):
            raise ValueError("too far")
        y = y * torch.exp(-self.a)
        return y.exp() + 3, (y - self.a).sum(-1)


@pytest.mark.slow
def test_an_inverse_that_raises_is_no_fault_of_ours() -> None:
    assert ldjcheck.check(Picky()).status == "pass"
    assert ldjcheck.check(Picky(times=2.0)).status == "fail"
