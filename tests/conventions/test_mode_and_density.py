"""Conventions that promise a column: a word for the direction, and log-densities."""

from __future__ import annotations

import pytest
import torch
from small_layers import Affine, Coupling
from torch import Tensor, nn

import ldjcheck

Both = tuple[Tensor, Tensor]


class Worded(Coupling):
    """A coupling in the manner of `mode="direct"`: its ldj is a column."""

    wrong = 0.0

    def forward(self, inputs: Tensor, cond_inputs=None, mode: str = "direct") -> Both:
        run = super().forward if mode == "direct" else super().inverse
        y, ldj = run(inputs)
        return y, ldj[:, None] + self.wrong

    inverse = None


def test_a_word_for_the_direction_is_a_convention_of_its_own() -> None:
    report = ldjcheck.check(Worded())
    assert report.status == "pass", report
    assert {c.status for c in report.checks} == {"pass"}
    assert report.result.convention == "mode"
    assert "inverse" in report.result.inferred["convention"]
    assert not report.findings


@pytest.mark.slow
def test_its_wrong_twin_fails() -> None:
    class Wrong(Worded):
        wrong = 0.25

    assert ldjcheck.check(Wrong()).findings[0].code == "LDJ111"


@pytest.mark.slow
def test_the_column_of_a_plain_pair_is_still_a_mistake() -> None:
    class Plain(Affine):
        def forward(self, x: Tensor) -> Both:
            y, ldj = super().forward(x)
            return y, ldj[:, None]

    assert [f.code for f in ldjcheck.check(Plain()).findings] == ["LDJ201"]


@pytest.mark.parametrize(
    ("there", "back"), [("forward", "inverse"), ("encode", "decode"), ("f", "g")]
)
def test_the_words_come_from_the_layers_own_code(there: str, back: str) -> None:
    scope = {"Affine": Affine}
    exec(
        "class Worded(Affine):\n"
        f"    def forward(self, x, mode={there!r}):\n"
        f"        if mode == {there!r}:\n"
        "            return super().forward(x)\n"
        f"        assert mode == {back!r}\n"
        "        return super().inverse(x)\n"
        "    inverse = None\n",
        scope,
    )
    report = ldjcheck.check(scope["Worded"]())
    assert {c.status for c in report.checks} == {"pass"}, report


class Reduces(Coupling):
    """Takes the log-density of x and returns that of y: it is reduced by the ldj."""

    column = True
    sign = 1.0

    def forward(self, x: Tensor, logpx: Tensor | None = None, reverse=False):
        run = super().inverse if reverse else super().forward
        y, ldj = run(x)
        if logpx is None:
            return y
        ldj = ldj[:, None] if self.column else ldj
        return y, logpx - self.sign * ldj

    inverse = None


@pytest.mark.parametrize("column", [True, False])
def test_a_density_may_be_a_column_or_flat(column: bool) -> None:
    layer = Reduces()
    layer.column = column
    report = ldjcheck.check(layer)
    assert {c.status for c in report.checks} == {"pass"}, report
    assert not report.findings
    assert "log-density" in report.result.inferred["sign"]


@pytest.mark.slow
@pytest.mark.parametrize("column", [True, False])
def test_a_density_that_grows_is_wrong_by_its_name_alone(column: bool) -> None:
    layer = Reduces()
    layer.column, layer.sign = column, -1.0
    report = ldjcheck.check(layer)
    assert report.status == "unproven"
    assert [f.code for f in report.findings][:1] == ["LDJ405"]


def test_a_density_that_is_not_summed_over_its_dims_fails() -> None:
    class Unsummed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))

        def forward(self, x: Tensor, logpx: Tensor) -> Both:
            return x * self.scale.exp(), logpx - self.scale.expand_as(x)

    assert ldjcheck.check(Unsummed()).status == "fail"


class BackAlone(nn.Module):
    """Adds to a total on the way there, and returns its own ldj on the way back."""

    def forward(self, z: Tensor, ldj: Tensor) -> Both:
        return 2 * z, ldj + z.shape[1] * torch.log(torch.tensor(2.0))

    def inverse(self, y: Tensor) -> Both:
        ldj = -y.shape[1] * torch.log(torch.tensor(2.0))
        return y / 2, ldj.expand(len(y))


def test_a_way_back_without_a_total_reports_its_own_ldj() -> None:
    report = ldjcheck.check(BackAlone())
    assert {c.status for c in report.checks} == {"pass"}, report


class ForwardOnly(Coupling):
    """Its way back returns x alone: there is no place for an ldj."""

    def inverse(self, y: Tensor) -> Tensor:
        return super().inverse(y)[0]


def test_a_way_back_with_no_place_for_an_ldj_is_a_note() -> None:
    report = ldjcheck.check(ForwardOnly())
    assert report.status == "pass"
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ303", "note")]


class ByItsDistribution(nn.Module):
    """Puts each entry through the distribution function of a normal: its slope is a density."""

    def __init__(self) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.tensor([0.1, -0.2, 0.3]))

    def forward(self, x: Tensor) -> Both:
        normal = torch.distributions.Normal(self.mu, 1.5)
        return normal.cdf(x), normal.log_prob(x).sum(-1)


class ByItsDistributionOfTheBatch(ByItsDistribution):
    def forward(self, x: Tensor) -> Both:
        normal = torch.distributions.Normal(self.mu, 1.5)
        return normal.cdf(x), normal.log_prob(x).sum()


@pytest.mark.slow
def test_the_density_beside_a_distribution_function_is_its_ldj() -> None:
    report = ldjcheck.check(ByItsDistribution())
    assert report.status == "pass", report
    wrong = ldjcheck.check(ByItsDistributionOfTheBatch())
    assert wrong.findings[0].code == "LDJ106"


class WithErrorFunction(nn.Module):
    """Returns z and the density of x; its network has a distribution function inside."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 8), nn.Linear(8, 2)
        self.base = torch.distributions.Normal(0.0, 1.0)

    def forward(self, x: Tensor) -> Both:
        u, v = x.chunk(2, dim=1)
        h = self.first(u)
        h = 0.5 * h * (1 + torch.erf(h / 2**0.5))
        log_s = torch.tanh(self.last(h))
        z = torch.cat([u, v * log_s.exp()], dim=1)
        log_prob = self.base.log_prob(z).sum(1) + log_s.sum(1)
        return z, log_prob


def test_a_density_of_z_is_one_whatever_functions_its_network_has() -> None:
    report = ldjcheck.check(WithErrorFunction())
    assert report.status == "pass", report
