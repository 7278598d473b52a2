"""Wrong layers whose numbers tempt to an edit that holds at one size, rank or value only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

Pair = tuple[Tensor, Tensor]


class Limited(nn.Module):
    """The term of the limit is forgotten, which was built as 2: so is log 2 elsewhere."""

    def __init__(self, act_limit: float = 2.0) -> None:
        super().__init__()
        self.act_limit = act_limit

    def forward(self, x: Tensor) -> Pair:
        y = torch.tanh(x)
        ldj = 2 * (math.log(2) - x - nn.functional.softplus(-2 * x))
        return self.act_limit * y, ldj.sum(-1)

    def inverse(self, y: Tensor) -> tuple[Tensor, None]:
        return torch.atanh(y / self.act_limit), None


class LimitedTwice(Limited):
    """The limit is counted by its half."""

    def forward(self, x: Tensor) -> Pair:
        y = torch.tanh(x)
        ldj = 2 * (math.log(2) - x - nn.functional.softplus(-2 * x))
        ldj = ldj + 0.5 * math.log(self.act_limit)
        return self.act_limit * y, ldj.sum(-1)


class LimitOfOther(Limited):
    """The logarithm is of a number that happens to be no limit."""

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.log(3.0 * (1 - torch.tanh(x) ** 2))
        return self.act_limit * torch.tanh(x), ldj.sum(-1)


class Squeezed(nn.Module):
    """An ldj per entry, of vectors, sequences and images."""

    def forward(self, x: Tensor) -> Pair:
        return torch.sinh(x), torch.log(torch.cosh(x)).mean(-1)

    def inverse(self, y: Tensor) -> Pair:
        return torch.asinh(y), -0.5 * torch.log1p(y**2).mean(-1)


class LeftOpen(nn.Module):
    """The entries are not summed at all."""

    def forward(self, x: Tensor) -> Pair:
        return torch.sinh(x), torch.log(torch.cosh(x))

    def inverse(self, y: Tensor) -> Pair:
        return torch.asinh(y), -0.5 * torch.log1p(y**2)


class SummedAtTheEnd(nn.Module):
    """Only the last axis is summed, and the log is the wrong one."""

    def forward(self, x: Tensor) -> Pair:
        return torch.sinh(x), torch.cosh(x).sum(-1)

    def inverse(self, y: Tensor) -> Pair:
        return torch.asinh(y), -0.5 * torch.log1p(y**2).flatten(1).sum(1)


class OneScale(nn.Module):
    """One scale for all dims, counted once."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        return y * (-self.log_scale).exp(), -self.log_scale.sum().expand(len(y))


class Leaky(nn.Module):
    """The slope of the left side is given, and its log has lost its sign."""

    def __init__(self, slope: float = 0.5) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Pair:
        y = torch.where(x >= 0, x, self.slope * x)
        ldj = torch.where(x >= 0, torch.zeros_like(x), torch.full_like(x, self.slope))
        return y, ldj.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Pair:
        x = torch.where(y >= 0, y, y / self.slope)
        log = torch.full_like(y, -math.log(self.slope))
        return x, torch.where(y >= 0, torch.zeros_like(y), log).flatten(1).sum(1)


class Temperature(nn.Module):
    """A sigmoid with a temperature that is missing in the ldj."""

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, x: Tensor) -> Pair:
        z = self.temperature * x
        ldj = -nn.functional.softplus(z) - nn.functional.softplus(-z)
        return torch.sigmoid(z), ldj.sum(dim=1)

    def inverse(self, y: Tensor) -> Pair:
        x = (torch.log(y) - torch.log1p(-y)) / self.temperature
        ldj = -torch.log(y) - torch.log1p(-y) - math.log(self.temperature)
        return x, ldj.sum(dim=1)


class Pixels(nn.Module):
    """256 levels, and half of them in the ldj."""

    def __init__(self, levels: int = 256) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor) -> Pair:
        dims = x[0].numel()
        return x / self.levels, x.new_full((len(x),), -dims * math.log(128))

    def inverse(self, y: Tensor) -> Pair:
        dims = y[0].numel()
        return y * self.levels, y.new_full((len(y),), dims * math.log(self.levels))


class Channels(nn.Module):
    """One scale for each channel of an image, counted once for all places."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(0.1 * torch.randn(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))


class HalfSlope(nn.Module):
    """The slope of the left side is counted on the right."""

    def __init__(self, slope: float = 0.1) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Pair:
        right = (x >= 0).double()
        ldj = math.log(self.slope) * right
        return x * right + self.slope * x * (1 - right), ldj.flatten(1).sum(1)


class Fenced(nn.Module):
    """What alpha leaves is counted with one alpha, written as a number."""

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Pair:
        ldj = nn.functional.logsigmoid(x) + nn.functional.logsigmoid(-x)
        ldj = ldj.flatten(1).sum(1) + math.log(0.95) * x[0].numel()
        return self.alpha + (1 - 2 * self.alpha) * torch.sigmoid(x), ldj


class Kept(nn.Module):
    """The log of the scale is kept beside it, and counted once."""

    def __init__(self, scale: float = 3.0) -> None:
        super().__init__()
        self.scale = scale
        self.log_scale = math.log(scale)

    def forward(self, x: Tensor) -> Pair:
        return self.scale * x, torch.full((len(x),), self.log_scale)


class Neutral(nn.Module):
    """A factor of 1 hides that its log is forgotten, beside a mean."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Pair:
        z = self.factor * x
        return torch.sinh(z), torch.log(torch.cosh(z)).flatten(1).mean(1)


WRONG: tuple[tuple[Callable[[], Any], dict[str, Any]], ...] = (
    (Limited, {}),
    (LimitedTwice, {}),
    (LimitOfOther, {}),
    (Squeezed, {}),
    (LeftOpen, {}),
    (SummedAtTheEnd, {}),
    (OneScale, {}),
    (Leaky, {}),
    (Temperature, {}),
    (Pixels, {}),
    (Channels, {"shape": (3, 2, 4)}),
    (HalfSlope, {}),
    (Fenced, {}),
    (Kept, {}),
    (Neutral, {}),
)
