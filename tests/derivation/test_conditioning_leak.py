"""A network that sees the input of its own output is told as that, before all else."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ldjcheck


class Masked(nn.Linear):
    """A linear map of which a mask lets some weights pass."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


class Autoregressive(nn.Module):
    """Scale and shift each dim by what those before it say."""

    strict = True

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        mask = torch.ones(dims, dims).tril(-1 if self.strict else 0)
        self.mean, self.alpha = Masked(mask), Masked(mask)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        alpha = torch.tanh(self.alpha(x))
        return (x - self.mean(x)) * torch.exp(-alpha), -alpha.sum(1)


class DiagonalPasses(Autoregressive):
    """The mask keeps its diagonal."""

    strict = False


class WrongHalf(nn.Module):
    """The half that is scaled says by how much."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dims // 2, 8), nn.Tanh())
        self.out = nn.Linear(8, dims)

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        a, b = z.chunk(2, 1)
        s, t = self.out(self.net(a if reverse else b)).chunk(2, 1)
        s = torch.tanh(s)
        if reverse:
            return torch.cat([a, (b - t) * torch.exp(-s)], 1), ldj - s.sum(1)
        return torch.cat([a, b * torch.exp(s) + t], 1), ldj + s.sum(1)


class Residual(nn.Module):
    """All sees all, and the ldj is forgotten: that is no leak."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dims, 8), nn.Tanh(), nn.Linear(8, dims))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 0.1 * self.net(x), torch.zeros(len(x))


def first_of(layer: nn.Module) -> ldjcheck.records.Finding:
    torch.manual_seed(0)
    return ldjcheck.check(layer, shape=(4,)).findings[0]


def edit_of(finding: ldjcheck.records.Finding) -> str:
    """Return the line that a verified fix of one edit writes."""
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    (edit,) = finding.fix.edits
    return edit.after.strip()


def test_a_mask_that_lets_the_diagonal_pass_is_told_with_output_and_input() -> None:
    found = first_of(DiagonalPasses())
    assert found.code == "LDJ120"
    assert found.message.startswith("Output 0 depends on input 0 through the network")
    assert "mask" in found.message
    assert edit_of(found) == "mask = torch.ones(dims, dims).tril(-1)"


@pytest.mark.slow
def test_a_coupling_that_conditions_on_the_wrong_half_leaks() -> None:
    found = first_of(WrongHalf())
    assert found.message == "Output 2 depends on input 2 through the network."
    assert found.location is not None
    assert "self.net(a if reverse else b)" in (found.location.text or "")
    assert edit_of(found) == (
        "s, t = self.out(self.net(a if reverse else a)).chunk(2, 1)"
    )


def test_a_right_mask_is_no_leak() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(Autoregressive(), shape=(4,)).status == "pass"


def test_a_residual_step_means_all_to_see_all() -> None:
    assert first_of(Residual()).code == "LDJ119"


class AllScaleAll(Residual):
    """Each dim is scaled by what a network says of all of them, its own among them."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = self.net(x)
        return x * log_scale.exp(), log_scale.sum(1)


@pytest.mark.slow
def test_a_scale_that_a_network_makes_of_all_dims_leaks() -> None:
    found = first_of(AllScaleAll())
    assert found.code == "LDJ120"
    assert found.message == "Output 0 depends on input 0 through the network."
    assert found.fix is None  # no edit of one statement makes it another step


class SeeEachOther(nn.Module):
    """The shifts of two dims are made of one another, and no ldj is reported."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Masked(torch.tensor([[0.0, 1, 0], [1, 0, 0], [1, 1, 0]]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + torch.tanh(self.net(x)), x.new_zeros(len(x))


@pytest.mark.slow
def test_two_outputs_that_see_each_others_inputs_are_named_together() -> None:
    torch.manual_seed(0)
    found = ldjcheck.check(SeeEachOther(), shape=(3,)).findings[0]
    assert found.code == "LDJ120"
    assert found.message == (
        "Output 1 depends on input 0, and output 0 on input 1, through the network: "
        "the mask lets it pass."
    )
