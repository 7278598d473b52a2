"""Losses beside what is logged: what is trained is the density, in whatever it comes back."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Flow(nn.Module):
    """One masked step and a standard normal; `sign` is that of the ldj in the density."""

    sign = 1.0

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dims, dims))
        self.register_buffer("mask", torch.ones(dims, dims).tril(-1))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_s = torch.tanh(x @ (self.weight * self.mask).T)
        z = x * log_s.exp()
        return z, (-0.5 * z**2 - HALF_LOG_2PI).sum(1), self.sign * log_s.sum(1)


class LossAlone(Flow):
    def forward(self, x: Tensor) -> Tensor:
        _, prior, ldj = self.parts(x)
        return -(prior + ldj).mean()


class LossAndNumbers(Flow):
    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        _, logp, ldj = self.parts(x)
        loss = -(logp + ldj).mean()
        return loss, {"prior": logp.mean().item(), "ldj": ldj.mean().item()}


class LossAndTensors(Flow):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        _, logp, ldj = self.parts(x)
        loss = -(logp + ldj).mean()
        return {"logp": logp.detach(), "ldj": ldj.detach(), "loss": loss}


class LossOfEach(Flow):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        _, logp, ldj = self.parts(x)
        nll = -(logp + ldj)
        return nll, nll / (math.log(2) * x[0].numel())


class LossAndZ(Flow):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, logp, ldj = self.parts(x)
        return -(logp + ldj).mean(), z


class OfEachDim(Flow):
    def forward(self, x: Tensor) -> Tensor:
        _, logp, ldj = self.parts(x)
        loss = -(logp + ldj).mean() / x[0].numel()
        return loss


class BitsCalledLoss(Flow):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        _, logp, ldj = self.parts(x)
        loss = -(logp + ldj).mean() / (math.log(2) * x[0].numel())
        return {"loss": loss, "bpd": loss.detach()}


class MeanOverAll(Flow):
    """Without the constant of the normal law, which no gradient knows of."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, _, ldj = self.parts(x)
        loss = 0.5 * (z**2).mean() - ldj.mean() / x.shape[1]
        return loss, z


class SumOverAll(Flow):
    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)[0]

    def loss_function(self, x: Tensor) -> Tensor:
        _, logp, ldj = self.parts(x)
        return -(logp + ldj).sum()


class FilledIn(Flow):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        z, logp, ldj = self.parts(x)
        out = {"z": z}
        out["nll"] = -(logp + ldj)
        out["bpd"] = out["nll"] / (math.log(2) * x[0].numel())
        return out


class Losses(NamedTuple):
    total: Tensor
    prior: Tensor
    ldj: Tensor


class SumOfTheBatchBeside(Flow):
    """Its ldj is that of all samples, and divided by their number beside a mean."""

    def loss(self, x: Tensor) -> Tensor:
        _, logp, ldj = self.parts(x)
        return -logp.mean() - ldj.sum() / len(x)


class InNamedTuple(Flow):
    def forward(self, x: Tensor) -> Losses:
        _, logp, ldj = self.parts(x)
        return Losses(-(logp + ldj).mean(), -logp.mean().detach(), -ldj.mean().detach())


class LdjForTheLog(Flow):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        z, logp, ldj = self.parts(x)
        return {"loss": -(logp + ldj).mean(), "z": z, "ldj": ldj.detach()}


class Pair(Flow):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, _, ldj = self.parts(x)
        return z, self.sign * ldj  # right by itself


class LossWithLogs(Pair):
    def loss(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        _, logp, ldj = self.parts(x)
        loss = -(logp + ldj).mean()
        return loss, {"prior": logp.mean().item()}


class NllOfEachDim(Pair):
    def nll(self, x: Tensor) -> Tensor:
        _, logp, ldj = self.parts(x)
        return -(logp + ldj).sum() / x.numel()


class StepOfTensor(Pair):
    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        _, logp, ldj = self.parts(batch)
        return -(logp + ldj).mean()


class StepOfPair(Pair):
    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        x, _ = batch
        _, logp, ldj = self.parts(x)
        return {"loss": -(logp + ldj).mean(), "ldj": ldj.mean().detach()}


class StepOfOne(Pair):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (x,) = batch
        _, logp, ldj = self.parts(x)
        return -(logp + ldj).mean()


class StepAlone(Flow):
    """Its call is the map, and nothing but a training step says a density."""

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)[0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x = batch[0]
        _, logp, ldj = self.parts(x)
        return -(logp + ldj).mean()


FORMS = (
    LossAlone, LossAndNumbers, LossAndTensors, LossOfEach, LossAndZ, FilledIn,
    OfEachDim, BitsCalledLoss, MeanOverAll, SumOverAll, SumOfTheBatchBeside,
    InNamedTuple, LdjForTheLog,
    LossWithLogs, NllOfEachDim, StepOfTensor, StepOfPair, StepOfOne, StepAlone,
)  # fmt: skip


def built(form: type[Flow], seed: int, sign: float = 1.0) -> Flow:
    torch.manual_seed(seed)
    flow = form()
    flow.sign = sign
    return flow


@pytest.mark.thinned(3)
@pytest.mark.parametrize("form", FORMS)
def test_a_loss_is_a_density_in_whatever_it_comes_back(form: type[Flow]) -> None:
    result = ldjcheck.check(built(form, seed=0))
    assert result.status == "pass"
    assert not [f for f in result.findings if f.severity == "error"]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_loss_that_takes_the_ldj_off_is_found_there(form: type[Flow]) -> None:
    result = ldjcheck.check(built(form, seed=0, sign=-1.0))
    assert result.status == "fail"
    # What an nll is divided by is read by its numbers alone, and these are wrong here.
    code = "LDJ199" if form is NllOfEachDim else "LDJ104"
    assert result.findings[0].code == code


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 10))
@pytest.mark.parametrize("form", FORMS)
def test_so_it_is_whatever_the_weights(form: type[Flow], seed: int) -> None:
    assert ldjcheck.check(built(form, seed)).status == "pass"
    assert ldjcheck.check(built(form, seed, sign=-1.0)).status == "fail"


class OfVectors(nn.Module):
    """All that is learnt are vectors, and their norms are added to the loss."""

    def __init__(self, dims: int = 3, sign: float = 1.0) -> None:
        super().__init__()
        self.log_s, self.shift = (nn.Parameter(torch.randn(dims)) for _ in range(2))
        self.sign = sign

    def loss(self, x: Tensor) -> Tensor:
        z = (x - self.shift) * self.log_s.exp()
        logp = (-0.5 * z**2 - HALF_LOG_2PI).sum(1) + self.sign * self.log_s.sum()
        decay = sum(p.pow(2).sum() for p in self.parameters())
        return -logp.mean() + 1e-2 * decay


@pytest.mark.slow
def test_a_decay_of_all_that_is_learnt_is_no_term_of_the_density() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(OfVectors()).status == "pass"
    report = ldjcheck.check(OfVectors(sign=-1.0))
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ104"


class Counted(Flow):
    """Counts its calls."""

    calls = 0

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        type(self).calls += 1
        _, logp, ldj = self.parts(x)
        return -(logp + ldj).mean(), {"prior": logp.mean().item()}


def test_what_hands_back_numbers_alone_is_not_asked_at_each_size_for_more() -> None:
    Counted.calls = 0
    assert ldjcheck.check(built(Counted, seed=0)).status == "pass"
    assert Counted.calls < 250


class AveragedPrior(Pair):
    """Its base is a mean over dims where its ldj is a sum: the base was written wrong."""

    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        prior = 0.5 * (z**2 + math.log(2 * math.pi)).mean(1)
        return prior - ldj


class AveragedPriorInBits(Flow):
    """Beside it, noise has a density that is taken off: of a draw, and no base."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        eps = torch.randn_like(x)
        log_q = torch.distributions.Normal(0.0, 1.0).log_prob(eps).sum(1)
        z, _, ldj = self.parts((torch.floor(x) + eps.sigmoid()) / 4)
        volume = F.logsigmoid(eps) + F.logsigmoid(-eps) - math.log(4)
        return z, ldj + volume.sum(1) - log_q

    def forward(self, x: Tensor) -> Tensor:
        z, ldj = self.encode(x)
        log_p = torch.distributions.Normal(0.0, 1.0).log_prob(z).mean(1)
        return -(log_p + ldj) / (math.log(2) * x.shape[1])


@pytest.mark.slow
def test_a_base_that_is_averaged_is_mended_and_not_the_ldj_beside_it() -> None:
    result = ldjcheck.check(built(AveragedPrior, seed=0), shape=(4,))
    (finding,) = [f for f in result.findings if f.severity == "error"]
    assert finding.code == "LDJ105"
    assert finding.fix is not None
    assert [edit.after.strip() for edit in finding.fix.edits] == [
        "prior = 0.5 * (z**2 + math.log(2 * math.pi)).sum(1)"
    ]


@pytest.mark.slow
def test_the_base_is_what_a_density_in_bits_adds_and_not_what_it_takes_off() -> None:
    result = ldjcheck.check(built(AveragedPriorInBits, seed=0), shape=(4,))
    assert [f.code for f in result.findings if f.severity == "error"] == ["LDJ105"]
