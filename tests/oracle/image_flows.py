"""Flows of images as they are trained: of several scales, with convolutional networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

Pair = tuple[Tensor, Tensor]


class Checkerboard(nn.Module):
    """A coupling by a mask, whose network sees the pixels that stay."""

    mask: Tensor

    def __init__(self, channels: int, side: int, hidden: int, *, odd: bool) -> None:
        super().__init__()
        place = torch.arange(side)
        board = (place[:, None] + place) % 2 == int(odd)
        self.register_buffer("mask", board.float())
        self.net = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1), nn.ELU(),
            nn.Conv2d(hidden, hidden, 1), nn.ELU(),
            nn.Conv2d(hidden, 2 * channels, 3, padding=1),
        )  # fmt: skip

    def parameters_of(self, x: Tensor) -> Pair:
        s, t = self.net(x * self.mask).chunk(2, dim=1)
        return torch.tanh(s) * (1 - self.mask), t * (1 - self.mask)

    def total(self, s: Tensor) -> Tensor:
        return s.sum(dim=(1, 2, 3))

    def forward(self, x: Tensor) -> Pair:
        s, t = self.parameters_of(x)
        return (x + t) * torch.exp(s), self.total(s)

    def inverse(self, y: Tensor) -> Pair:
        s, t = self.parameters_of(y)
        return y * torch.exp(-s) - t, -s.sum(dim=(1, 2, 3))


class FlippedCheckerboard(Checkerboard):
    def total(self, s: Tensor) -> Tensor:
        return -s.sum(dim=(1, 2, 3))


class ActNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(0.1 * torch.randn(channels, 1, 1))
        self.log_scale = nn.Parameter(0.1 * torch.randn(channels, 1, 1))

    def pixels(self, x: Tensor) -> int:
        return x.shape[2] * x.shape[3]

    def forward(self, x: Tensor) -> Pair:
        total = self.log_scale.sum() * self.pixels(x)
        return (x + self.loc) * torch.exp(self.log_scale), total.expand(len(x))


class ActNormOfOnePixel(ActNorm):
    def pixels(self, x: Tensor) -> int:
        return 1


class Convolution1x1(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])

    def forward(self, x: Tensor) -> Pair:
        y = torch.einsum("ij,bjhw->bihw", self.weight, x)
        total = torch.linalg.slogdet(self.weight)[1] * x.shape[2] * x.shape[3]
        return y, total.expand(len(x))


class Channelwise(nn.Module):
    """A coupling of the halves of the channels."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        half = channels // 2
        self.net = nn.Sequential(
            nn.Conv2d(half, hidden, 3, padding=1), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1), nn.ReLU(),
            nn.Conv2d(hidden, 2 * (channels - half), 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s)
        return torch.cat([a, b * torch.exp(s) + t], dim=1), s.sum(dim=(1, 2, 3))


class InTurn(nn.Module):
    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Pair:
        total = x.new_zeros(len(x))
        for part in self.parts:
            x, ldj = part(x)
            total = total + ldj
        return x, total

    def inverse(self, y: Tensor) -> Pair:
        total = y.new_zeros(len(y))
        for part in reversed(self.parts):
            y, ldj = part.inverse(y)  # type: ignore[operator]  # each has one
            total = total + ldj
        return y, total


class Squeeze(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return functional.pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Pair:
        return functional.pixel_shuffle(y, 2), y.new_zeros(len(y))


def several_scales(
    side: int, hidden: int, kind: type[Checkerboard] = Checkerboard
) -> InTurn:
    """Return 4 + 2 + 2 couplings with squeezes between; one of them is of a kind."""
    torch.manual_seed(0)
    first = [Checkerboard(1, side, hidden, odd=bool(i % 2)) for i in range(4)]
    second = [
        Checkerboard(4, side // 2, hidden, odd=False),
        kind(4, side // 2, hidden, odd=True),
    ]
    third = [Checkerboard(16, side // 4, hidden, odd=bool(i)) for i in range(2)]
    return InTurn(*first, Squeeze(), *second, Squeeze(), *third)


class Glow(nn.Module):
    """Levels of steps, behind each of which half of the channels leave."""

    def __init__(
        self,
        levels: int = 3,
        steps: int = 8,
        hidden: int = 64,
        kind: type[ActNorm] = ActNorm,
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.levels, channels = nn.ModuleList(), 3
        for level in range(levels):
            channels *= 4
            kinds = [kind if (level, i) == (1, 3) else ActNorm for i in range(steps)]
            self.levels.append(
                InTurn(
                    *(
                        InTurn(
                            each(channels),
                            Convolution1x1(channels),
                            Channelwise(channels, hidden),
                        )
                        for each in kinds
                    )
                )
            )
            channels //= 2

    def forward(self, x: Tensor) -> Pair:
        done, total = [], x.new_zeros(len(x))
        for level in self.levels:
            x, ldj = level(functional.pixel_unshuffle(x, 2))
            total = total + ldj
            x, left = x.chunk(2, dim=1)
            done.append(left.flatten(1))
        return torch.cat([*done, x.flatten(1)], dim=1), total
