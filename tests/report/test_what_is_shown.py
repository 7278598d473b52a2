"""A failing check shows numbers that disagree, wherever they were found."""

from __future__ import annotations

import math

import pytest
import torch
from small_layers import Curve
from torch import Tensor, nn

import ldjcheck


class FourDimsOnly(nn.Module):
    """Right at four dims, where its author tried it, and nowhere else."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return 3 * x, torch.full((len(x),), 4 * math.log(3))


class Beyond(nn.Module):
    """Right up to |x| = 5."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = 2 * x + (x - 5).clamp_min(0) - (-x - 5).clamp_min(0)
        return y, torch.full((len(x),), x.shape[1] * math.log(2))


@pytest.mark.slow
def test_the_samples_of_the_other_size_are_shown() -> None:
    report = ldjcheck.check(FourDimsOnly())
    check = report.to_dict()["results"][0]["checks"][0]
    assert report.status == "fail"
    assert check["shape"] != [4]
    assert all(abs(sample["difference"]) > 0.1 for sample in check["samples"])


def test_a_sample_from_far_out_is_shown() -> None:
    report = ldjcheck.check(Beyond(), shape=(4,))
    check = report.to_dict()["results"][0]["checks"][0]
    assert report.status == "fail"
    assert max(abs(sample["difference"]) for sample in check["samples"]) > 0.1
    if check["dimensions"][0]["reported"] is not None:
        total = sum(dim["reported"] for dim in check["dimensions"])
        assert math.isclose(total, check["samples"][0]["reported"], abs_tol=1e-6)


class HalfCounted(Curve):
    def log_slope(self, x: Tensor) -> Tensor:
        return super().log_slope(x) / 2


def test_what_each_dim_reports_stands_beside_what_it_should() -> None:
    report = ldjcheck.check(HalfCounted(), shape=(4,))
    parts = report.checks[0].dimensions
    assert [d.reported for d in parts] == pytest.approx([d.exact / 2 for d in parts])
