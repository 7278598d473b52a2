"""Dequantization: from whole numbers to the real line, and back."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dequantization(nn.Module):
    """Turn the whole numbers 0, ..., quants - 1 into real numbers a flow can work on.

    An entry x becomes, with fresh noise u from [0, 1)::

        v = (x + u) / quants                   in [0, 1)
        s = (1 - alpha) * v + alpha / 2        in (0, 1), away from both ends
        z = log(s) - log(1 - s)                on the real line

    Noise and x are added, so the map from u to z is the one whose volume counts. Each
    of the D entries of a sample is mapped on its own: the Jacobian is diagonal, and its
    log-determinant is a sum over D entries::

        log|det dz/du| = D * (log(1 - alpha) - log(quants)) - sum(log(s) + log(1 - s))

    The first two terms do not depend on the data, so they must be multiplied by D; the
    last one is already summed over the D entries.

    Args:
        alpha: How far values are kept away from 0 and 1 before the logit.
        quants: How many whole numbers there are; 256 for 8-bit images.
    """

    def __init__(self, alpha: float = 1e-5, quants: int = 256) -> None:
        super().__init__()
        self.alpha = alpha
        self.quants = quants

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the mapped `z` and the running total `ldj`.

        `z` has the shape `(batch, *event)`. `ldj` has the shape `(batch,)`, is in nats,
        and is changed in place.
        """
        if not reverse:
            z, ldj = self.dequant(z, ldj)
            z, ldj = self.sigmoid(z, ldj, reverse=True)
        else:
            z, ldj = self.sigmoid(z, ldj)
            z, ldj = self.dequant(z, ldj, reverse=True)
        return z, ldj

    def dequant(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return whole numbers spread over [0, 1), or gathered up again in reverse."""
        if not reverse:
            z = z.to(torch.float32)
            z = (z + torch.rand_like(z)) / self.quants
            ldj -= np.log(self.quants) * np.prod(z.shape[1:])
        else:
            z = z * self.quants
            ldj += np.log(self.quants) * np.prod(z.shape[1:])
            z = torch.floor(z).clamp(min=0, max=self.quants - 1).to(torch.int32)
        return z, ldj

    def sigmoid(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the sigmoid of `z`, stretched to [0, 1]; in reverse, the logit.

        `ldj` receives the log-derivative, summed over all axes but the batch.
        """
        if not reverse:
            ldj += (-z - 2 * F.softplus(-z)).flatten(1).sum(dim=1)
            z = torch.sigmoid(z)
            z = (z - 0.5 * self.alpha) / (1 - self.alpha)
            ldj -= np.log(1 - self.alpha) * np.prod(z.shape[1:])
        else:
            z = z * (1 - self.alpha) + 0.5 * self.alpha
            ldj += np.log(1 - self.alpha) * np.prod(z.shape[1:])
            ldj += (-torch.log(z) - torch.log(1 - z)).flatten(1).sum(dim=1)
            z = torch.log(z) - torch.log(1 - z)
        return z, ldj
