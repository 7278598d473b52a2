"""A pass says of which arguments it says nothing: what stayed None, and decides."""

import pytest
import torch
from torch import Tensor, nn

from ldjcheck import check


class _Sequences(nn.Module):
    """Scales the steps of a sequence that are no padding, where lengths are given."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def _steps(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if lengths is None:
            return torch.ones(x.shape[:2], dtype=x.dtype)
        return (torch.arange(x.shape[1]) < lengths[:, None]).to(x.dtype)


class CountsRealSteps(_Sequences):
    def forward(
        self, x: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        steps = self._steps(x, lengths)
        scaled = x * torch.exp(self.log_scale * steps[..., None])
        return scaled, self.log_scale.sum() * steps.sum(dim=1)


class CountsPaddingToo(_Sequences):
    def forward(
        self, x: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        steps = self._steps(x, lengths)
        scaled = x * torch.exp(self.log_scale * steps[..., None])
        return scaled, (self.log_scale.sum() * x.shape[1]).expand(len(x))


class HandsItOn(_Sequences):
    """Takes a context since its kind does, and uses none."""

    def forward(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))


_SAID = (
    "lengths=None throughout: what it does otherwise is not checked: "
    "context={'lengths': '...'}"
)


@pytest.mark.parametrize("layer", [CountsRealSteps, CountsPaddingToo])
def test_a_pass_tells_of_an_argument_whose_absence_the_layer_asks_about(
    layer: type[_Sequences],
) -> None:
    report = check(layer(), shape=(8, 3))
    assert report.status == "pass"
    assert report.result.inferred["not given"] == _SAID
    assert "lengths=None throughout" in str(report)


def test_given_it_is_checked_and_no_more_is_said() -> None:
    lengths = {"lengths": "():int:0:8"}
    right = check(CountsRealSteps(), shape=(8, 3), context=lengths)
    wrong = check(CountsPaddingToo(), shape=(8, 3), context=lengths)
    assert (right.status, wrong.status) == ("pass", "fail")
    assert "not given" not in {**right.result.inferred, **wrong.result.inferred}


def test_one_that_is_merely_handed_on_is_not_told_of() -> None:
    assert "not given" not in check(HandsItOn(), shape=(3,)).result.inferred
