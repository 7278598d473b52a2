"""A total that may be left out is None then: what is written for it must ask first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))


class AsksInTheReturn(Scale):
    def forward(
        self, x: Tensor, logdet: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        y = torch.sinh(x) * self.log_s.exp()
        return y, None if logdet is None else logdet + self.log_s.sum()


class AsksInAStatement(Scale):
    def forward(
        self, x: Tensor, logdet: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        y = torch.sinh(x) * self.log_s.exp()
        if logdet is not None:
            logdet = logdet + self.log_s.sum()
        return y, logdet


class AlwaysPassed(Scale):
    def forward(self, x: Tensor, logdet: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.sinh(x) * self.log_s.exp()
        return y, logdet + self.log_s.sum()


def written(layer: nn.Module) -> str:
    (finding,) = ldjcheck.check(layer).findings
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    return "\n".join(edit.after for edit in finding.fix.edits)


ADDED = "logdet + self.log_s.sum() + torch.log(torch.cosh(x)).sum(dim=1)"


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("layer", "line"),
    [
        (AsksInTheReturn, f"        return y, None if logdet is None else {ADDED}"),
        (
            AsksInAStatement,
            f"            logdet = {ADDED}",
        ),  # where it is asked already
    ],
)
def test_a_total_that_may_be_none_is_asked_after(
    layer: type[nn.Module], line: str
) -> None:
    assert written(layer()) == line


@pytest.mark.slow
def test_a_total_that_is_always_passed_is_not() -> None:
    assert "None" not in written(AlwaysPassed())


class PassedOn(Scale):
    """Its total is asked for; that None would come through it means nothing."""

    def forward(self, x: Tensor, logdet: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_s.exp(), logdet


@pytest.mark.slow
def test_a_total_that_must_be_passed_is_not_asked_after() -> None:
    assert written(PassedOn()) == (
        "        return x * self.log_s.exp(), logdet + self.log_s.sum()"
    )
