"""A scale and a shift per channel: accumulators, `f(x, logdet=None, reverse)`."""

import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class ActNorm(nn.Module):
    """Scale and shift every channel of an image."""

    def __init__(self, channels=2):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.logs = nn.Parameter(torch.linspace(-0.5, 0.9, channels).view(1, -1, 1, 1))

    def forward(self, x, logdet, reverse=False):
        height, width = x.shape[2:]
        dlogdet = self.logs.sum() * height * width
        if reverse:
            return x * torch.exp(-self.logs) - self.bias, logdet - dlogdet
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet


class ActNormPerChannel(ActNorm):
    """The log-scales are summed over channels, and pixels are forgotten."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        dlogdet = self.logs.sum()
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet


class ActNormHeightOnly(ActNorm):
    """Rows are counted, columns are not."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        dlogdet = self.logs.sum() * x.shape[2]
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet


class ActNormChannelsTwice(ActNorm):
    """The sum over channels is multiplied by their number once more."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        dlogdet = self.logs.sum() * x[0].numel()
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet


class ActNormMean(ActNorm):
    """The log-scales are averaged over the channels."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        height, width = x.shape[2:]
        dlogdet = self.logs.mean() * height * width
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet


class ActNormSubtracts(ActNorm):
    """The ldj is subtracted on the way that multiplies."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        height, width = x.shape[2:]
        dlogdet = self.logs.sum() * height * width
        return (x + self.bias) * torch.exp(self.logs), logdet - dlogdet


class ActNormCountsTheShift(ActNorm):
    """The shift is counted too, though it moves no volume."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        height, width = x.shape[2:]
        dlogdet = (self.logs + self.bias).sum() * height * width
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet


class ActNormReverseAdds(ActNorm):
    """The way back adds what it should take away."""

    def forward(self, x, logdet, reverse=False):
        if not reverse:
            return super().forward(x, logdet)
        height, width = x.shape[2:]
        dlogdet = self.logs.sum() * height * width
        return x * torch.exp(-self.logs) - self.bias, logdet + dlogdet


class ActNormReverseShiftsFirst(ActNorm):
    """The way back takes the shift away before it undoes the scale."""

    def forward(self, x, logdet, reverse=False):
        if not reverse:
            return super().forward(x, logdet)
        height, width = x.shape[2:]
        dlogdet = self.logs.sum() * height * width
        return (x - self.bias) * torch.exp(-self.logs), logdet - dlogdet


class ActNormOverwrites(ActNorm):
    """The incoming ldj is replaced, not added to."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        height, width = x.shape[2:]
        logdet = self.logs.sum().expand(len(x)) * height * width
        return (x + self.bias) * torch.exp(self.logs), logdet


class DataDependentActNorm(nn.Module):
    """Take scale and shift from the first batch, and learn them from there."""

    def __init__(self, channels=2):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.logs = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("initialised", torch.tensor(False))

    def initialise(self, x):
        self.bias.data.copy_(-x.mean(dim=[0, 2, 3], keepdim=True))
        self.logs.data.copy_(-torch.log(x.std(dim=[0, 2, 3], keepdim=True) + 1e-6))
        self.initialised.fill_(True)

    def forward(self, x, logdet, reverse=False):
        if not self.initialised:
            self.initialise(x)
        dlogdet = self.logs.sum() * x.shape[2] * x.shape[3]
        if reverse:
            return x * torch.exp(-self.logs) - self.bias, logdet - dlogdet
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet


class InitialisedEveryTime(DataDependentActNorm):
    """The flag is never set: every call takes scale and shift anew."""

    def initialise(self, x):
        self.bias.data.copy_(-x.mean(dim=[0, 2, 3], keepdim=True))
        self.logs.data.copy_(-torch.log(x.std(dim=[0, 2, 3], keepdim=True) + 1e-6))


class PixelNorm(nn.Module):
    """A scale for each entry of the image: here the sum is enough."""

    def __init__(self, channels=2, height=3, width=4):
        super().__init__()
        start = torch.linspace(-0.5, 0.9, channels * height * width)
        self.logs = nn.Parameter(start.view(1, channels, height, width))

    def forward(self, x, logdet, reverse=False):
        dlogdet = self.logs.sum()
        if reverse:
            return x * torch.exp(-self.logs), logdet - dlogdet
        return x * torch.exp(self.logs), logdet + dlogdet


class SequenceNorm(nn.Module):
    """A scale per channel of a sequence (channels, time)."""

    def __init__(self, channels=3):
        super().__init__()
        self.logs = nn.Parameter(torch.linspace(-0.5, 0.9, channels).view(1, -1, 1))

    def forward(self, x, logdet, reverse=False):
        dlogdet = self.logs.sum() * x.shape[2]
        if reverse:
            return x * torch.exp(-self.logs), logdet - dlogdet
        return x * torch.exp(self.logs), logdet + dlogdet


class SequenceNormOnce(SequenceNorm):
    """The frames of the sequence are not counted."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        dlogdet = self.logs.sum()
        return x * torch.exp(self.logs), logdet + dlogdet


ANIMALS = family(
    "actnorm",
    (2, 3, 4),
    right(ActNorm, "LDJ113"),
    wrong("LDJ102", ActNormPerChannel),
    wrong("LDJ103", ActNormHeightOnly),
    wrong("LDJ103", ActNormChannelsTwice),
    wrong("LDJ105", ActNormMean),
    wrong("LDJ104", ActNormSubtracts),
    wrong("LDJ111", ActNormCountsTheShift),
    wrong("LDJ302", ActNormReverseAdds, "inverse"),
    wrong("LDJ301", ActNormReverseShiftsFirst, None),
    wrong("LDJ204", ActNormOverwrites),
    right(DataDependentActNorm, "LDJ209", admits=("LDJ209",)),
    wrong("LDJ209", InitialisedEveryTime, None),
    right(PixelNorm, "LDJ102"),
    right(SequenceNorm, shape=(3, 5)),
    wrong("LDJ102", SequenceNormOnce, shape=(3, 5)),
)
