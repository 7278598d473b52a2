"""Layers that change the number of dims: what they claim instead is checked."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


def codes(layer: nn.Module, shape: tuple[int, ...]) -> list[str]:
    return [f.code for f in ldjcheck.check(layer, shape=shape).findings]


class Split(nn.Module):
    """Drops half of the channels, under a standard normal prior, with a running total."""

    def __init__(self) -> None:
        super().__init__()
        self.prior = torch.distributions.Normal(0.0, 1.0)

    def log_p(self, kept: Tensor, dropped: Tensor) -> Tensor:
        return self.prior.log_prob(dropped).sum(dim=[1, 2, 3])

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if not reverse:
            z, dropped = z.chunk(2, dim=1)
            return z, ldj + self.log_p(z, dropped)
        dropped = self.prior.sample(sample_shape=z.shape)
        return torch.cat([z, dropped], dim=1), ldj - self.log_p(z, dropped)


class OfTheKeptHalf(Split):
    def log_p(self, kept: Tensor, dropped: Tensor) -> Tensor:
        return super().log_p(dropped, kept)


class Averaged(Split):
    def log_p(self, kept: Tensor, dropped: Tensor) -> Tensor:
        return self.prior.log_prob(dropped).mean(dim=[1, 2, 3])


class Turned(Split):
    def log_p(self, kept: Tensor, dropped: Tensor) -> Tensor:
        return -super().log_p(kept, dropped)


class WithoutConstant(Split):
    def log_p(self, kept: Tensor, dropped: Tensor) -> Tensor:
        return -(dropped**2 / 2).sum(dim=[1, 2, 3])


class BackwardsAdded(Split):
    """Adds the log-density on the way back as well."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        out, total = super().forward(z, ldj, reverse)
        return out, 2 * ldj - total if reverse else total


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [OfTheKeptHalf, Averaged, Turned, WithoutConstant])
def test_what_is_no_density_of_the_dropped_part_is_found(layer: type[Split]) -> None:
    report = ldjcheck.check(layer(), shape=(4, 2, 2))
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ501"
    assert report.result.kind == "split"


def test_a_missing_constant_is_told_per_dim() -> None:
    finding = ldjcheck.check(WithoutConstant(), shape=(4, 2, 2)).findings[0]
    assert any("constant of the normal density" in line for line in finding.evidence)


def test_a_right_split_passes_both_ways_with_a_note() -> None:
    report = ldjcheck.check(Split(), shape=(4, 2, 2))
    assert report.status == "pass", report
    assert [c.status for c in report.checks[:2]] == ["pass", "pass"]
    assert {f.code for f in report.findings} == {"LDJ305"}


def test_the_way_back_takes_away_what_the_way_there_added() -> None:
    report = ldjcheck.check(BackwardsAdded(), shape=(4, 2, 2))
    found = [(f.code, f.direction) for f in report.findings if f.severity == "error"]
    assert found == [("LDJ501", "inverse")]


def test_what_drops_many_dims_of_an_image_is_judged_on_a_smaller_one() -> None:
    assert ldjcheck.check(Split(), shape=(4, 8, 8)).status == "pass"
    report = ldjcheck.check(WithoutConstant(), shape=(4, 8, 8))
    assert {f.code for f in report.findings} == {"LDJ501", "LDJ305"}


class OfImages(Split):
    """Drops half of twelve channels, under a normal that is learned from the others."""

    def __init__(self, scaled: bool = True) -> None:
        super().__init__()
        self.net = nn.Conv2d(6, 12, 3, padding=1)
        self.scaled = scaled

    def log_p(self, kept: Tensor, dropped: Tensor) -> Tensor:
        mean, log_std = self.net(kept).chunk(2, dim=1)
        z = (dropped - mean) * torch.exp(-log_std)
        log_p = -(z**2) / 2 - math.log(2 * math.pi) / 2
        return (log_p - self.scaled * log_std).sum(dim=[1, 2, 3])

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if not reverse:
            return super().forward(z, ldj)
        mean, log_std = self.net(z).chunk(2, dim=1)
        dropped = mean + torch.randn_like(mean) * torch.exp(log_std)
        return torch.cat([z, dropped], dim=1), ldj - self.log_p(z, dropped)


@pytest.mark.slow
def test_a_split_of_many_dims_is_proved_on_smaller_images() -> None:
    report = ldjcheck.check(OfImages())
    assert report.status == "pass", report
    found = ldjcheck.check(OfImages(scaled=False)).findings
    assert [(f.code, f.direction) for f in found if f.severity == "error"] == [
        ("LDJ501", "forward"),
        ("LDJ501", "inverse"),
    ]


class ForwardsTaken(Split):
    """Takes the log-density off on the way there: exp(ldj) grows without end."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        out, total = super().forward(z, ldj, reverse)
        return out, total if reverse else 2 * ldj - total


class ForwardsHalf(Split):
    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        out, total = super().forward(z, ldj, reverse)
        return out, total if reverse else (ldj + total) / 2


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [ForwardsTaken, ForwardsHalf])
def test_a_wrong_way_there_is_no_measure_of_the_way_back(layer: type[Split]) -> None:
    report = ldjcheck.check(layer(), shape=(4, 2, 2))
    found = [(f.code, f.direction) for f in report.findings if f.severity == "error"]
    assert found == [("LDJ501", "forward")]


def test_what_integrates_to_no_number_has_no_exact_value() -> None:
    report = ldjcheck.check(ForwardsTaken(), shape=(4, 2, 2))
    (forward,) = [c for c in report.checks if c.direction == "forward"]
    assert {s.exact for s in forward.samples} == {-math.inf}
    (finding,) = [f for f in report.findings if f.severity == "error"]
    assert "no finite number" in finding.evidence[0]
    assert "grows towards the ends" in finding.evidence[1]


def test_a_mistake_made_both_ways_is_told_of_both() -> None:
    report = ldjcheck.check(Turned(), shape=(4, 2, 2))
    found = [(f.code, f.direction) for f in report.findings if f.severity == "error"]
    assert found == [("LDJ501", "forward"), ("LDJ501", "inverse")]


class Conditional(nn.Module):
    """The density of the dropped half depends on the kept one."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.net = nn.Linear(3, 6)
        self.kind = kind

    def forward(self, x: Tensor) -> Pair:
        kept, dropped = x.chunk(2, dim=1)
        mean, log_std = self.net(kept).chunk(2, dim=1)
        z = (dropped - mean) * torch.exp(-log_std)
        if self.kind == "logistic":
            log_p = -z - 2 * nn.functional.softplus(-z)
        else:
            log_p = -(z**2) / 2 - math.log(2 * math.pi) / 2
        if self.kind != "unscaled":
            log_p = log_p - log_std
        return kept, log_p.sum(dim=1)


@pytest.mark.slow
def test_a_prior_may_depend_on_what_is_kept() -> None:
    assert codes(Conditional("normal"), (6,)) == ["LDJ305"]
    assert codes(Conditional("logistic"), (6,)) == ["LDJ305"]
    assert codes(Conditional("unscaled"), (6,)) == ["LDJ501", "LDJ305"]


class Silent(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return x[:, :3], torch.zeros(len(x))


class Embedding(nn.Module):
    """Maps three dims into five."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.w = nn.Parameter(torch.randn(3, 5, generator=generator))
        self.factor = factor

    def forward(self, x: Tensor) -> Pair:
        ldj = self.factor * torch.logdet(self.w @ self.w.T)
        return x @ self.w, ldj.expand(len(x))


def test_a_split_that_claims_nothing_passes() -> None:
    report = ldjcheck.check(Silent(), shape=(5,))
    assert report.status == "pass"
    assert [f.code for f in report.findings] == ["LDJ305"]


def test_an_embedding_passes_by_its_volume_factor_and_is_else_unproven() -> None:
    assert ldjcheck.check(Embedding(0.5), shape=(3,)).status == "pass"
    assert ldjcheck.check(Embedding(0.7), shape=(3,)).status == "unproven"


@pytest.mark.parametrize("factor", [1.0, -0.5])
def test_a_plain_multiple_of_the_volume_factor_is_wrong(factor: float) -> None:
    report = ldjcheck.check(Embedding(factor), shape=(3,))
    assert report.status == "fail", report
    assert {f.code for f in report.findings} & {"LDJ104", "LDJ114"}


def test_the_kind_that_is_given_is_the_kind_that_is_told() -> None:
    assert (
        ldjcheck.check(Silent(), shape=(5,), kind="bijection").result.kind
        == "bijection"
    )


class Slice(nn.Module):
    """Drops the last dims under a standard normal, and draws them on the way back."""

    def __init__(self, dropped: int = 2) -> None:
        super().__init__()
        self.dropped = dropped

    def forward(self, x: Tensor) -> Pair:
        left = x[:, -self.dropped :]
        log_p = -(left**2) / 2 - math.log(2 * math.pi) / 2
        return x[:, : -self.dropped], log_p.sum(dim=1)

    def inverse(self, z: Tensor) -> Tensor:
        return torch.cat([z, torch.randn(len(z), self.dropped)], dim=1)


@pytest.mark.slow
def test_a_way_back_that_draws_what_was_dropped_and_says_nothing_passes() -> None:
    # At the size that `dropped` suggests, nothing is left of an event.
    report = ldjcheck.check(Slice())
    assert report.status == "pass", report
    assert {(f.code, f.severity) for f in report.findings} == {
        ("LDJ305", "note"),
        ("LDJ303", "note"),
    }
    trip = next(c for c in report.checks if c.name == "round-trip")
    assert trip.status == "pass"


class Tripled(Slice):
    """Hands back another point than the one that is kept."""

    def inverse(self, z: Tensor) -> Tensor:
        return super().inverse(3 * z)


class Wide(Slice):
    """Draws by another scale than it counts, and says nothing of it."""

    scale = 2.0

    def inverse(self, z: Tensor) -> Tensor:
        drawn = self.scale * torch.randn(len(z), self.dropped)
        return torch.cat([z, drawn], dim=1)


class Cold(Wide):
    """Draws as cold as its caller wants."""

    def inverse(self, z: Tensor, temperature: float = 0.7) -> Tensor:
        drawn = temperature * torch.randn(len(z), self.dropped)
        return torch.cat([z, drawn], dim=1)


class Usual(Wide):
    scale = 1.0


class Scaled(Slice):
    """Counts what it drops by a scale of its own, and draws it by that."""

    def __init__(self, dropped: int = 2) -> None:
        super().__init__(dropped)
        self.log_s = nn.Parameter(torch.full((dropped,), 0.4))

    def forward(self, x: Tensor) -> Pair:
        kept, left = x[:, : -self.dropped], x[:, -self.dropped :]
        z = left * torch.exp(-self.log_s)
        log_p = -(z**2) / 2 - math.log(2 * math.pi) / 2 - self.log_s
        return kept, log_p.sum(dim=1)

    def inverse(self, z: Tensor) -> Tensor:
        drawn = torch.randn(len(z), self.dropped) * torch.exp(self.log_s)
        return torch.cat([z, drawn], dim=1)


class Shrunk(Scaled):
    def inverse(self, z: Tensor) -> Tensor:
        drawn = torch.randn(len(z), self.dropped) * torch.exp(-self.log_s)
        return torch.cat([z, drawn], dim=1)


def test_a_silent_way_back_of_a_split_leads_back_to_what_is_kept() -> None:
    found = ldjcheck.check(Tripled(), shape=(5,)).findings
    (finding,) = [f for f in found if f.severity == "error"]
    assert finding.code == "LDJ301"
    assert finding.evidence[0].startswith("largest |f(inverse(z)) - z|: ")


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("layer", "wrong"),
    [(Wide, True), (Shrunk, True), (Usual, False), (Scaled, False), (Cold, False)],
)
def test_a_silent_way_back_draws_by_the_density_that_is_counted(
    layer: type[Slice], wrong: bool, seed: int
) -> None:
    report = ldjcheck.check(layer(), shape=(5,), seed=seed)
    found = [(f.code, f.direction) for f in report.findings if f.severity == "error"]
    assert found == ([("LDJ501", "inverse")] if wrong else []), report
    assert report.status == ("fail" if wrong else "pass")


def test_an_output_without_entries_is_none() -> None:
    report = ldjcheck.check(Slice(), shape=(2,))
    assert report.status == "error"
    assert "an output of shape (3, 0)" in str(report)


def test_half_of_one_entry_is_no_split_and_says_nothing_of_the_way_back() -> None:
    class Halves(nn.Module):
        def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
            return z.chunk(2, dim=1)[0], torch.zeros(len(z))

        def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
            return torch.cat([z, torch.zeros_like(z)], dim=1), torch.zeros(len(z))

    report = ldjcheck.check(Halves())
    assert report.status == "pass", report
    assert {finding.code for finding in report.findings} == {"LDJ305"}


class MapsAndDrops(nn.Module):
    """Moves all dims and drops half of them; the way back draws these anew."""

    def __init__(self, slip: str = "") -> None:
        super().__init__()
        self.s = nn.Parameter(0.3 * torch.randn(4))
        self.t = nn.Parameter(torch.randn(4))
        self.slip = slip

    def density(self, z: Tensor) -> Tensor:
        return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, gone = (x * self.s.exp() + self.t).chunk(2, 1)
        return kept, self.s.sum() + self.density(gone)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        gone = torch.randn_like(z)
        whole = torch.cat([gone, z] if self.slip == "turned" else [z, gone], 1)
        if self.slip == "moved":
            whole = whole + 1
        back = -self.s.sum() if self.slip != "sign" else self.s.sum()
        x = (whole - self.t) * (1 if self.slip == "unscaled" else torch.exp(-self.s))
        return x, back - self.density(gone)


class DropsSilently(MapsAndDrops):
    """Says nothing of its way back."""

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        return super().inverse(z)[0], None


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MapsAndDrops, DropsSilently])
@pytest.mark.parametrize("slip", ["", "turned", "moved", "unscaled", "sign"])
def test_what_maps_and_drops_in_one_is_held_to_lead_back_to_what_it_keeps(
    kind: type[MapsAndDrops], slip: str
) -> None:
    for seed in range(2):
        torch.manual_seed(seed)
        report = ldjcheck.check(kind(slip), seed=seed)
        right = slip == "" or (slip == "sign" and kind is DropsSilently)
        assert report.status == ("pass" if right else "fail"), report
        if not right and slip != "sign":
            assert report.findings[0].code == "LDJ301", report
