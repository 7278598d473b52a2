"""Leading axes may be of samples: then an ldj that has an entry for each of them is whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class TriangleOfMatrix:
    """Takes `(..., p (p + 1) / 2)` to a triangular matrix, its diagonal exponentiated."""

    def __init__(self, counted: float) -> None:
        self.p, self.counted = 3, counted
        self.rows, self.cols = torch.tril_indices(self.p, self.p).unbind(0)

    def __call__(self, theta: Tensor) -> Tensor:
        raw = theta.new_zeros((*theta.shape[:-1], self.p, self.p))
        raw[..., self.rows, self.cols] = theta
        return raw.tril(-1) + raw.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def log_det(self, theta: Tensor) -> Tensor:
        on_diagonal = theta[..., self.rows == self.cols]
        return self.counted * on_diagonal.sum(-1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("counted", "status"), [(1.0, "pass"), (0.5, "fail")])
def test_an_ldj_of_each_vector_of_an_image_is_one_of_vectors(
    counted: float, status: str
) -> None:
    report = ldjcheck.check(TriangleOfMatrix(counted))
    assert report.status == status, report
    assert report.to_dict()["results"][0]["checks"][0]["shape"] == [6]


class ScaleOfChannels(nn.Module):
    """Scales the channels of images, and sums over rows alone."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(0.3 * torch.randn(3, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.expand_as(x).sum(-1)


def test_an_ldj_of_each_row_of_what_is_made_for_images_is_not_summed() -> None:
    report = ldjcheck.check(ScaleOfChannels())
    assert report.findings[0].code == "LDJ202", report
