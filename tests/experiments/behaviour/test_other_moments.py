"""An ldj that is another number at the first call, after a way back, or in training."""

from __future__ import annotations

import pytest
import torch
from small_layers import Affine, Pair
from torch import Tensor, nn

import ldjcheck


class Initialised(Affine):
    """Its scales are those that the first batch asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("known", torch.tensor(0))

    def set_up(self, x: Tensor) -> None:
        with torch.no_grad():
            self.log_scale.copy_(-x.std(0).log())
            self.known.fill_(1)

    def forward(self, x: Tensor) -> Pair:
        if not self.known:
            self.set_up(x)
        return super().forward(x)


class CountedBefore(Initialised):
    def forward(self, x: Tensor) -> Pair:
        before = self.log_scale.sum().clone()
        first = not self.known
        y, ldj = super().forward(x)
        return y, before.expand(len(x)) if first else ldj


class NothingAtFirst(Initialised):
    def forward(self, x: Tensor) -> Pair:
        first = self.training and not self.known
        y, ldj = super().forward(x)
        return y, 0 * ldj if first else ldj


class TurnedByTheWayBack(Affine):
    sign = 1

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, self.sign * ldj

    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        self.sign = -1
        return x, ldj


class Normalised(nn.Module):
    """Divides by the spread of the batch in training, of all so far otherwise."""

    def __init__(self, counts_running: bool) -> None:
        super().__init__()
        self.counts_running = counts_running
        self.register_buffer("variance", torch.ones(4))

    def forward(self, x: Tensor) -> Pair:
        variance = x.var(0) if self.training else self.variance
        if self.training:
            self.variance = 0.9 * self.variance + 0.1 * variance.detach()
        counted = self.variance if self.counts_running else variance
        ldj = -0.5 * torch.log(counted + 1e-5).sum()
        return x / torch.sqrt(variance + 1e-5), ldj.expand(len(x))


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (CountedBefore(), "The log-determinant of the first call is another one."),
        (
            NothingAtFirst(),
            "The log-determinant of the first call in training is another one.",
        ),
        (
            TurnedByTheWayBack(),
            "The log-determinant is another one once the way back has run.",
        ),
        (
            Normalised(counts_running=True),
            "The log-determinant of the first call in training is another one.",
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_one_input_has_one_ldj(layer: nn.Module, said: str) -> None:
    first = ldjcheck.check(layer).findings[0]
    assert (first.name, first.message) == ("stale-cache", said)


@pytest.mark.parametrize("layer", [Initialised(), Normalised(counts_running=False)])
def test_what_the_first_call_sets_is_in_both(layer: nn.Module) -> None:
    assert ldjcheck.check(layer).status == "pass"


class InTraining(Affine):
    """Counts `times` as much in training as in evaluation."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self.times = times

    def ldj(self, x: Tensor) -> Tensor:
        return super().ldj(x) * (self.times if self.training else 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(("times", "status"), [(1.0, "pass"), (0.5, "fail")])
def test_what_is_wrong_in_training_alone_is_found(times: float, status: str) -> None:
    assert ldjcheck.check(InTraining(times)).status == status


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("times", "found"), [(0.0, "ldj-forgotten"), (0.5, None)])
def test_what_is_wrong_without_gradients_alone_is_found(
    times: float, found: str | None
) -> None:
    class WithGradients(Affine):
        def ldj(self, x: Tensor) -> Tensor:
            return super().ldj(x) * (1.0 if torch.is_grad_enabled() else times)

    report = ldjcheck.check(WithGradients())
    assert report.status == "fail"
    assert report.findings[0].name == (found or "unexplained-mismatch")
    assert "torch.no_grad()" in report.findings[0].message
    ignoring = ldjcheck.check(
        WithGradients(), ignore={report.findings[0].code: "known"}
    )
    assert ignoring.status == "pass"
