"""What a check comes to: pass, fail, unproven or error, and by which finding."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_layers import Affine, Coupling, Curve, Logit, Pair
from torch import Tensor, nn

import ldjcheck


def check(layer: Any, **options: Any) -> ldjcheck.Report:
    options.setdefault("shape", (4,))
    return ldjcheck.check(layer, **options)


def codes(report: ldjcheck.Report) -> list[tuple[str, str | None]]:
    return [(f.code, f.direction) for f in report.findings]


def exit_code(report: ldjcheck.Report) -> int:
    return int(report.to_dict()["run"]["exit_code"])


def statuses(report: ldjcheck.Report) -> list[str]:
    """Return how forward, inverse, round trip and contract came out."""
    return [check.status for check in report.checks]


# Signs


class ForwardFlipped(Coupling):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, -ldj


class InverseFlipped(Coupling):
    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        return x, -ldj


class BothFlipped(ForwardFlipped, InverseFlipped):
    pass


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (ForwardFlipped, [("LDJ104", "forward")]),
        (BothFlipped, [("LDJ104", "forward"), ("LDJ104", "inverse")]),
        (InverseFlipped, [("LDJ302", "inverse")]),
    ],
)
def test_a_flipped_sign_is_named_by_its_direction(
    layer: type[nn.Module], expected: list[tuple[str, str]]
) -> None:
    report = check(layer())
    assert report.status == "fail"
    assert exit_code(report) == 1
    assert codes(report)[: len(expected)] == expected
    assert all(
        f.severity in ("note", "warning") for f in report.findings[len(expected) :]
    )


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(st.sampled_from([2, 4, 6]), st.booleans(), st.booleans(), st.integers(0, 99))
def test_each_direction_stands_for_itself(
    dims: int, forward: bool, inverse: bool, seed: int
) -> None:
    class Flipped(Coupling):
        def forward(self, x: Tensor) -> Pair:
            y, ldj = super().forward(x)
            return y, -ldj if forward else ldj

        def inverse(self, y: Tensor) -> Pair:
            x, ldj = super().inverse(y)
            return x, -ldj if inverse else ldj

    report = check(Flipped(dims), shape=(dims,), seed=seed)
    assert statuses(report)[:2] == [
        "fail" if forward else "pass",
        "fail" if inverse else "pass",
    ]
    assert (report.status == "pass") == (not forward and not inverse)


# The way back


class InverseOff(Affine):
    def __init__(self, off: float = 0.1) -> None:
        super().__init__()
        self.off = off

    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        return x + self.off, ldj


def test_an_inverse_that_does_not_undo_the_map_is_named() -> None:
    report = check(InverseOff())
    assert report.status == "fail"
    assert codes(report) == [("LDJ301", "inverse")]
    assert "0.1" in report.findings[0].evidence[0]
    assert statuses(report)[:4] == ["pass", "pass", "fail", "pass"]


@pytest.mark.parametrize(
    ("off", "status"), [(1e-15, "pass"), (1e-6, "unproven"), (1e-3, "fail")]
)
def test_a_solvers_residual_is_told_from_a_wrong_inverse(
    off: float, status: str
) -> None:
    assert check(InverseOff(off)).status == status


class UntrackedNone(Affine):
    def inverse(self, y: Tensor) -> Any:
        return super().inverse(y)[0], None


class UntrackedBare(Affine):
    def inverse(self, y: Tensor) -> Any:
        return super().inverse(y)[0]


class UntrackedZeros(Affine):
    def inverse(self, y: Tensor) -> Pair:
        return super().inverse(y)[0], torch.zeros(len(y))


class UntouchedTotal(nn.Module):
    """An accumulator that hands the incoming ldj back on the way back."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        return (z.log(), ldj) if reverse else (z.exp(), ldj + z.sum(1))


@pytest.mark.parametrize(
    "layer", [UntrackedNone, UntrackedBare, UntrackedZeros, UntouchedTotal]
)
def test_an_inverse_that_tracks_no_ldj_is_a_warning_and_passes(
    layer: type[nn.Module],
) -> None:
    report = check(layer())
    assert report.status == "pass"
    assert exit_code(report) == 0
    assert codes(report) == [("LDJ303", "inverse")]
    assert statuses(report)[1] == "not-available"
    assert statuses(report)[2] == "pass", "the map itself is checked"


def test_strict_makes_a_warning_a_failure() -> None:
    report = check(UntrackedNone(), strict=True)
    assert report.status == "fail"
    assert exit_code(report) == 1


def test_an_untracked_inverse_that_is_wrong_still_fails() -> None:
    class Both(InverseOff):
        def inverse(self, y: Tensor) -> Any:
            return super().inverse(y)[0], None

    assert "LDJ301" in [f.code for f in check(Both()).findings]


class NotImplementedBack(Affine):
    def inverse(self, y: Tensor) -> Pair:
        raise NotImplementedError


class BrokenBack(Affine):
    def inverse(self, y: Tensor) -> Pair:
        raise ValueError("no way back")


def test_a_direction_that_says_it_is_not_there_is_no_fault() -> None:
    report = check(NotImplementedBack())
    assert report.status == "pass"
    assert statuses(report)[1] == "not-available"


def test_a_direction_that_raises_is_an_error_and_the_other_still_stands() -> None:
    report = check(BrokenBack())
    assert report.status == "error"
    assert exit_code(report) == 2
    assert codes(report) == [("LDJ005", "inverse")]
    assert any("no way back" in line for line in report.findings[0].evidence)
    assert statuses(report)[0] == "pass"


def test_a_mistake_outweighs_a_direction_that_raises() -> None:
    class Both(BrokenBack):
        def ldj(self, x: Tensor) -> Tensor:
            return -super().ldj(x)

    report = check(Both())
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ104"
    assert "LDJ005" in [f.code for f in report.findings]


# What proves nothing


class StartsAsIdentity(Coupling):
    """The usual coupling layer, whose last layer starts at zero; its sign is wrong."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.net[2].weight)
        nn.init.zeros_(self.net[2].bias)

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, -ldj


@pytest.mark.slow
def test_a_zero_initialised_layer_is_moved_so_that_its_mistake_shows() -> None:
    report = check(StartsAsIdentity())
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ104"


def test_as_is_it_is_unproven_and_never_a_pass() -> None:
    report = check(StartsAsIdentity(), params="as-is")
    assert report.status == "unproven"
    assert exit_code(report) == 3
    assert codes(report) == [("LDJ401", None)]
    assert "params='as-is'" in " ".join(report.findings[0].evidence)


def same(x: Tensor) -> Pair:
    return x.clone(), torch.zeros(len(x))


def test_the_identity_is_unproven() -> None:
    report = check(same)
    assert report.status == "unproven"
    assert codes(report) == [("LDJ401", None)]


def permuted(x: Tensor) -> Pair:
    return x.flip(1), torch.zeros(len(x))


def rotated(x: Tensor) -> Pair:
    a, b = x.chunk(2, dim=1)
    return torch.cat([0.6 * a - 0.8 * b, 0.8 * a + 0.6 * b], 1), torch.zeros(len(x))


def sheared(x: Tensor) -> Pair:
    a, b = x.chunk(2, dim=1)
    return torch.cat([a, b + torch.sin(a)], 1), torch.zeros(len(x))


@pytest.mark.parametrize(
    "layer",
    [permuted, lambda x: (-x, 0.0), rotated, sheared, Coupling(scaled=False)],
    ids=["permutation", "reflection", "rotation", "shear", "additive coupling"],
)
def test_a_map_proved_to_keep_volumes_passes_with_zero(layer: Any) -> None:
    report = check(layer)
    assert report.status == "pass"
    assert report.checks[0].worst == pytest.approx(0, abs=1e-12)


class Sigmoid(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        log_slope = nn.functional.logsigmoid(x) + nn.functional.logsigmoid(-x)
        return x.sigmoid(), log_slope.sum(dim=1)


def test_a_pass_tells_the_numbers_of_samples_that_rounding_leaves_alone() -> None:
    """Out where the slope is lost to rounding, no difference means anything."""
    told = torch.tensor([[0.1, -0.4], [0.7, 1.2], [36.5, 0.3]], dtype=torch.float64)
    report = check(Sigmoid(), shape=None, inputs=told)
    assert report.status == "pass"
    ldj = report.checks[0]
    assert max(sample.allowed for sample in ldj.samples) > 1.0
    assert ldj.worst is not None
    assert ldj.tolerance is not None
    assert ldj.worst <= ldj.tolerance < 1e-6


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [permuted, rotated, sheared])
def test_and_fails_with_anything_else(layer: Any) -> None:
    report = check(lambda x: (layer(x)[0], torch.full((len(x),), 1e-3)))
    assert report.status == "fail"


# Numbers that are no ldj


def nan(x: Tensor) -> Pair:
    return x.exp(), torch.log(x).sum(1)


def infinite(x: Tensor) -> Pair:
    return x.exp(), x.sum(1) + math.inf


def half_the_batch(x: Tensor) -> Pair:
    return x[: len(x) // 2].exp(), x[: len(x) // 2].sum(1)


def one_ldj_too_few(x: Tensor) -> Pair:
    return x.exp(), x[1:].sum(1)


def half_the_ldj(x: Tensor) -> Pair:
    """Return one number for three samples, and two numbers for five."""
    return x.exp(), x[: len(x) // 2].sum(1)


def collapsed(x: Tensor) -> Pair:
    return x * torch.tensor([0.0, 1.0, 1.0, 1.0]), torch.zeros(len(x))


def centred(x: Tensor) -> Pair:
    """Subtract the mean of the batch from each sample."""
    y = 2 * x - x.mean(0)
    return y, torch.full((len(x),), x.shape[1] * math.log(2 - 1 / len(x)))


def coupled_scale(x: Tensor) -> Pair:
    """Scale by the spread of the batch: samples meet in the scale only."""
    scale = 1 + x.std(0)
    return x * scale, scale.log().sum().expand(len(x))


def coupled_ldj(x: Tensor) -> Pair:
    return x.exp(), x.sum(1) + x.sum() - x.sum()[None].detach()


def batch_sum(x: Tensor) -> Pair:
    return x.exp(), x.sum().expand(len(x))


def test_a_map_that_drops_a_dim_is_called_not_invertible() -> None:
    assert codes(check(collapsed))[0] == ("LDJ304", "forward")


@pytest.mark.parametrize(
    ("layer", "evidence"),
    [
        (half_the_batch, "samples went in and an output of shape"),
        (one_ldj_too_few, "ldj has shape"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_behaviour_without_a_rule_of_its_own_is_told_in_words(
    layer: Any, evidence: str
) -> None:
    report = check(layer)
    said = " ".join([f.message + " ".join(f.evidence) for f in report.findings])
    assert report.status == "fail", report
    assert "LDJ199" in [f.code for f in report.findings]
    assert evidence in said


@pytest.mark.slow
@pytest.mark.parametrize("layer", [centred, coupled_scale])
def test_samples_that_meet_are_found_where_the_whole_jacobian_is_too_large(
    layer: Any,
) -> None:
    report = check(layer, shape=(120,))
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ207"


@pytest.mark.thinned(4)
@pytest.mark.parametrize("layer", [nan, infinite, batch_sum, half_the_ldj])
def test_a_value_that_is_no_number_or_of_the_whole_batch_never_passes(
    layer: Any,
) -> None:
    report = check(layer)
    assert report.status == "fail"
    assert report.findings[0].severity == "error"


class CoupledWhenMany(Curve):
    """Couples its samples in batches of more than four only."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return (y + x.mean(0) if len(x) > 4 else y), ldj


def test_samples_are_proved_independent_at_every_batch() -> None:
    report = check(CoupledWhenMany())
    assert report.status == "fail", report


def test_dims_that_are_dropped_without_a_claim_pass_with_a_note() -> None:
    report = check(lambda x: (x[:, :2], 0 * x.sum(1)))
    assert report.status == "pass"
    assert {(f.code, f.severity) for f in report.findings} == {("LDJ305", "note")}


def test_what_is_claimed_of_dropped_dims_has_to_be_a_density() -> None:
    report = check(lambda x: (x[:, :2], x.sum(1)))
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ501"


# How small a mistake is seen


@pytest.mark.slow
@pytest.mark.parametrize("off", [1e-6, -1e-6, 1e-7])
@pytest.mark.parametrize("layer", [Affine, Coupling, Curve, Logit])
def test_a_mistake_far_below_float32_is_seen(
    layer: type[nn.Module], off: float
) -> None:
    class Off(layer):  # type: ignore[misc,valid-type]
        def forward(self, x: Tensor) -> Pair:
            y, ldj = super().forward(x)
            return y, ldj + off

    assert check(layer()).status == "pass"
    assert check(Off()).status == "fail"


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("tolerances", "status"),
    [
        ({"atol": 1e-3}, "pass"),
        ({"atol": 1e-5}, "fail"),
        ({"rtol": 1e-2}, "pass"),
        ({"rtol": 1e-6}, "fail"),
        ({"atol": 1e-5, "rtol": 1e-2}, "pass"),
        ({"atol": 0.0}, "fail"),
    ],
)
def test_the_users_tolerances_count_instead(
    tolerances: dict[str, float], status: str
) -> None:
    class Off(Affine):
        def ldj(self, x: Tensor) -> Tensor:
            return super().ldj(x) + 1e-4

    report = check(Off(), direction="forward", params="as-is", **tolerances)
    assert report.status == status
    sample = report.checks[0].samples[0]
    expected = tolerances.get("atol", 0) + tolerances.get("rtol", 0) * abs(sample.exact)
    assert sample.allowed == pytest.approx(expected)


# One direction only


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("forward", ["fail", "not-available", "not-available"]),
        ("inverse", ["not-available", "pass"]),
        ("both", ["fail", "pass", "pass"]),
    ],
)
def test_a_direction_can_be_asked_for(direction: str, expected: list[str]) -> None:
    report = check(ForwardFlipped(), direction=direction)
    assert statuses(report)[: len(expected)] == expected


class BatchNorm(nn.Module):
    """Normalises by the batch's statistics in train mode, by running ones in eval."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4, affine=False)

    def forward(self, x: Tensor) -> Pair:
        y = self.norm(x)
        std = x.std(0, correction=0) if self.training else self.norm.running_var.sqrt()
        return y, -torch.log(std + 0.0).sum().expand(len(x))


@pytest.mark.slow
def test_coupled_samples_in_train_mode_are_never_a_pass() -> None:
    assert check(BatchNorm(), mode="train").status != "pass"
