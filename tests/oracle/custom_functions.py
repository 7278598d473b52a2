"""Custom functions, 3 x all of them, that break one way of differentiating or another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class ItemInBackward(torch.autograd.Function):
    """x * c with a backward that reads a number: `vmap` cannot go through it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 3 * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        assert isinstance(grad.sum().item(), float)
        return 3 * grad


class NoBackward(torch.autograd.Function):
    """3 x, of which only forward mode knows the derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 3 * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        raise RuntimeError("there is no way back through here")

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return 3 * tangent


class NoDerivative(torch.autograd.Function):
    """3 x, and no derivative in either mode."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 3 * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        raise RuntimeError("there is no way back through here")
