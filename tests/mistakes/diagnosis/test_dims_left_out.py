"""A slice or a loop over the dims that starts too late, or ends too soon."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


def said(layer: nn.Module, shape: tuple[int, ...] | None = None) -> tuple[str, str]:
    given = {} if shape is None else {"shape": shape}
    (finding,) = ldjcheck.check(layer, **given).findings  # type: ignore[arg-type]  # the shape, or nothing
    return finding.code, finding.message


class Autoregressive(nn.Module):
    """Each dim is scaled by what the ones before it say; `kept` of the log-scales count."""

    def __init__(self, dims: int, kept: slice) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Linear(dims, dims)
        self.register_buffer("mask", torch.ones(dims, dims).tril(-1))
        self.kept = kept

    def forward(self, x: Tensor) -> Pair:
        log_s = torch.tanh(x @ (self.net.weight * self.mask).T + self.net.bias)
        return x * log_s.exp(), log_s[:, self.kept].sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("dims", [2, 5])
def test_the_dims_that_a_slice_leaves_out_are_named(dims: int) -> None:
    left_out = "The log-determinant leaves out the {} dim."
    first = said(Autoregressive(dims, slice(1, None)))
    assert first == ("LDJ110", left_out.format("first"))
    last = said(Autoregressive(dims, slice(-1)))
    assert last == ("LDJ110", left_out.format("last"))
    assert ldjcheck.check(Autoregressive(dims, slice(None))).status == "pass"


class Loop(nn.Module):
    """A sinh on each dim, counted one by one up to the last but one."""

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.zeros(len(x))
        for i in range(x.shape[1] - 1):
            ldj = ldj + torch.log(torch.cosh(x[:, i]))
        return torch.sinh(x), ldj


@pytest.mark.slow
def test_the_dim_at_which_a_loop_stops_too_soon_is_named() -> None:
    found = said(Loop(), (4,))
    assert found == ("LDJ110", "The log-determinant leaves out the last dim.")


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(5, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        scaled = x * self.log_s.exp()
        slope = torch.log(torch.cosh(scaled)) + self.log_s
        return torch.sinh(scaled), slope[:, 2:].sum(dim=(1, 2, 3))


@pytest.mark.slow
def test_channels_that_are_left_out_are_called_channels() -> None:
    found = said(Images(), (5, 2, 4))
    assert found == ("LDJ110", "The log-determinant leaves out the first 2 channels.")


class Coupling(nn.Module):
    """Moves the second half, and hands it on before the first."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(3, 6)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        log_s, t = torch.tanh(self.net(a)).chunk(2, dim=1)
        return torch.cat([b * log_s.exp() + t, a], dim=1), log_s[:, 1:].sum(1)


def test_dims_that_do_not_move_are_left_out_by_right() -> None:
    code, message = said(Coupling(), (6,))
    assert code == "LDJ110"
    assert message == "The log-determinant leaves out the first dim that moves."
