"""Noise that leaves its cell is warned of; a way back that is wrong stays a mistake."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.oracle.noise import density_of

Pair = tuple[Tensor, Tensor]


class Dequantize(nn.Module):
    """Whole numbers to real ones in [0, 1), with noise that tests vary."""

    def __init__(self, quants: int = 256) -> None:
        super().__init__()
        self.quants = quants

    def noise(self, x: Tensor) -> Tensor:
        return torch.rand_like(x)

    def rounded(self, z: Tensor) -> Tensor:
        return torch.floor(z)

    def ldj(self, x: Tensor) -> Tensor:
        return torch.full((len(x),), float(self.quants)).log() * x[0].numel()

    def forward(self, x: Tensor) -> Pair:
        return (x + self.noise(x)) / self.quants, -self.ldj(x)

    def inverse(self, z: Tensor) -> Pair:
        return self.rounded(z * self.quants), self.ldj(z)


class Centred(Dequantize):
    def noise(self, x: Tensor) -> Tensor:
        return torch.rand_like(x) - 0.5


class Wide(Dequantize):
    """Noise that reaches over the next number, and is counted so."""

    def noise(self, x: Tensor) -> Tensor:
        return 1.3 * torch.rand_like(x)


class Triangular(Dequantize):
    """The sum of two draws reaches up to two."""

    def noise(self, x: Tensor) -> Tensor:
        return torch.rand_like(x) + torch.rand_like(x)

    def rounded(self, z: Tensor) -> Tensor:
        return torch.floor(z).clamp(0, self.quants - 1)


class Nearest(Centred):
    """Noise around each number, which rounding to the nearest undoes."""

    def rounded(self, z: Tensor) -> Tensor:
        return torch.round(z)


class Upwards(Dequantize):
    def rounded(self, z: Tensor) -> Tensor:
        return torch.ceil(z)


class Rescaled(Dequantize):
    """The way back multiplies by another number of levels."""

    def inverse(self, z: Tensor) -> Pair:
        return self.rounded(z * (self.quants - 1)), self.ldj(z)


def codes(layer: nn.Module) -> list[str]:
    report = ldjcheck.check(layer, shape=(6,), domain="int:0:255")
    return [f.code for f in report.findings if f.severity != "note"]


def test_noise_in_the_cell_is_fine() -> None:
    assert codes(Dequantize()) == []
    assert codes(Nearest()) == []


def test_noise_that_leaves_its_cell_is_a_warning() -> None:
    report = ldjcheck.check(Wide(), shape=(6,), domain="int:0:255")
    assert report.status == "pass", report
    assert [f.code for f in report.findings] == ["LDJ502"]
    strict = ldjcheck.check(Wide(), shape=(6,), domain="int:0:255", strict=True)
    assert strict.status == "fail"


def test_noise_of_several_draws_leaves_its_cell_where_levels_are_few() -> None:
    report = ldjcheck.check(Triangular(quants=32), shape=(6,), domain="int:0:31")
    assert report.status == "pass", report
    assert [f.code for f in report.findings] == ["LDJ502"]


@pytest.mark.slow
def test_shifted_noise_may_as_well_be_a_shifted_way_back() -> None:
    assert codes(Centred()) == ["LDJ301", "LDJ502"]


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Upwards, Rescaled])
def test_a_wrong_way_back_is_no_matter_of_noise(layer: type[Dequantize]) -> None:
    assert "LDJ301" in codes(layer())
    assert "LDJ502" not in codes(layer())


class Variational(nn.Module):
    """Noise that a flow makes, seeing the numbers; `alpha` stretches it a little."""

    def __init__(self, alpha: float = 0.0) -> None:
        super().__init__()
        self.net = nn.Linear(4, 8)
        self.alpha = alpha

    def forward(self, x: Tensor) -> Pair:
        u = 0.01 + 0.98 * torch.rand_like(x)
        ldj = torch.full((len(x),), 0.98).log() * x.shape[1]
        ldj = ldj - (u.log() + (1 - u).log()).sum(1)
        u = u.log() - (1 - u).log()
        s, t = self.net(x / 255).chunk(2, dim=1)
        u, ldj = u * s.exp() + 3 * t, ldj + s.sum(1)
        log_slope = nn.functional.logsigmoid(u) + nn.functional.logsigmoid(-u)
        u = (torch.sigmoid(u) - self.alpha / 2) / (1 - self.alpha)
        ldj = ldj + (log_slope - torch.tensor(1 - self.alpha).log()).sum(1)
        return (x + u) / 256, ldj - torch.tensor(256.0).log() * x.shape[1]

    def inverse(self, z: Tensor) -> Pair:
        ldj = torch.tensor(256.0).log() * z.shape[1]
        return torch.floor(z * 256), ldj.expand(len(z))


def test_a_flow_of_the_noise_is_judged_by_the_noise() -> None:
    report = ldjcheck.check(Variational(), shape=(4,), domain="int:0:255")
    assert report.status == "pass", report
    assert report.checks[0].wrt == "noise"
    assert report.result.kind == "dequantization"


def test_stretched_noise_leaves_its_cell_now_and_then() -> None:
    report = ldjcheck.check(Variational(0.1), shape=(4,), domain="int:0:255")
    assert [f.code for f in report.findings if f.severity != "note"] == ["LDJ502"]


class Saturating(Dequantize):
    """Noise from a sigmoid that is steep: most of it is 0 or 1 to all digits."""

    def __init__(self, quants: int = 256) -> None:
        super().__init__(quants)
        self.steepness = nn.Parameter(torch.tensor(30.0))
        self.shift = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Pair:
        u = torch.rand_like(x)
        ldj = -(u.log() + (1 - u).log()).sum(1)
        v = (u.log() - (1 - u).log()) * self.steepness + self.shift
        ldj = ldj + self.steepness.log() * x.shape[1]
        ldj = ldj + (nn.functional.logsigmoid(v) + nn.functional.logsigmoid(-v)).sum(1)
        return (x + torch.sigmoid(v)) / self.quants, ldj - self.ldj(x)


class ClampedAfter(Saturating):
    def rounded(self, z: Tensor) -> Tensor:
        return torch.floor(z).clamp(0, self.quants - 1).to(torch.int32)


class ClampedBefore(Saturating):
    def rounded(self, z: Tensor) -> Tensor:
        return torch.floor(z.clamp(0, self.quants - 1))


class LosesTheTopLevel(Saturating):
    def rounded(self, z: Tensor) -> Tensor:
        return torch.floor(z).clamp(0, self.quants - 2)


class OneTooHigh(Saturating):
    def rounded(self, z: Tensor) -> Tensor:
        return torch.floor(z) + 1


class ToTheNearest(Saturating):
    def rounded(self, z: Tensor) -> Tensor:
        return torch.round(z)


@pytest.mark.thinned(6)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("quants", [2, 256])
@pytest.mark.parametrize("layer", [Saturating, ClampedAfter, ClampedBefore])
def test_noise_that_rounds_to_a_whole_step_is_no_mistake(
    layer: type[Saturating], quants: int, seed: int
) -> None:
    report = ldjcheck.check(
        layer(quants), shape=(4,), domain=f"int:0:{quants - 1}", seed=seed
    )
    assert [f.code for f in report.findings if f.severity != "note"] == [], report
    assert report.status == "pass"


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [LosesTheTopLevel, OneTooHigh, ToTheNearest])
def test_a_wrong_way_back_is_seen_through_noise_that_saturates(
    layer: type[Saturating],
) -> None:
    report = ldjcheck.check(layer(4), shape=(4,), domain="int:0:3")
    assert "LDJ301" in [f.code for f in report.findings if f.severity == "error"]


class WithLogit(Saturating):
    """Takes the logit at the end, which makes numbers of the usual size again."""

    def forward(self, x: Tensor) -> Pair:
        z, ldj = super().forward(x)
        z = 0.5e-5 + (1 - 1e-5) * z
        ldj = ldj + (torch.tensor(1 - 1e-5).log() - z.log() - (1 - z).log()).sum(1)
        return z.log() - (1 - z).log(), ldj

    def inverse(self, z: Tensor) -> Pair:
        ldj = nn.functional.logsigmoid(z) + nn.functional.logsigmoid(-z)
        ldj = (ldj - torch.tensor(1 - 1e-5).log()).sum(1)
        x, rest = super().inverse((torch.sigmoid(z) - 0.5e-5) / (1 - 1e-5))
        return x, ldj + rest


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(3))
def test_digits_that_a_sigmoid_loses_are_nobodys_mistake(seed: int) -> None:
    report = ldjcheck.check(WithLogit(2), shape=(4,), domain="int:0:1", seed=seed)
    assert [f.code for f in report.findings if f.severity == "error"] == [], report


def test_a_map_that_saturates_is_looked_at_with_smaller_moves() -> None:
    far = ldjcheck.check(
        Variational(), shape=(4,), domain="int:0:255", params_scale=10.0
    )
    assert far.status == "pass", far
    assert "moved by 10, rounding hides the ldj" in far.result.inferred["parameters"]


class Accumulating(nn.Module):
    """Adds a large ldj to the total, of which float32 keeps few digits."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        sign = -1.0 if reverse else 1.0
        return z * 2.0 ** (60 * sign), ldj + sign * 60 * z.shape[1] * torch.log(
            torch.tensor(2.0)
        )


def test_a_total_in_float32_is_not_taken_for_one_that_is_scaled() -> None:
    report = ldjcheck.check(Accumulating(), shape=(100,), dtype="as-written")
    assert "LDJ204" not in [f.code for f in report.findings], report


class Learned(nn.Module):
    """Normal noise, moved by what a network tells and squashed into the unit interval."""

    def __init__(self, dims: int = 4, quants: int = 8) -> None:
        super().__init__()
        self.net = nn.Linear(dims, 2 * dims)
        self.quants = quants

    def log_q(self, noise: Tensor, log_scale: Tensor) -> Tensor:
        normal = torch.distributions.Normal(0.0, 1.0)
        return (normal.log_prob(noise) - log_scale).sum(1)

    def forward(self, x: Tensor) -> Pair:
        mean, log_scale = self.net(x / self.quants).chunk(2, dim=1)
        noise = torch.randn_like(x)
        v = mean + noise * log_scale.exp()
        inside = (nn.functional.logsigmoid(v) + nn.functional.logsigmoid(-v)).sum(1)
        log_q = self.log_q(noise, log_scale) - inside
        quants = x.shape[1] * torch.tensor(float(self.quants)).log()
        return (x + torch.sigmoid(v)) / self.quants, -log_q - quants


class OfTheMapAlone(Learned):
    """Leaves the density of the noise to whoever adds up the bound."""

    def log_q(self, noise: Tensor, log_scale: Tensor) -> Tensor:
        return -log_scale.sum(1)


class WithoutScale(Learned):
    def log_q(self, noise: Tensor, log_scale: Tensor) -> Tensor:
        return torch.distributions.Normal(0.0, 1.0).log_prob(noise).sum(1)


class Doubled(Learned):
    def log_q(self, noise: Tensor, log_scale: Tensor) -> Tensor:
        density = torch.distributions.Normal(0.0, 1.0).log_prob(noise)
        return (2 * density - log_scale).sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_learned_noise_may_count_its_own_density_or_leave_it(seed: int) -> None:
    counted = ldjcheck.check(Learned(), domain="int:0:7", seed=seed)
    assert counted.status == "pass", counted
    assert "own density" in counted.result.inferred["wrt"]
    left = ldjcheck.check(OfTheMapAlone(), domain="int:0:7", seed=seed)
    assert left.status == "pass", left


@pytest.mark.slow
@pytest.mark.parametrize("layer", [WithoutScale, Doubled])
def test_a_density_of_learned_noise_may_be_wrong(layer: type[Learned]) -> None:
    assert ldjcheck.check(layer(), domain="int:0:7").status == "fail"


def test_noise_within_one_of_zero_alone_may_be_drawn_evenly() -> None:
    # As for a Laplace distribution: from -1 to 1, with the density 1/2.
    even = torch.tensor([[-0.9, 0.3], [0.5, -0.1]], dtype=torch.float64)
    counted = torch.full((2,), 2 * math.log(2))
    assert density_of(even, counted) is not None
    assert density_of(even - 1, counted) is None
    assert density_of(even + 1, counted) is None


class OfTorch(nn.Module):
    """Noise that one of torch's distributions draws, squashed into the unit interval."""

    def __init__(self, family: type[torch.distributions.Distribution]) -> None:
        super().__init__()
        self.family = family
        self.loc = nn.Parameter(torch.zeros(4))
        self.log_scale = nn.Parameter(torch.zeros(4))

    def log_q(self, q: torch.distributions.Distribution, v: Tensor) -> Tensor:
        return q.log_prob(v)

    def forward(self, x: Tensor) -> Pair:
        q = self.family(self.loc, self.log_scale.exp())
        v = q.rsample((len(x),))
        inside = nn.functional.logsigmoid(v) + nn.functional.logsigmoid(-v)
        return x + torch.sigmoid(v), (inside - self.log_q(q, v)).sum(1)


class OfTorchHalved(OfTorch):
    def log_q(self, q: torch.distributions.Distribution, v: Tensor) -> Tensor:
        return q.log_prob(v) / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "family", [torch.distributions.Laplace, torch.distributions.Normal]
)
def test_noise_has_the_density_of_the_generator_that_draws_it(
    family: type[torch.distributions.Distribution],
) -> None:
    report = ldjcheck.check(OfTorch(family), domain="int:0:7")
    assert report.status == "pass", report
    assert ldjcheck.check(OfTorchHalved(family), domain="int:0:7").status == "fail"


@pytest.mark.slow
def test_no_edit_of_torch_itself_is_offered() -> None:
    report = ldjcheck.check(OfTorchHalved(torch.distributions.Laplace))
    edits = [e for f in report.findings if f.fix is not None for e in f.fix.edits]
    assert all("torch" not in edit.file for edit in edits)
