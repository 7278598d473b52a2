"""Models: their density against log p(z) plus the exact ldj of x to z."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, TransformedDistribution, transforms

import ldjcheck
from ldjcheck.conventions.distributions.model import _of_what_is_returned


class Bend(nn.Module):
    """sinh(a x) / a; `mistake` is what its ldj is multiplied by."""

    def __init__(self, mistake: float = 1.0) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(0.8))
        self.mistake = mistake

    def forward(self, x: Tensor) -> Any:
        bent = self.strength * x
        ldj = torch.log(torch.cosh(bent)).sum(dim=1)
        return torch.sinh(bent) / self.strength, ldj * self.mistake

    def inverse(self, y: Tensor) -> Any:
        x = torch.asinh(self.strength * y) / self.strength
        return x, -self.forward(x)[1]


class Model(nn.Module):
    """A flow with a normal base; `times` says how often the flow's ldj is counted."""

    def __init__(self, flow: nn.Module | None = None, times: float = 1.0) -> None:
        super().__init__()
        self.flow = flow or Bend()
        self.times = times

    def base(self, z: Tensor) -> Tensor:
        return Normal(0.5, 2.0).log_prob(z).sum(dim=1)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        return self.base(z) + self.times * ldj


class WrittenOut(Model):
    """The same, with a standard normal that is written out in full."""

    def base(self, z: Tensor) -> Tensor:
        return -(z**2).sum(dim=1) / 2 - z.shape[1] * math.log(2 * math.pi) / 2


class Bits(nn.Module):
    """Reports bits per dimension; `base` is that of the logarithm of its ldj."""

    def __init__(self, base: float = math.e) -> None:
        super().__init__()
        self.flow = Bend()
        self.base = base

    def bpd(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        density = Normal(0.0, 1.0).log_prob(z).sum(dim=1) + ldj / math.log(self.base)
        return -density / (math.log(2) * x.shape[1])


def codes(report: ldjcheck.Report) -> list[str]:
    return [f.code for f in report.findings if f.severity == "error"]


def kind_of(report: ldjcheck.Report) -> str:
    found: str = report.to_dict()["results"][0]["kind"]
    return found


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "model", [Model(), WrittenOut(), Bits()], ids=lambda m: repr(type(m))
)
def test_a_right_model_passes(model: nn.Module) -> None:
    report = ldjcheck.check(model, shape=(3,))
    assert (report.status, kind_of(report)) == ("pass", "model")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "code"),
    [
        (Model(times=-1.0), "LDJ104"),
        (Model(times=2.0), "LDJ114"),
        (WrittenOut(times=-1.0), "LDJ104"),
        (Model(Bend(mistake=3.0)), "LDJ114"),
        (Bits(base=2.0), "LDJ107"),
    ],
    ids=["turned", "twice", "turned, written out", "wrong flow", "base of logs"],
)
def test_a_wrong_model_is_told_what_is_wrong(model: nn.Module, code: str) -> None:
    assert codes(ldjcheck.check(model, shape=(3,))) == [code]


class Loss(Model):
    """The mean over the batch, as it is minimised; `divided` is a count too many."""

    def __init__(self, times: float = 1.0, *, divided: bool = False) -> None:
        super().__init__(times=times)
        self.divided = divided

    def nll(self, x: Tensor) -> Tensor:
        return -self.density(x).mean() / (len(x) if self.divided else 1)

    def density(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        return Normal(0.5, 2.0).log_prob(z).sum(dim=1) + self.times * ldj

    log_prob = None  # type: ignore[assignment]  # it has none


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "status"),
    [
        (Loss(), "pass"),
        pytest.param(Loss(times=-1.0), "fail", marks=pytest.mark.slow),
        (Loss(divided=True), "fail"),
    ],
    ids=["right", "turned", "divided by the batch twice"],
)
def test_a_loss_that_is_the_mean_over_the_batch_is_no_mistake(
    loss: nn.Module, status: str
) -> None:
    assert ldjcheck.check(loss, shape=(3,), kind="model").status == status


class Mixture(Model):
    """A base of three components, whose densities are put together by hand."""

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        each = Normal(torch.tensor([[-1.0], [0.0], [1.0]]), 1.0).log_prob(z[:, None])
        return each.sum(dim=2).logsumexp(dim=1) - math.log(3) + ldj


@pytest.mark.slow
def test_the_components_of_a_mixture_are_not_taken_for_its_density() -> None:
    assert ldjcheck.check(Mixture(), shape=(4,), kind="model").status != "fail"


class DensityAlone(nn.Module):
    """It has no call, and holds no layer: all is done where the density is."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(3))
        self.times = times

    def log_prob(self, x: Tensor) -> Tensor:
        z = x * self.log_s.exp()
        return Normal(0.0, 1.0).log_prob(z).sum(1) + self.times * self.log_s.sum()


@pytest.mark.slow
def test_what_maps_x_to_where_its_base_is_asked_is_a_model() -> None:
    right = ldjcheck.check(DensityAlone())
    assert (right.status, right.result.kind) == ("pass", "model"), str(right)
    wrong = ldjcheck.check(DensityAlone(times=-1.0))
    assert [finding.code for finding in wrong.findings] == ["LDJ104"]


@pytest.mark.slow
def test_the_report_says_the_unit() -> None:
    said = ldjcheck.check(Bits(), shape=(3,)).to_dict()["results"][0]["inferred"]
    assert "bits/dim" in said["convention"]


class Levels(Bits):
    """Bits of data with 256 levels; `dims` says how often their log is counted."""

    def __init__(self, dims: int = 3, *, scales: bool = False) -> None:
        super().__init__()
        self.dims, self.scales = dims, scales

    def bpd(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x / 256 if self.scales else x)
        if self.scales:
            ldj = ldj - x.shape[1] * math.log(256)
        density = Normal(0.0, 1.0).log_prob(z).sum(dim=1) + ldj
        density = density - self.dims * math.log(256)
        return -density / (math.log(2) * x.shape[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "status"),
    [
        (Levels(), "pass"),
        (Levels(dims=1), "fail"),
        (Levels(dims=-3), "fail"),
        (Levels(scales=True), "fail"),
    ],
    ids=["scaled before", "once, not for each dim", "turned", "scaled inside as well"],
)
def test_the_levels_of_data_that_was_scaled_before_are_no_term_too_many(
    model: nn.Module, status: str
) -> None:
    report = ldjcheck.check(model, shape=(3,))
    assert report.status == status
    said = report.to_dict()["results"][0]["inferred"]
    assert ("levels" in said) == (status == "pass")


class Several(nn.Module):
    """A flow that is called, with a density that counts its ldj with the wrong sign."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = Bend()

    def forward(self, x: Tensor) -> Any:
        return self.flow(x)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        return Normal(0.0, 1.0).log_prob(z).sum(dim=1) - ldj

    def bits_per_dim(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        density = Normal(0.0, 1.0).log_prob(z).sum(dim=1) + ldj
        return -density / (math.log(2) * x.shape[1])


@pytest.mark.slow
def test_a_density_of_what_is_called_is_checked_and_the_others_are_named() -> None:
    flow = Several()
    report = ldjcheck.check(flow, shape=(3,))
    assert report.findings[0].code == "LDJ104"
    said = report.to_dict()["results"][0]["inferred"]["bits_per_dim"]
    assert said == "not checked here: name flow.bits_per_dim to check it"


@pytest.mark.slow
def test_a_density_can_be_named() -> None:
    model = Several()
    assert codes(ldjcheck.check(model.log_prob, shape=(3,))) == ["LDJ104"]
    right = ldjcheck.check(model.bits_per_dim, shape=(3,))
    assert (right.status, kind_of(right)) == ("pass", "model")


class PerDim(nn.Module):
    """Its call hands back an ldj with an entry per dim, which its density adds up."""

    def __init__(self, reduce: Any = torch.sum) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(0.8))
        self.reduce = reduce

    def forward(self, x: Tensor) -> Any:
        bent = self.strength * x
        return torch.sinh(bent) / self.strength, torch.cosh(bent).log()

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return Normal(0.0, 1.0).log_prob(z).sum(1) + self.reduce(ldj, dim=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reduce", "expected"),
    [(torch.sum, ([], "bijection")), (torch.mean, (["LDJ105"], "model"))],
)
def test_an_ldj_that_the_density_adds_up_need_not_be_summed_before(
    reduce: Any, expected: tuple[list[str], str]
) -> None:
    report = ldjcheck.check(PerDim(reduce), shape=(3,))
    assert (codes(report), kind_of(report)) == expected


def test_a_model_that_drops_dims_without_a_density_is_unproven() -> None:
    class Dropping(Model):
        def log_prob(self, x: Tensor) -> Tensor:
            z, ldj = self.flow(x)
            return Normal(0.0, 1.0).log_prob(z[:, :2]).sum(dim=1) + ldj

    report = ldjcheck.check(Dropping(), shape=(5,))
    assert report.status == "unproven"
    assert [f.message for f in report.findings] == [
        "The base is asked about 2 of 5 dims: what gives the others a density?"
    ]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("counts", [True, False])
def test_dims_that_are_split_off_must_have_a_density(counts: bool) -> None:
    class Splitting(Model):
        def log_prob(self, x: Tensor) -> Tensor:
            z, ldj = self.flow(x)
            kept, left = z.split([2, 3], dim=1)
            base = Normal(0.0, 1.0)
            kept, more = self.flow(kept)
            log_p = base.log_prob(kept).sum(dim=1) + ldj + more
            return log_p + base.log_prob(left).sum(dim=1) if counts else log_p

    report = ldjcheck.check(Splitting(), shape=(5,), kind="model")
    expected = ("pass", []) if counts else ("fail", ["LDJ501"])
    assert (report.status, codes(report)) == expected
    told = [f.location.text for f in report.findings if f.location is not None]
    assert told == ([] if counts else ["kept, left = z.split([2, 3], dim=1)"])


def test_dims_that_are_cut_off_as_they_came_may_be_a_condition() -> None:
    class Conditional(Model):
        def log_prob(self, x: Tensor) -> Tensor:
            data = x.split([3, 2], dim=1)[0]
            z, ldj = self.flow(data)
            return Normal(0.0, 1.0).log_prob(z).sum(dim=1) + ldj

    assert ldjcheck.check(Conditional(), shape=(5,), kind="model").status != "fail"


def test_dims_that_are_split_off_between_0_and_1_may_be_uniform() -> None:
    class Uniform(Model):
        def log_prob(self, x: Tensor) -> Tensor:
            z, ldj = self.flow(x)
            u = torch.sigmoid(z)
            ldj = ldj - (z + 2 * nn.functional.softplus(-z)).sum(dim=1)
            kept = u.split([2, 3], dim=1)[0]
            z = torch.logit(kept)
            ldj = ldj - (kept.log() + torch.log1p(-kept)).sum(dim=1)
            return Normal(0.0, 1.0).log_prob(z).sum(dim=1) + ldj

    assert ldjcheck.check(Uniform(), shape=(5,), kind="model").status != "fail"


@pytest.mark.slow
def test_a_distribution_of_torch_as_a_model() -> None:
    base = Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
    parts = [transforms.AffineTransform(1.0, 2.0), transforms.TanhTransform()]
    model = TransformedDistribution(base, parts, validate_args=True)
    report = ldjcheck.check(model, kind="model")
    assert (report.status, kind_of(report)) == ("pass", "model")


def test_a_flow_of_nflows_as_a_model() -> None:
    flows = pytest.importorskip("nflows.flows")
    library = pytest.importorskip("nflows.transforms")
    distributions = pytest.importorskip("nflows.distributions")
    model = flows.Flow(library.LULinear(4), distributions.StandardNormal([4]))
    report = ldjcheck.check(model, kind="model", shape=(4,))
    assert (report.status, kind_of(report)) == ("pass", "model")


@pytest.mark.slow
def test_a_base_that_is_not_normalised_is_told_what_it_integrates_to() -> None:
    class Unnormalised(Model):
        def base(self, z: Tensor) -> Tensor:
            return -z.abs().sum(dim=1)

    report = ldjcheck.check(Unnormalised(), shape=(3,), kind="model")
    assert (report.status, codes(report)) == ("fail", ["LDJ110"])
    (finding,) = report.findings
    assert finding.message == (
        "A constant of the base is missing: its density integrates to 8, not to 1."
    )
    told = "every sample is off by +2.079 nats = log(8), +0.693"
    assert finding.evidence[0].startswith(told)


@pytest.mark.slow
def test_a_model_whose_base_cannot_be_told_is_not_judged() -> None:
    class Strange(Model):
        def base(self, z: Tensor) -> Tensor:
            return -z.abs().sum(dim=1).log1p()  # of infinite mass

    report = ldjcheck.check(Strange(), shape=(3,), kind="model")
    assert (report.status, codes(report)) == ("error", ["LDJ004"])
    assert "I saw no base density" in str(report)


@pytest.mark.slow
def test_a_base_that_is_none_once_it_is_moved_is_not_normalised() -> None:
    class Learned(Model):
        def __init__(self) -> None:
            super().__init__()
            self.power = nn.Parameter(torch.ones(()))

        def base(self, z: Tensor) -> Tensor:
            return (-z.abs().pow(self.power) - math.log(2)).sum(dim=1)

    report = ldjcheck.check(Learned(), shape=(3,), kind="model")
    assert (report.status, codes(report)) == ("fail", ["LDJ110"])
    assert "its density integrates to" in report.findings[0].message


@pytest.mark.slow
def test_a_density_that_is_no_flows_is_not_taken_for_a_model() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.there, self.back = nn.Linear(3, 3), nn.Linear(3, 3)

        def log_prob(self, x: Tensor) -> Tensor:
            z = self.there(x)
            off = ((self.back(z) - x) ** 2).sum(dim=1)
            return Normal(0.0, 1.0).log_prob(z).sum(dim=1) - off

    assert ldjcheck.check(Encoder(), shape=(3,)).status == "error"


def test_a_kind_that_is_said_is_the_kind_that_is_reported() -> None:
    assert kind_of(ldjcheck.check(Bend(), shape=(3,), kind="flow")) == "flow"


class Called(nn.Module):
    """Returns z and the density of x; `times` is how often that counts the ldj."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.flow = Bend()
        self.times = times

    def forward(self, x: Tensor) -> Any:
        z, ldj = self.flow(x)
        log_prob = Normal(0.0, 1.0).log_prob(z).sum(1) + self.times * ldj
        return z, log_prob


class DensityFirst(Called):
    def forward(self, x: Tensor) -> Any:
        z, log_px = super().forward(x)
        return log_px, z


class InOneExpression(Called):
    def forward(self, x: Tensor) -> Any:
        z, ldj = self.flow(x)
        return z, Normal(0.0, 1.0).log_prob(z).sum(1) + self.times * ldj


class NormalWrittenOut(Called):
    def forward(self, x: Tensor) -> Any:
        z, ldj = self.flow(x)
        log_pz = (-(z**2) / 2 - math.log(2 * math.pi) / 2).sum(1)
        return z, log_pz + self.times * ldj


class Negative(Called):
    def forward(self, x: Tensor) -> Any:
        z, log_prob = super().forward(x)
        nll = -log_prob
        return z, nll


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [Called, DensityFirst, InOneExpression, NormalWrittenOut, Negative],
)
def test_a_density_beside_z_is_no_ldj(kind: type[Called]) -> None:
    right = ldjcheck.check(kind(), shape=(3,))
    assert (right.status, kind_of(right)) == ("pass", "model")
    assert codes(ldjcheck.check(kind(times=-1.0), shape=(3,))) == ["LDJ104"]


class CalledForLoss(nn.Module):
    """A flow whose call returns what is minimised, made of a prior that has a name."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.flow, self.times = Bend(), times

    def nats(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        return Normal(0.0, 1.0).log_prob(z).sum(1) + self.times * ldj

    def log_prob(self, x: Tensor) -> Tensor:
        return self.nats(x)


class Loss(CalledForLoss):
    def forward(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        prior = Normal(0.0, 1.0).log_prob(z).sum(1)
        return -(prior + self.times * ldj).mean()


class BitsOfADim(CalledForLoss):
    def forward(self, x: Tensor) -> Tensor:
        dims = x[0].numel()
        return -self.log_prob(x) / (dims * math.log(2))


class NatsOfADim(CalledForLoss):
    def forward(self, x: Tensor) -> Tensor:
        return -self.log_prob(x) / x[0].numel()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Loss, BitsOfADim, NatsOfADim])
def test_what_a_call_returns_of_a_density_is_read_as_it_is_written(
    kind: type[CalledForLoss],
) -> None:
    assert ldjcheck.check(kind(), shape=(3,)).status == "pass"
    assert ldjcheck.check(kind(times=-1.0), shape=(3,)).findings[0].code == "LDJ104"


class Folded(nn.Module):
    """|x| under a half-normal base, its sign a fair coin: right, and no bijection."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2, 0.4]))

    def log_prob(self, x: Tensor) -> Tensor:
        z = x.abs()
        base = Normal(0.0, self.log_s.exp()).log_prob(z) + math.log(2)
        return (base - math.log(2)).sum(1)


def test_the_density_of_a_map_that_folds_is_not_judged_by_a_determinant() -> None:
    report = ldjcheck.check(Folded(), shape=(3,))
    assert report.status in ("pass", "unproven"), report


class Unnamed(nn.Module):
    """Its call returns one number, and nothing says that it is a density."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.4]))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.sinh(x) * self.scale.exp()
        of_map = torch.log(torch.cosh(x)) + self.scale
        return (-(z + 2 * torch.nn.functional.softplus(-z)) + of_map).sum(1)


class Regression(Unnamed):
    def forward(self, x: Tensor) -> Tensor:
        return (-((torch.sinh(x) * self.scale) ** 2)).sum(1)


@pytest.mark.slow
def test_one_number_is_a_density_where_it_is_right_as_that() -> None:
    assert ldjcheck.check(Unnamed(), shape=(3,)).status == "pass"
    assert ldjcheck.check(Regression(), shape=(3,)).status == "error"


def test_where_z_overflows_no_earlier_step_is_taken_for_it() -> None:
    x, start = torch.ones(2, 3), torch.zeros(2)
    early, late = torch.full((2, 3), 5.0), torch.full((2, 3), math.inf)
    heard = SimpleNamespace(returned=[(early, start), (late, start)])
    density = torch.full((2,), -math.inf)
    assert _of_what_is_returned(heard, density, 0, x, []) is None
    usual = Normal(0.0, 1.0).log_prob(early).sum(1)
    found = _of_what_is_returned(heard, usual, 0, x, [])
    assert found is not None
    assert found[0][0] is early
