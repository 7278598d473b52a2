"""Invertible 1x1 convolution: every pixel's channels are mixed by one square matrix."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InvertibleConvolution(nn.Module):
    """Multiply the channels of every pixel by one matrix W.

    For each of the H * W pixels::

        y[:, h, w] = W @ x[:, h, w]
        log|det dy/dx| = H * W * log|det W|

    Seen as one big matrix the Jacobian has W once per pixel on its diagonal. W starts
    as a random rotation: log|det W| is 0 until the first optimiser step.

    Args:
        channels: How many channels an image has.

    Source: Kingma and Dhariwal, "Glow: generative flow with invertible 1x1
    convolutions", 2018.
    """

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        rotation, _ = torch.linalg.qr(torch.randn(channels, channels))
        self.weight = nn.Parameter(rotation)

    def forward(self, x: Tensor, reverse: bool = False) -> tuple[Tensor, Tensor]:
        """Return the mixed `x` and the call's ldj.

        `x` has the shape `(batch, channels, H, W)`, the ldj the shape `(batch,)`, in
        nats. With `reverse` both are those of the inverse map.
        """
        height, width = x.shape[2:]
        ldj = height * width * torch.linalg.slogdet(self.weight).logabsdet
        if not reverse:
            weight = self.weight
        else:
            weight = torch.linalg.inv(self.weight)
            ldj = -ldj
        return F.conv2d(x, weight[:, :, None, None]), ldj.expand(x.shape[0])
