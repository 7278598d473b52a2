"""A radius is positive, and an angle from an axis: beyond, a map folds, and is not meant."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Spherical(nn.Module):
    """Radius and angles to a point; `missing` powers of the sines are not counted."""

    def __init__(self, missing: int = 0) -> None:
        super().__init__()
        self.missing = missing

    def forward(self, u: Tensor) -> Pair:
        r, phi = u[:, :1], u[:, 1:]
        ones = torch.ones_like(r)
        sines = torch.cat([ones, torch.sin(phi)], 1).cumprod(1)
        x = r * sines * torch.cat([torch.cos(phi), ones], 1)
        dims = u.shape[1]
        powers = torch.arange(dims - 2, 0, -1, dtype=u.dtype) - self.missing
        ldj = (powers * torch.log(torch.sin(phi[:, :-1]))).sum(1)
        return x, ldj + (dims - 1) * torch.log(r[:, 0])


class Planar(nn.Module):
    """Folds along a plane, and its logarithm lacks an absolute value."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.5, -1.0, 0.5]) + 0.1 * torch.randn(3))
        self.u = nn.Parameter(torch.tensor([-2.0, 1.0, 0.3]))

    def forward(self, x: Tensor) -> Pair:
        h = torch.tanh(x @ self.w + 0.2)
        det = 1 + (1 - h**2) * (self.u @ self.w)
        return x + self.u * h[:, None], torch.log(det)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(10))
def test_a_right_one_passes_where_its_ldj_is_a_number(seed: int) -> None:
    report = ldjcheck.check(Spherical(), seed=seed)
    assert report.status == "pass", report
    assert "folds where one changes its sign" in report.result.inferred["domain"]
    assert "inputs between 0 and 1" in str(report)  # nobody typed that, so it is said


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(10))
def test_a_wrong_one_is_wrong_there(seed: int) -> None:
    report = ldjcheck.check(Spherical(missing=1), seed=seed)
    codes = [f.code for f in report.findings if f.severity == "error"]
    assert len(codes) == 1, report
    assert codes[0] in ("LDJ110", "LDJ120", "LDJ114"), report


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(10))
def test_a_logarithm_that_lacks_its_absolute_value_ends_elsewhere(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(Planar(), seed=seed)
    assert report.status == "fail", report
    assert "LDJ109" in [f.code for f in report.findings], report


def test_a_domain_that_is_typed_stays() -> None:
    report = ldjcheck.check(Spherical(), domain="real")
    assert report.status == "fail", report
