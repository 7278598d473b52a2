"""Activation normalisation: a scale and a shift per channel, set by the first batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ActNorm(nn.Module):
    """Scale and shift every channel of an image.

    With a log-scale a and a shift b per channel::

        y = (x + b) * exp(a)
        log|det dy/dx| = H * W * sum(a)

    A channel's scale acts on each of its H * W entries, hence the factor. The first
    batch sets a and b so that every channel leaves with mean 0 and deviation 1.

    Args:
        channels: How many channels an image has.

    Source: Kingma and Dhariwal, "Glow: generative flow with invertible 1x1
    convolutions", 2018.
    """

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.channels = channels
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("initialised", torch.tensor(False))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set scale and shift from the batch `x` of shape `(batch, channels, H, W)`."""
        deviation = x.std(dim=(0, 2, 3), keepdim=True)
        self.shift.copy_(-x.mean(dim=(0, 2, 3), keepdim=True))
        self.log_scale.copy_(-torch.log(deviation + 1e-6))
        self.initialised.fill_(True)

    def ldj(self, x: Tensor) -> Tensor:
        """Return log|det dy/dx| for each sample of `x`: shape `(batch,)`, in nats."""
        height, width = x.shape[2:]
        return (height * width * self.log_scale.sum()).expand(x.shape[0])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `y` of the shape of `x`, and log|det dy/dx| of shape `(batch,)`."""
        if not self.initialised:
            self.initialise(x)
        return (x + self.shift) * torch.exp(self.log_scale), self.ldj(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return `x` of the shape of `y`, and log|det dx/dy| of shape `(batch,)`."""
        return y * torch.exp(-self.log_scale) - self.shift, -self.ldj(y)
