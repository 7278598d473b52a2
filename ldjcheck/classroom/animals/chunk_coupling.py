"""The first half moves the second: pairs with an `inverse`, and a context argument."""

import torch
import torch.nn.functional as F
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class ChunkCoupling(nn.Module):
    """Scale by a sigmoid of the network, and shift."""

    def __init__(self, dims=6):
        super().__init__()
        half = dims // 2
        self.net = nn.Sequential(nn.Linear(half, 8), nn.Tanh(), nn.Linear(8, dims))

    def parameters_of(self, a):
        raw, shift = self.net(a).chunk(2, dim=1)
        return torch.sigmoid(raw + 1.0), shift

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = torch.log(scale).sum(dim=1)
        return outputs, logabsdet

    def inverse(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, (b - shift) / scale], dim=1)
        logabsdet = -torch.log(scale).sum(dim=1)
        return outputs, logabsdet


class ChunkUnlogged(ChunkCoupling):
    """The scales are summed, not their logarithms."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = scale.sum(dim=1)
        return outputs, logabsdet


class ChunkMean(ChunkCoupling):
    """The log-scales of the moved half are averaged."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = torch.log(scale).mean(dim=1)
        return outputs, logabsdet


class ChunkEps(ChunkCoupling):
    """A number against log(0) that the map does not have, and far too large."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = torch.log(scale + 1e-2).sum(dim=1)
        return outputs, logabsdet


class ChunkSmallEps(ChunkCoupling):
    """A number against log(0) that costs next to nothing."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = torch.log(scale + 1e-7).sum(dim=1)
        return outputs, logabsdet


class ChunkSquared(ChunkCoupling):
    """The variance is logged where the deviation is meant."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = torch.log(scale**2).sum(dim=1)
        return outputs, logabsdet


class ChunkHalved(ChunkCoupling):
    """Half of the log-scales, as in a Gaussian's log-density."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = 0.5 * torch.log(scale).sum(dim=1)
        return outputs, logabsdet


class ChunkInBits(ChunkCoupling):
    """The logarithm has base 2."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = torch.log2(scale).sum(dim=1)
        return outputs, logabsdet


class ChunkAbs(ChunkCoupling):
    """The absolute value of the log counts shrinking as growth."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        scale = 2 * scale
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = torch.log(scale).abs().sum(dim=1)
        return outputs, logabsdet

    def inverse(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, (b - shift) / (2 * scale)], dim=1)
        logabsdet = -torch.log(2 * scale).sum(dim=1)
        return outputs, logabsdet


class ChunkColumn(ChunkCoupling):
    """One column (batch, 1) instead of one entry per sample."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        logabsdet = torch.log(scale).sum(dim=1, keepdim=True)
        return outputs, logabsdet


class ChunkUnsummed(ChunkCoupling):
    """The log-scales are returned one by one."""

    def forward(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, b * scale + shift], dim=1)
        return outputs, torch.log(scale)


class ChunkInverseWithoutMinus(ChunkCoupling):
    """The inverse repeats the ldj of the way there."""

    def inverse(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, (b - shift) / scale], dim=1)
        logabsdet = torch.log(scale).sum(dim=1)
        return outputs, logabsdet


class ChunkInverseAddsTheShift(ChunkCoupling):
    """The inverse adds the shift once more."""

    def inverse(self, inputs, context=None):
        a, b = inputs.chunk(2, dim=1)
        scale, shift = self.parameters_of(a)
        outputs = torch.cat([a, (b + shift) / scale], dim=1)
        logabsdet = -torch.log(scale).sum(dim=1)
        return outputs, logabsdet


class ChunkDropout(ChunkCoupling):
    """Dropout in the network that eval does not switch off."""

    def parameters_of(self, a):
        raw, shift = self.net(F.dropout(a, p=0.5)).chunk(2, dim=1)
        return torch.sigmoid(raw + 1.0), shift


class ChunkCentred(ChunkCoupling):
    """The network sees inputs minus the mean of the batch: samples are coupled."""

    def parameters_of(self, a):
        raw, shift = self.net(a - a.mean(dim=0)).chunk(2, dim=1)
        return torch.sigmoid(raw + 1.0), shift


class ChunkStepEps(ChunkCoupling):
    """A small number that the map has as well."""

    def parameters_of(self, a):
        raw, shift = self.net(a).chunk(2, dim=1)
        return torch.sigmoid(raw + 1.0) + 1e-3, shift


class ChunkSoftplus(ChunkCoupling):
    """A softplus for a scale: both signs of log-scale occur."""

    def parameters_of(self, a):
        raw, shift = self.net(a).chunk(2, dim=1)
        return F.softplus(raw + 0.5), shift


class ChunkSinglePrecision(ChunkCoupling):
    """The network's inputs are cast to float32 by hand."""

    def parameters_of(self, a):
        raw, shift = self.net(a.to(torch.float32)).chunk(2, dim=1)
        return torch.sigmoid(raw + 1.0), shift


ANIMALS = family(
    "chunk coupling",
    (6,),
    right(ChunkCoupling),
    wrong("LDJ108", ChunkUnlogged),
    wrong("LDJ105", ChunkMean),
    wrong("LDJ117", ChunkEps),
    wrong("LDJ117", ChunkSmallEps),
    wrong("LDJ114", ChunkSquared),
    wrong("LDJ114", ChunkHalved),
    wrong("LDJ107", ChunkInBits),
    wrong("LDJ115", ChunkAbs),
    wrong("LDJ201", ChunkColumn),
    wrong("LDJ202", ChunkUnsummed),
    wrong("LDJ302", ChunkInverseWithoutMinus, "inverse"),
    wrong("LDJ301", ChunkInverseAddsTheShift, None),
    wrong("LDJ208", ChunkDropout, None),
    wrong("LDJ207", ChunkCentred, None),
    right(ChunkStepEps, "LDJ117"),
    right(ChunkSoftplus, "LDJ115"),
    wrong("LDJ212", ChunkSinglePrecision, None),
)
