"""What a loop leaves behind a squeeze or a split counts fewer places, or dims, each turn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


def _squeezed(x: Tensor) -> Tensor:
    batch, channels, steps = x.shape
    pairs = x.view(batch, channels, steps // 2, 2).permute(0, 1, 3, 2)
    return pairs.reshape(batch, 2 * channels, steps // 2)


class _Levels(nn.Module):
    """Squeezes, and mixes the channels, of (C, T)."""

    def __init__(self, seed: int = 0, levels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.mixes = nn.ParameterList(
            torch.eye(2**level) + 0.2 * torch.randn(2**level, 2**level)
            for level in range(1, levels + 1)
        )


class Mixed(_Levels):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = x.new_zeros(len(x))
        for mix in self.mixes:
            x = torch.einsum("ij,bjt->bit", mix, _squeezed(x))
            ldj = ldj + x.shape[2] * torch.linalg.slogdet(mix)[1]
        return x, ldj


class MixedOnce(_Levels):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = x.new_zeros(len(x))
        for mix in self.mixes:
            x = torch.einsum("ij,bjt->bit", mix, _squeezed(x))
            ldj = ldj + torch.linalg.slogdet(mix)[1]
        return x, ldj


class MixedByInput(_Levels):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        steps, ldj = x.shape[2], x.new_zeros(len(x))
        for mix in self.mixes:
            x = torch.einsum("ij,bjt->bit", mix, _squeezed(x))
            ldj = ldj + steps * torch.linalg.slogdet(mix)[1]
        return x, ldj


class _Scales(nn.Module):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.log_scales = nn.Parameter(0.4 * torch.randn(3))


class Scaled(_Scales):
    """One scale for all that is left; half of it leaves after each turn."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        left, ldj = [], 0.0
        for log_scale in self.log_scales:
            x = x * log_scale.exp()
            ldj += log_scale * x[0].numel()
            x, done = x.chunk(2, dim=1)
            left.append(done)
        return torch.cat([*left, x], dim=1), ldj * torch.ones(len(x))


class ScaledOnce(_Scales):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        left, ldj = [], 0.0
        for log_scale in self.log_scales:
            x = x * log_scale.exp()
            ldj += log_scale
            x, done = x.chunk(2, dim=1)
            left.append(done)
        return torch.cat([*left, x], dim=1), ldj * torch.ones(len(x))


def _fix(layer: nn.Module, shape: tuple[int, ...]) -> tuple[str, str, list[str], str]:
    """Return code, message, edited lines and whether the edit was run, of a wrong layer."""
    (finding, *_) = ldjcheck.check(layer, shape=shape).findings
    assert finding.fix is not None
    written = [edit.after.strip() for edit in finding.fix.edits]
    return finding.code, finding.message, written, finding.fix.applicability


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_number_in_a_loop_counts_once_per_place_that_is_left_at_its_turn(
    seed: int,
) -> None:
    assert _fix(MixedOnce(seed), (1, 16)) == (
        "LDJ102",
        "`torch.linalg.slogdet(mix)` counts once, not once per time step.",
        ["ldj = ldj + torch.linalg.slogdet(mix)[1] * x.shape[2]"],
        "verified",
    )


@pytest.mark.slow
def test_the_count_of_the_input_is_not_that_of_each_turn() -> None:
    assert _fix(MixedByInput(), (1, 16)) == (
        "LDJ103",
        "`torch.linalg.slogdet(mix)` is multiplied by the wrong count: that of the input, "
        "not of what the map has made by then.",
        ["ldj = ldj + x.shape[2] * torch.linalg.slogdet(mix)[1]"],
        "verified",
    )


def test_a_total_that_begins_as_a_plain_zero_is_one_term_in_all_turns() -> None:
    assert _fix(ScaledOnce(), (16,)) == (
        "LDJ101",
        "The log-determinant counts `log_scale` once, not once per dimension.",
        ["ldj += log_scale * x[0].numel()"],
        "verified",
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("layer", "shape"), [(Mixed, (1, 16)), (Scaled, (16,))])
def test_what_counts_what_is_left_is_right(
    layer: type[_Levels | _Scales], shape: tuple[int, ...], seed: int
) -> None:
    assert ldjcheck.check(layer(seed), shape=shape).status == "pass"


class Series(nn.Module):
    """A residual map, whose log-determinant is a power series of its Jacobian."""

    def __init__(self, seed: int = 0, terms: int = 30) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.weight, self.terms = nn.Parameter(0.2 * torch.randn(3, 3)), terms

    def branch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x @ self.weight.T)
        return 0.5 * h, 0.5 * (1 - h**2).unsqueeze(-1) * self.weight

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, jacobian = self.branch(x)
        power, ldj = jacobian, x.new_zeros(len(x))
        for k in range(1, self.terms + 1):
            trace = power.diagonal(dim1=1, dim2=2).sum(1)
            ldj = ldj + (-1) ** (k + 1) * trace / k
            power = power @ jacobian
        return x + y, ldj


class SeriesLate(Series):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, jacobian = self.branch(x)
        power, ldj = jacobian, x.new_zeros(len(x))
        for k in range(1, self.terms + 1):
            trace = power.diagonal(dim1=1, dim2=2).sum(1)
            ldj = ldj + (-1) ** (k + 1) * trace / (k + 1)
            power = power @ jacobian
        return x + y, ldj


class SeriesOfOne(Series):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, jacobian = self.branch(x)
        power, ldj = jacobian, x.new_zeros(len(x))
        for k in range(1, self.terms + 1):
            trace = power.diagonal(dim1=1, dim2=2).sum(1)
            ldj = ldj + (-1) ** (k + 1) * trace
            power = power @ jacobian
        return x + y, ldj


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "told", "edit"),
    [
        (SeriesLate, "(k + 1) / k", "ldj = ldj + (-1) ** (k + 1) * trace / k"),
        (SeriesOfOne, "1 / k", "ldj = ldj + (-1) ** (k + 1) * trace / k"),
    ],
)
def test_a_coefficient_of_a_series_is_told_by_the_number_of_its_turn(
    layer: type[Series], told: str, edit: str
) -> None:
    code, message, written, applicability = _fix(layer(), (3,))
    assert (code, written, applicability) == ("LDJ114", [edit], "verified")
    assert message.endswith(f"must be multiplied by {told} at turn k of its loop.")


def test_a_series_that_is_right_passes() -> None:
    assert ldjcheck.check(Series(), shape=(3,)).status == "pass"
