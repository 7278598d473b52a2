"""What is fed beside the input, and what is frozen, must not make the layer do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_layers import Pair


class Masked(nn.Module):
    """A coupling that is told which entries stay."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(4, 8)

    def scales(self, x: Tensor, mask: Tensor) -> Pair:
        s, t = self.net(x * mask).chunk(2, dim=-1)
        return torch.tanh(s), t * (1 - mask)

    def ldj(self, s: Tensor, mask: Tensor) -> Tensor:
        return (s * (1 - mask)).sum(-1)

    def forward(self, x: Tensor, mask: Tensor) -> Pair:
        s, t = self.scales(x, mask)
        return x * (s * (1 - mask)).exp() + t, self.ldj(s, mask)

    def inverse(self, y: Tensor, mask: Tensor) -> Pair:
        s, t = self.scales(y, mask)
        return (y - t) * (-s * (1 - mask)).exp(), -self.ldj(s, mask)


class MaskedCounted(Masked):
    def ldj(self, s: Tensor, mask: Tensor) -> Tensor:
        return s.sum(-1)


class MaskedAdding(Masked):
    def forward(
        self, z: Tensor, ldj: Tensor, mask: Tensor, reverse: bool = False
    ) -> Pair:
        y, own = super().inverse(z, mask) if reverse else super().forward(z, mask)
        return y, ldj + self.sign * own

    sign = 1.0
    inverse = None  # type: ignore[assignment]  # the flag is the way back


class MaskedAddingTurned(MaskedAdding):
    sign = -1.0


class MaskedImage(nn.Module):
    """Gives its ldj by a method, which takes the mask as well."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Conv2d(2, 2, 3, padding=1)

    def scale(self, x: Tensor, mask: Tensor) -> Tensor:
        return torch.tanh(self.net(x * mask)) * (1 - mask)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x * self.scale(x, mask).exp()

    def log_det(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.scale(x, mask).sum((1, 2, 3))


class MaskedImageHalved(MaskedImage):
    def log_det(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().log_det(x, mask) / 2


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [Masked, MaskedAdding, MaskedImage])
def test_a_mask_leaves_something_to_move(layer: Callable[[], nn.Module]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert "zeros and ones" in report.to_dict()["results"][0]["inferred"]["mask"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (MaskedCounted, "LDJ113"),
        (MaskedAddingTurned, "LDJ104"),
        (MaskedImageHalved, "LDJ114"),
    ],
)
def test_what_is_wrong_under_a_mask_is_named(
    layer: Callable[[], nn.Module], code: str
) -> None:
    assert ldjcheck.check(layer()).findings[0].code == code


class NeverMoves(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor, mask: Tensor) -> Pair:
        s = self.a * mask * (1 - mask)
        return x * s.exp(), s.sum(-1)


def test_a_tensor_that_was_made_up_is_named() -> None:
    finding = ldjcheck.check(NeverMoves()).findings[0]
    assert finding.code == "LDJ401"
    assert "`mask`" in finding.message
    assert "kwarg={'mask': EXPR}" in " ".join(finding.evidence)


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(3), requires_grad=False)

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))


class FrozenAdding(Frozen):
    def forward(self, x: Tensor, ldj: Tensor) -> Pair:  # type: ignore[override]
        return x * self.log_s.exp(), ldj + self.log_s.sum()


class FrozenTransform(Transform):
    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self) -> None:
        super().__init__()
        self.inner = Frozen()

    def _call(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(x)[0]
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        ldj: Tensor = self.inner(x)[1]
        return ldj


@pytest.mark.parametrize("layer", [Frozen, FrozenAdding, FrozenTransform])
def test_parameters_that_are_frozen_are_named(layer: Callable[[], object]) -> None:
    finding = ldjcheck.check(layer(), shape=(3,)).findings[0]
    assert (finding.code, finding.severity) == ("LDJ401", "unproven")
    assert "log_s" in finding.message
    assert "requires_grad" in " ".join(finding.evidence)
