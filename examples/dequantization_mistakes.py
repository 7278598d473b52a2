"""Three dequantization layers with one mistake each.

All three survive the test that most people write: z comes back from a round trip, and
in the first the two log-determinants even cancel.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NoDimsFactor(nn.Module):
    """Count log(quants) once per sample, where it belongs to each of the D entries.

    Both directions lose the same amount, so their sum is still zero.
    """

    def __init__(self, alpha: float = 1e-5, quants: int = 256) -> None:
        super().__init__()
        self.alpha = alpha
        self.quants = quants

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the mapped `z` and the running total `ldj` (batch,), in nats."""
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
            ldj -= np.log(self.quants)
        else:
            z = z * self.quants
            ldj += np.log(self.quants)
            z = torch.floor(z).clamp(min=0, max=self.quants - 1).to(torch.int32)
        return z, ldj

    def sigmoid(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the sigmoid of `z`, stretched to [0, 1]; in reverse, the logit."""
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


class LogitSign(nn.Module):
    """Subtract the log-derivative of the logit, where it has to be added."""

    def __init__(self, alpha: float = 1e-5, quants: int = 256) -> None:
        super().__init__()
        self.alpha = alpha
        self.quants = quants

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the mapped `z` and the running total `ldj` (batch,), in nats."""
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
        """Return the sigmoid of `z`, stretched to [0, 1]; in reverse, the logit."""
        if not reverse:
            ldj += (-z - 2 * F.softplus(-z)).flatten(1).sum(dim=1)
            z = torch.sigmoid(z)
            z = (z - 0.5 * self.alpha) / (1 - self.alpha)
            ldj -= np.log(1 - self.alpha) * np.prod(z.shape[1:])
        else:
            z = z * (1 - self.alpha) + 0.5 * self.alpha
            ldj += np.log(1 - self.alpha) * np.prod(z.shape[1:])
            ldj -= (-torch.log(z) - torch.log(1 - z)).flatten(1).sum(dim=1)
            z = torch.log(z) - torch.log(1 - z)
        return z, ldj


class InverseWithoutAlpha(nn.Module):
    """Undo the alpha scaling on the way back, but not its share of the ldj.

    At the default alpha this is 0.00001 nats an entry: less than float32 resolves.
    """

    def __init__(self, alpha: float = 1e-5, quants: int = 256) -> None:
        super().__init__()
        self.alpha = alpha
        self.quants = quants

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the mapped `z` and the running total `ldj` (batch,), in nats."""
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
        """Return the sigmoid of `z`, stretched to [0, 1]; in reverse, the logit."""
        if not reverse:
            ldj += (-z - 2 * F.softplus(-z)).flatten(1).sum(dim=1)
            z = torch.sigmoid(z)
            z = (z - 0.5 * self.alpha) / (1 - self.alpha)
        else:
            z = z * (1 - self.alpha) + 0.5 * self.alpha
            ldj += np.log(1 - self.alpha) * np.prod(z.shape[1:])
            ldj += (-torch.log(z) - torch.log(1 - z)).flatten(1).sum(dim=1)
            z = torch.log(z) - torch.log(1 - z)
        return z, ldj
