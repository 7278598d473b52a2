"""A flow that passes by its call has a density too, which counts what the call reports."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]
NORMAL = torch.distributions.Normal(0.0, 1.0)


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Pair:
        return x * self.s.exp(), self.s.sum().expand(len(x))

    def density(self, x: Tensor, times: float = 1.0) -> Tensor:
        z, ldj = self(x)
        return NORMAL.log_prob(z).sum(dim=1) + times * ldj


class Right(Scale):
    def log_prob(self, x: Tensor) -> Tensor:
        return self.density(x)


class Turned(Scale):
    def log_prob(self, x: Tensor) -> Tensor:
        return self.density(x, -1.0)


class InNats(Scale):
    def nll(self, x: Tensor) -> Tensor:
        return -self.density(x)


class CountedTwice(Scale):
    def nll(self, x: Tensor) -> Tensor:
        return -self.density(x, 2.0)


class WithALoss(Right):
    """It has two densities, of which one is the mean over a batch."""

    def nll(self, x: Tensor) -> Tensor:
        return -self.log_prob(x).mean()


class LossOfAll(Right):
    """The prior is added up over the batch, in the second of its densities alone."""

    def bits_per_dim(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        nats = NORMAL.log_prob(z).sum() + ldj
        return (-nats / x.shape[1] / math.log(2)).mean()


class Penalised(Right):
    """More than a density: what is added is no mistake."""

    def loss(self, x: Tensor) -> Tensor:
        return -self.log_prob(x).mean() + 1e-3 * self.s.exp().square().sum()


class WrongLoss(Right):
    def loss(self, x: Tensor) -> Tensor:
        return -self.density(x, -1.0).mean()


class OfData(Scale):
    """Named by what it is the density of."""

    def data_log_prob(self, x: Tensor) -> Tensor:
        return self.density(x)


class OfDataTurned(Scale):
    def data_log_prob(self, x: Tensor) -> Tensor:
        return self.density(x, -1.0)


class LogProbs(Scale):
    """Its density has another name, and no constant."""

    def log_probs(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return (-0.5 * z.pow(2).sum(dim=1) + ldj)[:, None]


class Raises(Scale):
    def log_prob(self, x: Tensor) -> Tensor:
        raise RuntimeError("not yet")


class AColumn(nn.Module):
    """Its density makes one number per sample of what its call returns."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Pair:
        return x * self.s.exp(), (self.s + 0 * x).sum(dim=1, keepdim=True)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return NORMAL.log_prob(z).sum(dim=1) + ldj.squeeze(1)


def title_of(report: ldjcheck.Report) -> str:
    return str(report).splitlines()[0]


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [Right, InNats, OfData, AColumn, WithALoss])
def test_a_density_that_is_right_passes_with_the_call(layer: Any) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert "not checked" not in title_of(report)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (Turned, "LDJ104"),
        (OfDataTurned, "LDJ104"),
        (CountedTwice, "LDJ114"),
        (LossOfAll, "LDJ106"),
        (WrongLoss, "LDJ104"),
        (LogProbs, "LDJ110"),
    ],
)
def test_a_density_that_is_wrong_fails(layer: Any, code: str) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "fail", report
    assert report.findings[0].code == code


@pytest.mark.slow
def test_a_loss_may_hold_more_than_a_density() -> None:
    report = ldjcheck.check(Penalised())
    assert report.status == "pass", report
    assert "loss not checked" in title_of(report)


def test_the_verdict_line_says_what_was_not_checked() -> None:
    report = ldjcheck.check(Raises())
    assert report.status == "pass", report
    line = title_of(report)
    assert line.endswith("PASS  forward only  at (3,) alone  log_prob not checked")


class Mixture(Scale):
    """Its base has three components, each of weight `weight`."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.means, self.weight = nn.Parameter(torch.randn(3, 3)), weight

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        each = NORMAL.log_prob(z[:, None] - self.means).sum(dim=2)
        return torch.logsumexp(each, dim=1) + math.log(self.weight) + ldj


@pytest.mark.slow
def test_a_mixture_whose_weights_are_forgotten_is_no_density() -> None:
    right = ldjcheck.check(Mixture(1 / 3))
    assert right.status == "pass", right
    assert "not checked" not in title_of(right)
    (finding,) = ldjcheck.check(Mixture(1.0)).findings
    assert finding.code == "LDJ110"
    assert "its density integrates to 3, not to 1" in finding.message
    assert finding.fix is not None
    assert [edit.after.strip() for edit in finding.fix.edits] == [
        "return torch.logsumexp(each, dim=1) - math.log(each.shape[1]) + "
        "math.log(self.weight) + ldj"
    ]


class Pixels(nn.Module):
    """Scales 256 levels to 1, which its `forward` leaves out and its bits count."""

    def __init__(self, levels: float) -> None:
        super().__init__()
        self.s, self.levels = nn.Parameter(torch.zeros(3)), levels

    def forward(self, x: Tensor) -> Pair:
        return x / 256 * self.s.exp(), self.s.sum().expand(len(x))

    def bits_per_dim(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        nats = NORMAL.log_prob(z).sum(dim=1) + ldj - 3 * math.log(self.levels)
        return -nats / 3 / math.log(2)


class NatsForBits(Right):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self.density(x) / x.shape[1]


@pytest.mark.slow
def test_nats_where_bits_are_named_are_told_so() -> None:
    (finding,) = ldjcheck.check(NatsForBits()).findings
    assert finding.code == "LDJ107"
    assert finding.message.endswith(
        " must be divided by ln 2, as nats are to give bits."
    )
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"


def test_a_call_is_mended_beside_a_density_that_is_wrong_as_well() -> None:
    (finding,) = ldjcheck.check(Pixels(1.0)).findings
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"


class OneRaises(nn.Module):
    """Its log_prob is not written yet; its nll is, and wrong."""

    sign = 1.0

    def forward(self, x: Tensor) -> Pair:
        return torch.sinh(x), torch.log(torch.cosh(x)).sum(1)

    def log_prob(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return 0.5 * (z**2 + math.log(2 * math.pi)).sum(1) - self.sign * ldj


class OneRaisesAndOneIsWrong(OneRaises):
    sign = -1.0


@pytest.mark.slow
def test_a_density_that_cannot_be_asked_keeps_no_other_from_being_asked() -> None:
    right = ldjcheck.check(OneRaises(), shape=(3,)).result
    assert right.status == "pass"
    assert right.inferred["nll"] == "checked as well, and right"
    assert right.inferred["log_prob"].startswith(
        "asked as well, and nothing was proved"
    )
    wrong = ldjcheck.check(OneRaisesAndOneIsWrong(), shape=(3,))
    assert wrong.findings[0].code == "LDJ104"


class Conditional(nn.Module):
    """Cannot do without a context, which its density only hands on."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 3)

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        s = self.net(context)
        return x * s.exp(), s.sum(1)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        z, ldj = self(x, context)
        return NORMAL.log_prob(z).sum(dim=1) + self.sign * ldj


class ConditionalTurned(Conditional):
    sign = -1.0


@pytest.mark.slow
def test_a_density_is_given_the_contexts_that_the_call_has() -> None:
    right = ldjcheck.check(Conditional()).result
    assert right.inferred["log_prob"] == "checked as well, and right"
    assert ldjcheck.check(ConditionalTurned()).findings[0].code == "LDJ104"


class Trained(Right):
    """What is trained is a bound, with more in it than a density."""

    def elbo(self, x: Tensor) -> Tensor:
        return self.log_prob(x) - x.abs().sum(dim=1)

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return -self.elbo(batch).mean()

    def validation_step(self, batch: Tensor, index: int) -> Tensor:
        return -self.elbo(batch).mean() / batch[0].numel()


@pytest.mark.slow
def test_of_what_holds_more_than_a_density_it_is_said_that_nobody_looked() -> None:
    report = ldjcheck.check(Trained(), shape=(3,))
    assert report.status == "pass"
    assert set(report.result.unasked) == {"elbo", "training_step", "validation_step"}
    assert (
        "elbo not checked" in str(report).splitlines()[1]
    )  # its target has its own line
    assert "nothing was proved" in report.result.inferred["training_step"]


class BitsWithoutTheirBase(nn.Module):
    """Its log_prob is right, and its bpd are nats."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(3))

    def log_prob(self, x: Tensor) -> Tensor:
        return NORMAL.log_prob(x * self.s.exp()).sum(1) + self.s.sum()

    def bpd(self, x: Tensor) -> Tensor:
        return -self.log_prob(x) / x.shape[1]


@pytest.mark.slow
def test_no_edit_goes_into_the_density_that_another_is_made_of() -> None:
    first = ldjcheck.check(BitsWithoutTheirBase()).findings[0]
    assert first.code == "LDJ107"
    assert first.fix is not None
    assert [edit.before.strip() for edit in first.fix.edits] == [
        "return -self.log_prob(x) / x.shape[1]"
    ]


class WritesItsLoss(nn.Module):
    """A density, and a call that writes the loss out once more."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2, 0.1]))

    def log_prob(self, x: Tensor) -> Tensor:
        z = x * torch.exp(-self.log_s)
        return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi) - self.log_s).sum(1)

    def forward(self, x: Tensor) -> Tensor:
        z = x * torch.exp(-self.log_s)
        constant = 0.5 * x.shape[1] * math.log(2 * math.pi)
        return (0.5 * (z**2).sum(1) + constant + self.log_s.sum()).mean()


class LosesASign(WritesItsLoss):
    def forward(self, x: Tensor) -> Tensor:
        z = x * torch.exp(-self.log_s)
        constant = 0.5 * x.shape[1] * math.log(2 * math.pi)
        return (0.5 * (z**2).sum(1) + constant - self.log_s.sum()).mean()


class Penalises(WritesItsLoss):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.1 * (self.log_s**2).sum()


class Encodes(WritesItsLoss):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.exp(-self.log_s)


@pytest.mark.slow
def test_a_call_that_writes_the_loss_out_is_asked_beside_the_density() -> None:
    result = ldjcheck.check(WritesItsLoss(), shape=(3,)).result
    assert result.status == "pass"
    assert not result.unasked
    assert result.inferred["forward"] == "checked as well, and right"
    (finding,) = ldjcheck.check(LosesASign(), shape=(3,)).findings
    assert finding.code == "LDJ104"


@pytest.mark.slow
def test_a_call_that_holds_more_than_a_density_is_left_open() -> None:
    result = ldjcheck.check(Penalises(), shape=(3,)).result
    assert (result.status, result.unasked) == ("pass", ("forward",))


def test_a_call_that_is_no_density_is_not_spoken_of() -> None:
    result = ldjcheck.check(Encodes(), shape=(3,)).result
    assert (result.status, result.unasked) == ("pass", ())
    assert "forward" not in result.inferred


class Large(nn.Module):
    """A flow of images, whose calls are counted."""

    times = 1.0
    asked: ClassVar[list[str]] = []

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(1, 2, 3, padding=1)
        rows, columns = torch.arange(23)[:, None], torch.arange(23)
        self.register_buffer("mask", ((rows + columns) % 2).double())

    def forward(self, x: Tensor) -> Pair:
        s, t = self.net(x * self.mask).chunk(2, dim=1)
        s = s.tanh() * (1 - self.mask)
        return x * s.exp() + t * (1 - self.mask), s.sum(dim=(1, 2, 3))

    def log_prob(self, x: Tensor) -> Tensor:
        self.asked.append("log_prob")
        z, ldj = self(x)
        return NORMAL.log_prob(z).sum(dim=(1, 2, 3)) + self.times * ldj


class LargeInAnotherOrder(Large):
    """Its base is asked of the same entries, in another order."""

    def log_prob(self, x: Tensor) -> Tensor:
        self.asked.append("log_prob")
        z, ldj = self(x)
        return NORMAL.log_prob(z.flatten(1).flip(1)).sum(dim=1) + ldj


class LargeAndTurned(Large):
    times = -1.0


@pytest.mark.parametrize("flow", [Large, LargeInAnotherOrder])
def test_a_density_of_many_dims_that_says_what_the_call_says_is_not_measured(
    flow: type[Large],
) -> None:
    Large.asked.clear()
    result = ldjcheck.check(flow(), shape=(1, 23, 23)).result
    assert (result.status, result.unasked) == ("pass", ())
    assert 0 < len(Large.asked) < 16  # a measurement is eleven calls more


@pytest.mark.slow
def test_a_density_of_many_dims_that_is_wrong_fails_beside_its_call() -> None:
    (finding,) = ldjcheck.check(LargeAndTurned(), shape=(1, 23, 23)).findings
    assert finding.code == "LDJ104"


class _Gaussian(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(3))
        self.log_std = nn.Parameter(torch.zeros(3))

    def sample(self, count: int) -> Tensor:
        return self.mean + self.log_std.exp() * torch.randn(count, 3)

    def log_prob(self, z: Tensor) -> Tensor:
        each = ((z - self.mean) * torch.exp(-self.log_std)) ** 2 + math.log(2 * math.pi)
        return -0.5 * each.sum(-1) - self.log_std.sum()


class Drawn(nn.Module):
    """Draws with its density; of any x it has one as well."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.s = _Gaussian(), nn.Parameter(torch.zeros(3))

    def rsample(self, count: int) -> Pair:
        z = self.base.sample(count)
        x = torch.sinh(z * self.s.exp())
        ldj = (0.5 * torch.log1p(x**2) + self.s).sum(-1)
        return x, self.base.log_prob(z) - ldj

    def to_base(self, x: Tensor) -> Pair:
        z = torch.asinh(x) * torch.exp(-self.s)
        return z, -(0.5 * torch.log1p(x**2) + self.s).sum(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.to_base(x)
        return self.base.log_prob(z) + ldj


class DrawnAndAskedAboutX(Drawn):
    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.to_base(x)  # noqa: RUF059  # as such a slip is written
        return self.base.log_prob(x) + ldj


def test_beside_a_sampler_that_is_right_the_density_of_any_x_is_asked() -> None:
    right = ldjcheck.check(Drawn())
    assert right.status == "pass"
    assert "not checked" not in title_of(right)


@pytest.mark.parametrize("seed", range(2))
def test_a_base_that_is_asked_about_x_is_not_asked_about_z(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(DrawnAndAskedAboutX(), seed=seed)
    first = report.findings[0]
    assert (report.status, first.message) == (
        "fail",
        "The base density is asked about the input itself, not about what "
        "`self.to_base(x)` makes of it.",
    )
    assert first.fix is not None
    assert [edit.after.strip() for edit in first.fix.edits] == [
        "return self.base.log_prob(z) + ldj"
    ]


class Encoded(nn.Module):
    """Its call has no name of a density, and is one; another method is the map."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def transform(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        log_s, t = self.net(a).chunk(2, dim=1)
        log_s = torch.tanh(log_s)
        return torch.cat([b * log_s.exp() + t, a], dim=1), log_s.sum(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        z, ldj = self.transform(x)
        return 0.5 * (z**2 + math.log(2 * math.pi)).sum(dim=1) - ldj


class EncodedTwice(Encoded):
    def forward(self, x: Tensor) -> Tensor:
        z, ldj = self.transform(x)
        return 0.5 * (z**2 + math.log(2 * math.pi)).sum(dim=1) - 2 * ldj


class Scored(Encoded):
    """How far out z is, and no density."""

    def forward(self, x: Tensor) -> Tensor:
        return self.transform(x)[0].square().sum(dim=1)


@pytest.mark.slow
def test_a_call_beside_a_map_that_is_a_density_is_asked() -> None:
    right, wrong = ldjcheck.check(Encoded()), ldjcheck.check(EncodedTwice())
    assert (right.status, title_of(right).count("not checked")) == ("pass", 0)
    assert (wrong.status, wrong.findings[0].code) == ("fail", "LDJ114")
    fix = wrong.findings[0].fix  # the map is right, and the call is what is wrong
    assert fix is not None
    assert fix.edits[0].after.strip().endswith(".sum(dim=1) - ldj")


@pytest.mark.slow
def test_a_call_beside_a_map_that_lacks_a_constant_alone_need_be_no_density() -> None:
    report = ldjcheck.check(Scored())
    assert (report.status, "forward not checked" in title_of(report)) == ("pass", True)


class OfResults(Scale):
    """Its loss is given what the call returns, and merely adds the ldj."""

    def nll(self, z: Tensor, ldj: Tensor) -> Tensor:
        return 0.5 * z.pow(2).mean() - (ldj / z[0].numel()).mean()


class GivenACondition(Scale):
    """Its base depends on a condition, which the map does not know."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.centre, self.times = nn.Linear(2, 3), times

    def log_prob(self, x: Tensor, condition: Tensor) -> Tensor:
        z, ldj = self(x)
        off = z - self.centre(condition)
        return NORMAL.log_prob(off).sum(dim=1) + self.times * ldj


@pytest.mark.slow
def test_a_loss_that_adds_a_given_ldj_is_no_density_of_x() -> None:
    report = ldjcheck.check(OfResults())
    assert report.status == "pass", report
    assert "nll" in report.result.unasked
    assert ldjcheck.check(GivenACondition()).status == "pass"
    assert ldjcheck.check(GivenACondition(-1.0)).findings[0].code == "LDJ104"
