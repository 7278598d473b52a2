"""Bases that a model writes out by hand: what depends on z alone, and has mass 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F  # as papers write it
from torch import Tensor, nn

import ldjcheck
from ldjcheck.conventions.distributions.model import less_base
from ldjcheck.densities import written

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.densities.terms import DensityTerms

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
FORMS = 2  # a batch norm in training, and in evaluation


class Coupling(nn.Module):
    """Scales and shifts one half; `times` is how often it counts its ldj."""

    def __init__(self, dims: int, *, flip: bool = False, times: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Linear(dims // 2, dims)
        self.flip, self.times = flip, times

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s)
        halves = (a, b * torch.exp(s) + t)
        z = torch.cat(halves[::-1] if self.flip else halves, dim=1)
        return z, self.times * s.sum(dim=1)


class Model(nn.Module):
    """Two couplings, and a base that each model writes in its own way."""

    dims = 4

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.first = Coupling(self.dims)
        self.second = Coupling(self.dims, flip=True, times=times)
        self.mean = nn.Parameter(torch.zeros(self.dims))
        self.log_scale = nn.Parameter(torch.zeros(self.dims))

    def flow(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, first = self.first(x)
        z, second = self.second(z)
        return z, first + second

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        return self.base(z) + ldj

    def base(self, z: Tensor) -> Tensor:
        raise NotImplementedError


class Logistic(Model):
    def base(self, z: Tensor) -> Tensor:
        return -(F.softplus(z) + F.softplus(-z)).sum(dim=1)


class LogisticOtherwise(Model):
    def base(self, z: Tensor) -> Tensor:
        return (-z - 2 * F.softplus(-z)).sum(dim=1)


class Laplace(Model):
    def base(self, z: Tensor) -> Tensor:
        return (-z.abs() - math.log(2)).sum(dim=1)


class Cauchy(Model):
    def base(self, z: Tensor) -> Tensor:
        return (-math.log(math.pi) - torch.log1p(z**2)).sum(dim=1)


class LearnedNormal(Model):
    def base(self, z: Tensor) -> Tensor:
        u = (z - self.mean) * torch.exp(-self.log_scale)
        return (-0.5 * u**2 - self.log_scale - HALF_LOG_2PI).sum(dim=1)


class WithoutLogScale(Model):
    def base(self, z: Tensor) -> Tensor:
        u = (z - self.mean) * torch.exp(-self.log_scale)
        return (-0.5 * u**2 - HALF_LOG_2PI).sum(dim=1)


class OneConstant(Model):
    def base(self, z: Tensor) -> Tensor:
        return -0.5 * (z**2).sum(dim=1) - HALF_LOG_2PI


class Mixture(Model):
    def __init__(self, times: float = 1.0) -> None:
        super().__init__(times)
        self.means = nn.Parameter(torch.linspace(-2.0, 2.0, 3)[:, None].repeat(1, 4))

    def base(self, z: Tensor) -> Tensor:
        each = (-0.5 * (z[:, None] - self.means) ** 2 - HALF_LOG_2PI).sum(dim=2)
        return torch.logsumexp(each, dim=1) - math.log(3)


class Squashed(Model):
    """Ends in a tanh whose derivative is written in terms of what it returns."""

    counts = 1.0

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        z = torch.tanh(z)
        ldj = ldj + self.counts * torch.log(1 - z**2).sum(dim=1)
        return (-0.5 * z**2 - HALF_LOG_2PI).sum(dim=1) + ldj


class SquashedTwice(Squashed):
    counts = 2.0


class Halves(Model):
    """Never puts the two halves of z together."""

    def log_prob(self, x: Tensor) -> Tensor:
        a, b = x[:, :2], x[:, 2:]
        s, t = self.first.net(a).chunk(2, dim=1)
        b = b * torch.exp(s) + t
        log_p = [(-0.5 * z**2 - HALF_LOG_2PI).sum(dim=1) for z in (a, b)]
        return log_p[0] + log_p[1] + self.second.times * s.sum(dim=1)


class Loss(Model):
    """What is minimised: its constant may be left out."""

    log_prob = None  # type: ignore[assignment]  # it has none

    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        return (0.5 * (z**2).sum(dim=1) - ldj).mean()


class Scales(Model):
    """Half of the dims leave under a density that the others tell."""

    log_scales = 1.0

    def __init__(self, times: float = 1.0) -> None:
        super().__init__(times)
        self.prior = nn.Linear(2, 4)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        kept, left = z.chunk(2, dim=1)
        mean, log_scale = self.prior(kept).chunk(2, dim=1)
        u = (left - mean) * torch.exp(-log_scale)
        log_p = -0.5 * u**2 - self.log_scales * log_scale - HALF_LOG_2PI
        log_kept = -0.5 * kept**2 - HALF_LOG_2PI
        return log_p.sum(dim=1) + log_kept.sum(dim=1) + ldj


class ScalesAtOnce(Scales):
    """Writes that density so that only its whole depends on what leaves."""

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        kept, left = z.chunk(2, dim=1)
        mean, log_scale = self.prior(kept).chunk(2, dim=1)
        off = (left - mean) ** 2 * torch.exp(-2 * log_scale)
        log_p = -0.5 * (off + 2 * log_scale + 2 * HALF_LOG_2PI)
        log_kept = -0.5 * (kept**2 + 2 * HALF_LOG_2PI)
        return log_p.sum(dim=1) + log_kept.sum(dim=1) + ldj


class Posterior(nn.Module):
    """Makes z of a draw, and returns it with its log-density, as a VAE wants it."""

    def __init__(self, sign: float = -1.0) -> None:
        super().__init__()
        self.flow = Coupling(4)
        self.sign = sign

    def forward(self, z0: Tensor) -> tuple[Tensor, Tensor]:
        log_q = (-0.5 * z0**2 - HALF_LOG_2PI).sum(dim=1)
        z, ldj = self.flow(z0)
        log_q = log_q + self.sign * ldj
        return z, log_q


class Training(nn.Module):
    """Holds a model that has a density of its own, and minimises it."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.model = LearnedNormal(times)

    def nll(self, x: Tensor) -> Tensor:
        return -self.model.log_prob(x).mean()


class ScalesWithoutLogScale(Scales):
    log_scales = 0.0


def checked(model: Callable[[], nn.Module], **options: Any) -> ldjcheck.Report:
    torch.manual_seed(0)
    return ldjcheck.check(model(), shape=(4,), kind="model", **options)


RIGHT: list[type[nn.Module]] = [
    Logistic, LogisticOtherwise, Laplace, Cauchy, LearnedNormal, Mixture, Squashed,
    Halves, Loss, Scales, ScalesAtOnce, Training,
]  # fmt: skip


@pytest.mark.thinned(14)
@pytest.mark.parametrize("model", RIGHT)
def test_a_base_may_be_any_density_that_is_written_out(
    model: type[nn.Module],
) -> None:
    assert checked(model).status == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("model", [Logistic, LearnedNormal, Mixture, Squashed])
def test_a_flow_under_such_a_base_is_told_what_is_wrong(model: type[Model]) -> None:
    report = checked(lambda: model(times=-1.0))
    assert report.findings[0].code == "LDJ104"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "code"),
    [
        (WithoutLogScale, "LDJ110"),
        (OneConstant, "LDJ101"),
        pytest.param(SquashedTwice, "LDJ114", marks=pytest.mark.slow),
        pytest.param(ScalesWithoutLogScale, "LDJ110", marks=pytest.mark.slow),
    ],
)
def test_a_mistake_in_the_base_is_one_of_the_density(
    model: type[Model], code: str
) -> None:
    assert checked(model).findings[0].code == code


@pytest.mark.slow
@pytest.mark.parametrize("model", [Scales, Loss])
def test_where_no_edit_explains_it_a_wrong_flow_is_wrong_all_the_same(
    model: type[Model],
) -> None:
    assert checked(lambda: model(times=-1.0)).status == "fail"


@pytest.mark.slow
def test_a_log_prob_may_not_leave_its_constant_out() -> None:
    class Lacking(Model):
        def base(self, z: Tensor) -> Tensor:
            return -0.5 * (z**2).sum(dim=1)

    (finding,) = checked(Lacking).findings
    assert finding.code == "LDJ110"
    assert "log(2 pi) / 2 for each dim" in finding.message
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert "0.5 * math.log(2 * math.pi) * " in finding.fix.edits[0].after


@pytest.mark.slow
def test_the_density_of_what_is_made_of_a_draw_is_reduced_by_the_ldj() -> None:
    torch.manual_seed(0)
    right = ldjcheck.check(Posterior(), shape=(4,))
    assert (right.status, right.result.convention) == ("pass", "density")
    turned = ldjcheck.check(Posterior(sign=1.0), shape=(4,))
    assert turned.findings[0].code == "LDJ104"


@pytest.mark.slow
def test_a_model_inside_of_another_is_no_base() -> None:
    assert checked(lambda: Training(times=-1.0)).status == "fail"


@pytest.mark.slow
def test_what_has_no_mass_of_1_is_no_density() -> None:
    class Unnormalised(Model):
        def base(self, z: Tensor) -> Tensor:
            return -z.abs().sum(dim=1)

    report = checked(Unnormalised)
    assert [finding.code for finding in report.findings] == ["LDJ110"]
    assert "integrates to" in report.findings[0].message


class Normed(Model):
    """Between its couplings, a batch norm: in training another form of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("var", torch.rand(self.dims) + 0.5)

    def log_prob(self, x: Tensor) -> Tensor:
        z, first = self.first(x)
        var = z.var(dim=0) if self.training else self.var
        z, second = self.second(z / torch.sqrt(var + 1e-5))
        ldj = first + second - 0.5 * torch.log(var + 1e-5).sum()
        return (-0.5 * z**2 - HALF_LOG_2PI).sum(dim=1) + ldj


def test_a_base_is_looked_for_once_in_each_form_of_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searches = list[int]()
    search = written._chosen

    def counted(sum_: DensityTerms, lacking: int) -> list[written.Base]:
        searches.append(sum_.batch)
        return search(sum_, lacking)

    monkeypatch.setattr(written, "_chosen", counted)
    report = ldjcheck.check(Normed(), shape=(4,), kind="model")
    assert report.status == "pass", report
    assert len(searches) <= FORMS, "other batches, and other parameters, ask anew"


class Images(Model):
    """Half of the channels leave, under a base like the others'; many scales are learned."""

    def __init__(self) -> None:
        super().__init__()
        drawn = (0.1 * torch.randn(4, 1, 1) for _ in range(9))
        self.log_s = nn.ParameterList(drawn)

    def log_prob(self, x: Tensor) -> Tensor:
        bent = torch.tanh(x)
        z, ldj = x + bent, torch.log(2 - bent**2).sum((1, 2, 3))
        for log_s in self.log_s:
            z, ldj = z * log_s.exp(), ldj + log_s.sum() * x[0, 0].numel()
        kept, left = z.chunk(2, dim=1)
        halves = (-0.5 * (half**2 + 2 * HALF_LOG_2PI) for half in (kept, left))
        return ldj + sum(log_p.flatten(1).sum(1) for log_p in halves)


@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 3, 5)])
def test_what_was_found_at_one_size_is_not_the_mass_at_another(
    shape: tuple[int, ...],
) -> None:
    torch.manual_seed(0)
    model, memory = Images().double(), written.Memory()
    for size in ((4, 1, 2), shape, (4, 1, 2)):
        x = torch.randn(3, *size, dtype=torch.float64, requires_grad=True)
        returned = less_base(model, lambda: model.log_prob(x), x, "nats", memory)  # noqa: B023
        flat = x.flatten(1)
        exact = (2 - torch.tanh(flat) ** 2).log().sum(1)
        exact = exact + sum(s.sum() for s in model.log_s) * size[1] * size[2]
        assert torch.allclose(returned.ldj, exact)


def squashed(counted: float) -> Callable[[Tensor], Tensor]:
    """The density of an action in (-2, 3), whose mean follows from a state of its own."""
    torch.manual_seed(0)
    net, state = nn.Linear(3, 4).double(), torch.randn(1, 3)

    def log_prob(action: Tensor) -> Tensor:
        mean, log_std = net(state.to(action).expand(len(action), -1)).chunk(2, -1)
        u = torch.atanh((action - 0.5) / 2.5)
        log_p = -0.5 * ((u - mean) / log_std.exp()) ** 2 - log_std - HALF_LOG_2PI
        slope = 2 * (math.log(2) - u - F.softplus(-2 * u)) + counted * math.log(2.5)
        return (log_p - slope).sum(-1)

    return log_prob


@pytest.mark.slow
def test_a_base_is_looked_for_in_each_domain() -> None:
    assert ldjcheck.check(squashed(1.0), timeout=300).status == "pass"


@pytest.mark.slow
def test_what_takes_the_form_of_x_does_not_depend_on_it() -> None:
    for counted, status in ((1.0, "pass"), (0.5, "fail")):
        report = ldjcheck.check(squashed(counted), shape=(2,), kind="model")
        assert report.status == status, report


class Mixture(nn.Module):
    """A mixture of two densities that no base tells of; its weights may not add up."""

    def __init__(self, *, normalised: bool = True) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.randn(2, 3))
        self.logits = nn.Parameter(torch.tensor([0.8, 0.3]))
        self.normalised = normalised

    def log_prob(self, x: Tensor) -> Tensor:
        off = (x[:, None] - self.loc).tanh() + x[:, None]
        slope = (2 - (x[:, None] - self.loc).tanh() ** 2).log()
        each = (slope - 0.5 * off**2).sum(2) - 1.5 * math.log(2 * math.pi)
        weights = self.logits
        if self.normalised:
            weights = weights.log_softmax(0)
        return torch.logsumexp(each + weights, dim=1)


def test_the_mass_of_a_density_without_a_base_is_told() -> None:
    (finding,) = ldjcheck.check(Mixture(normalised=False), shape=(3,)).findings
    assert finding.code == "LDJ004"
    assert "not to 1: it is wrong" in "\n".join(finding.evidence)
    assert ldjcheck.check(Mixture(), shape=(3,), kind="model").status == "unproven"


class OnACylinder(Model):
    """An angle and heights: two angles uniform, heights normal, all constants at the end."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.flow(x)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        heights = (-0.5 * z[:, 2:] ** 2 - HALF_LOG_2PI).sum(1)
        return heights - 2 * math.log(2 * math.pi) + ldj


class LastLeftOut(Model):
    """The constant of all dims, and the squares of all but the first."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.flow(x)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return ldj - 0.5 * (z[:, 1:] ** 2).sum(1) - self.dims * HALF_LOG_2PI


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.slow
def test_what_enters_no_base_has_no_mass_unless_it_may_be_uniform(seed: int) -> None:
    torch.manual_seed(seed)
    uniform = ldjcheck.check(OnACylinder(), seed=seed)
    assert uniform.status == "pass"
    wrong = ldjcheck.check(LastLeftOut(), seed=seed)
    assert [found.code for found in wrong.findings] == ["LDJ501"]
    told = "The log-density leaves out 1 of the 4 dims of z that the flow returns."
    assert wrong.findings[0].message == told
