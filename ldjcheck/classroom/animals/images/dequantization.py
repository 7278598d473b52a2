"""From whole numbers to real ones: accumulators, `f(z, ldj, reverse) -> z, ldj`."""

import numpy as np
import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class Dequantization(nn.Module):
    """Spread 0, ..., quants - 1 over the unit interval with noise, then to the reals."""

    def __init__(self, alpha=0.05, quants=16):
        super().__init__()
        self.alpha = alpha
        self.quants = quants

    def forward(self, z, ldj, reverse=False):
        if not reverse:
            z, ldj = self.dequant(z, ldj)
            z, ldj = self.logit(z, ldj)
        else:
            z, ldj = self.sigmoid(z, ldj)
            z, ldj = self.quantize(z, ldj)
        return z, ldj

    def dequant(self, z, ldj):
        z = (z + torch.rand_like(z)) / self.quants
        ldj = ldj - np.log(self.quants) * np.prod(z.shape[1:])
        return z, ldj

    def quantize(self, z, ldj):
        z = torch.floor(z * self.quants).clamp(0, self.quants - 1)
        ldj = ldj + np.log(self.quants) * np.prod(z.shape[1:])
        return z, ldj

    def logit(self, z, ldj):
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        ldj = ldj + np.log(1 - self.alpha) * np.prod(z.shape[1:])
        ldj = ldj + (-torch.log(z) - torch.log(1 - z)).sum(dim=[1, 2, 3])
        z = torch.log(z) - torch.log(1 - z)
        return z, ldj

    def sigmoid(self, z, ldj):
        z = torch.sigmoid(z)
        ldj = ldj + (torch.log(z) + torch.log(1 - z)).sum(dim=[1, 2, 3])
        z = (z - 0.5 * self.alpha) / (1 - self.alpha)
        ldj = ldj - np.log(1 - self.alpha) * np.prod(z.shape[1:])
        return z, ldj


class QuantsCountedOnce(Dequantization):
    """log(quants) is counted once for the whole image."""

    def dequant(self, z, ldj):
        z = (z + torch.rand_like(z)) / self.quants
        ldj = ldj - np.log(self.quants)
        return z, ldj


class QuantsCountTheBatch(Dequantization):
    """log(quants) is counted for every number of the batch."""

    def dequant(self, z, ldj):
        z = (z + torch.rand_like(z)) / self.quants
        ldj = ldj - np.log(self.quants) * np.prod(z.shape)
        return z, ldj


class QuantsCountNoChannels(Dequantization):
    """log(quants) is counted per pixel, and channels are forgotten."""

    def dequant(self, z, ldj):
        z = (z + torch.rand_like(z)) / self.quants
        ldj = ldj - np.log(self.quants) * np.prod(z.shape[2:])
        return z, ldj


class QuantsAdded(Dequantization):
    """log(quants) is added although the image shrinks."""

    def dequant(self, z, ldj):
        z = (z + torch.rand_like(z)) / self.quants
        ldj = ldj + np.log(self.quants) * np.prod(z.shape[1:])
        return z, ldj


class QuantsInBits(Dequantization):
    """log(quants) is counted in bits."""

    def dequant(self, z, ldj):
        z = (z + torch.rand_like(z)) / self.quants
        ldj = ldj - np.log2(self.quants) * np.prod(z.shape[1:])
        return z, ldj


class QuantsForgotten(Dequantization):
    """The division by quants has no term."""

    def dequant(self, z, ldj):
        z = (z + torch.rand_like(z)) / self.quants
        return z, ldj


class AlphaForgotten(Dequantization):
    """The scale 1 - alpha has no term."""

    def logit(self, z, ldj):
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        ldj = ldj + (-torch.log(z) - torch.log(1 - z)).sum(dim=[1, 2, 3])
        z = torch.log(z) - torch.log(1 - z)
        return z, ldj


class AlphaCountedOnce(Dequantization):
    """log(1 - alpha) is counted once for the whole image."""

    def logit(self, z, ldj):
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        ldj = ldj + np.log(1 - self.alpha)
        ldj = ldj + (-torch.log(z) - torch.log(1 - z)).sum(dim=[1, 2, 3])
        z = torch.log(z) - torch.log(1 - z)
        return z, ldj


class LogitAveraged(Dequantization):
    """The logit's derivative is averaged over the image."""

    def logit(self, z, ldj):
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        ldj = ldj + np.log(1 - self.alpha) * np.prod(z.shape[1:])
        ldj = ldj + (-torch.log(z) - torch.log(1 - z)).mean(dim=[1, 2, 3])
        z = torch.log(z) - torch.log(1 - z)
        return z, ldj


class LogitOverTheBatch(Dequantization):
    """The logit's derivative is summed over the batch as well."""

    def logit(self, z, ldj):
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        ldj = ldj + np.log(1 - self.alpha) * np.prod(z.shape[1:])
        ldj = ldj + (-torch.log(z) - torch.log(1 - z)).sum()
        z = torch.log(z) - torch.log(1 - z)
        return z, ldj


class LogitTurnedAround(Dequantization):
    """The sigmoid's derivative is taken where the logit's is meant."""

    def logit(self, z, ldj):
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        ldj = ldj + np.log(1 - self.alpha) * np.prod(z.shape[1:])
        ldj = ldj + (torch.log(z) + torch.log(1 - z)).sum(dim=[1, 2, 3])
        z = torch.log(z) - torch.log(1 - z)
        return z, ldj


class LogitHalf(Dequantization):
    """Of the logit's derivative one term is lost."""

    def logit(self, z, ldj):
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        ldj = ldj + np.log(1 - self.alpha) * np.prod(z.shape[1:])
        ldj = ldj + (-torch.log(1 - z)).sum(dim=[1, 2, 3])
        z = torch.log(z) - torch.log(1 - z)
        return z, ldj


class SigmoidAfterwards(Dequantization):
    """On the way back the sigmoid's derivative is taken after the stretch."""

    def sigmoid(self, z, ldj):
        z = torch.sigmoid(z)
        z = (z - 0.5 * self.alpha) / (1 - self.alpha)
        ldj = ldj + (torch.log(z) + torch.log(1 - z)).sum(dim=[1, 2, 3])
        ldj = ldj - np.log(1 - self.alpha) * np.prod(z.shape[1:])
        return z, ldj


class QuantizeForgotten(Dequantization):
    """On the way back the multiplication by quants has no term."""

    def quantize(self, z, ldj):
        z = torch.floor(z * self.quants).clamp(0, self.quants - 1)
        return z, ldj


class RoundedNotFloored(Dequantization):
    """The way back rounds to the nearest number: half of the pixels move up."""

    def quantize(self, z, ldj):
        z = torch.round(z * self.quants).clamp(0, self.quants - 1)
        ldj = ldj + np.log(self.quants) * np.prod(z.shape[1:])
        return z, ldj


class UniformDequantization(nn.Module):
    """Spread whole numbers over [0, 1) and stay there."""

    def __init__(self, levels=8):
        super().__init__()
        self.levels = levels

    def forward(self, z, ldj, reverse=False):
        dims = z[0].numel()
        if reverse:
            z = torch.floor(z * self.levels).clamp(0, self.levels - 1)
            return z, ldj + dims * np.log(self.levels)
        z = (z + torch.rand_like(z)) / self.levels
        return z, ldj - dims * np.log(self.levels)


class LevelsCounted(UniformDequantization):
    """The number of levels is counted, not its logarithm."""

    def forward(self, z, ldj, reverse=False):
        dims = z[0].numel()
        if reverse:
            z = torch.floor(z * self.levels).clamp(0, self.levels - 1)
            return z, ldj + dims * np.log(self.levels)
        z = (z + torch.rand_like(z)) / self.levels
        return z, ldj - dims * self.levels


class UnitNoise(nn.Module):
    """Noise from [0, 1) stays inside its whole number."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return torch.floor(z * 256), ldj + np.log(256) * z[0].numel()
        z = (z + torch.rand_like(z)) / 256
        return z, ldj - np.log(256) * z[0].numel()


class WideNoise(UnitNoise):
    """Noise from [0, 1.5) runs into the next whole number."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        z = (z + 1.5 * torch.rand_like(z)) / 256
        return z, ldj + (np.log(1.5) - np.log(256)) * z[0].numel()


class NormalNoise(UnitNoise):
    """Noise is drawn from a normal distribution, which has no bounds."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        z = (z + torch.randn_like(z)) / 256
        return z, ldj - np.log(256) * z[0].numel()


class CentredDequantization(nn.Module):
    """Noise from [0, 1), then scaled to [-1, 1): a factor 2 / levels per dim."""

    def __init__(self, levels=8):
        super().__init__()
        self.levels = levels

    def forward(self, z, ldj, reverse=False):
        log_scale = (np.log(2) - np.log(self.levels)) * z[0].numel()
        if reverse:
            z = torch.floor((z + 1) / 2 * self.levels).clamp(0, self.levels - 1)
            return z, ldj - log_scale
        z = 2 * (z + torch.rand_like(z)) / self.levels - 1
        return z, ldj + log_scale


class TwoForgotten(CentredDequantization):
    """The stretch by 2 has no term, only the division by the levels."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        z = 2 * (z + torch.rand_like(z)) / self.levels - 1
        return z, ldj - np.log(self.levels) * z[0].numel()


ANIMALS = family(
    "dequantization",
    (2, 3, 4),
    right(Dequantization),
    wrong("LDJ101", QuantsCountedOnce),
    wrong("LDJ103", QuantsCountTheBatch, ties=("LDJ106",)),
    wrong("LDJ103", QuantsCountNoChannels),
    wrong("LDJ104", QuantsAdded),
    wrong("LDJ107", QuantsInBits),
    wrong("LDJ110", QuantsForgotten),
    wrong("LDJ110", AlphaForgotten),
    wrong("LDJ101", AlphaCountedOnce),
    wrong("LDJ105", LogitAveraged),
    wrong("LDJ106", LogitOverTheBatch),
    wrong("LDJ104", LogitTurnedAround),
    wrong("LDJ110", LogitHalf),
    wrong("LDJ112", SigmoidAfterwards, "inverse"),
    wrong("LDJ110", QuantizeForgotten, "inverse"),
    wrong("LDJ301", RoundedNotFloored, None),
    right(UnitNoise, "LDJ502"),
    wrong("LDJ502", WideNoise),
    wrong("LDJ502", NormalNoise),
    right(UniformDequantization),
    wrong("LDJ108", LevelsCounted),
    right(CentredDequantization, "LDJ102"),
    wrong("LDJ110", TwoForgotten),
)
