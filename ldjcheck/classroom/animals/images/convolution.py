"""Channels mixed by a matrix: pairs with a `reverse` flag, in the manner of Glow."""

import torch
import torch.nn.functional as F
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class Invertible1x1(nn.Module):
    """Mix the channels of every pixel by one matrix."""

    def __init__(self, channels=2):
        super().__init__()
        start = torch.eye(channels).flip(0) + 0.3 * torch.ones(channels, channels)
        self.weight = nn.Parameter(start)

    def forward(self, x, reverse=False):
        height, width = x.shape[2:]
        log_det = torch.linalg.slogdet(self.weight)[1] * height * width
        if reverse:
            inverse = torch.inverse(self.weight)[:, :, None, None]
            return F.conv2d(x, inverse), -log_det.expand(len(x))
        y = F.conv2d(x, self.weight[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1OnePixel(Invertible1x1):
    """log|det W| is counted for one pixel only."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        log_det = torch.linalg.slogdet(self.weight)[1]
        y = F.conv2d(x, self.weight[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1CountsChannels(Invertible1x1):
    """log|det W| is counted for each channel of each pixel."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        log_det = torch.linalg.slogdet(self.weight)[1] * x[0].numel()
        y = F.conv2d(x, self.weight[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1Signed(Invertible1x1):
    """`torch.logdet` is NaN for a matrix that turns space around."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        height, width = x.shape[2:]
        log_det = torch.logdet(self.weight) * height * width
        y = F.conv2d(x, self.weight[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1Unlogged(Invertible1x1):
    """|det W| is counted, not its logarithm."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        height, width = x.shape[2:]
        log_det = torch.det(self.weight).abs() * height * width
        y = F.conv2d(x, self.weight[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1Base10(Invertible1x1):
    """The logarithm of |det W| has base 10."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        height, width = x.shape[2:]
        log_det = torch.log10(torch.det(self.weight).abs()) * height * width
        y = F.conv2d(x, self.weight[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1Turned(Invertible1x1):
    """The ldj is that of the inverse matrix."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        height, width = x.shape[2:]
        log_det = -torch.linalg.slogdet(self.weight)[1] * height * width
        y = F.conv2d(x, self.weight[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1CountsTheBatch(Invertible1x1):
    """The count of pixels includes those of the other images."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        batch, _, height, width = x.shape
        log_det = torch.linalg.slogdet(self.weight)[1] * batch * height * width
        y = F.conv2d(x, self.weight[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1ReverseRepeats(Invertible1x1):
    """The way back has the ldj of the way there."""

    def forward(self, x, reverse=False):
        if not reverse:
            return super().forward(x)
        height, width = x.shape[2:]
        log_det = torch.linalg.slogdet(self.weight)[1] * height * width
        inverse = torch.inverse(self.weight)[:, :, None, None]
        return F.conv2d(x, inverse), log_det.expand(len(x))


class Conv1x1Transposed(Invertible1x1):
    """The way back uses the transpose: right only while the matrix is orthogonal."""

    def forward(self, x, reverse=False):
        if not reverse:
            return super().forward(x)
        height, width = x.shape[2:]
        log_det = torch.linalg.slogdet(self.weight)[1] * height * width
        y = F.conv2d(x, self.weight.t()[:, :, None, None])
        return y, log_det.expand(len(x))


class Conv1x1OneNumber(Invertible1x1):
    """One number for the whole batch: right, but no entry per sample."""

    def forward(self, x, reverse=False):
        height, width = x.shape[2:]
        log_det = torch.linalg.slogdet(self.weight)[1] * height * width
        if reverse:
            inverse = torch.inverse(self.weight)[:, :, None, None]
            return F.conv2d(x, inverse), -log_det
        return F.conv2d(x, self.weight[:, :, None, None]), log_det


class FactoredConv1x1(nn.Module):
    """The matrix is a permutation times two triangles: only a diagonal counts."""

    def __init__(self, channels=3):
        super().__init__()
        self.register_buffer("permutation", torch.eye(channels).flip(0))
        self.lower = nn.Parameter(0.2 * torch.ones(channels, channels))
        self.upper = nn.Parameter(0.3 * torch.ones(channels, channels))
        self.log_diagonal = nn.Parameter(torch.linspace(-0.4, 0.7, channels))

    def matrix(self):
        eye = torch.eye(len(self.lower), dtype=self.lower.dtype)
        upper = torch.triu(self.upper, 1) + torch.diag(self.log_diagonal.exp())
        return self.permutation @ (torch.tril(self.lower, -1) + eye) @ upper

    def forward(self, x, reverse=False):
        log_det = self.log_diagonal.sum() * x.shape[2] * x.shape[3]
        if reverse:
            inverse = torch.inverse(self.matrix())[:, :, None, None]
            return F.conv2d(x, inverse), -log_det.expand(len(x))
        y = F.conv2d(x, self.matrix()[:, :, None, None])
        return y, log_det.expand(len(x))


class FactoredOnePixel(FactoredConv1x1):
    """The diagonal is counted for one pixel only."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        log_det = self.log_diagonal.sum()
        y = F.conv2d(x, self.matrix()[:, :, None, None])
        return y, log_det.expand(len(x))


class FactoredUnlogged(FactoredConv1x1):
    """The diagonal is summed as it stands in the matrix, without a log."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        log_det = self.log_diagonal.exp().sum() * x.shape[2] * x.shape[3]
        y = F.conv2d(x, self.matrix()[:, :, None, None])
        return y, log_det.expand(len(x))


class FactoredSumsAll(FactoredConv1x1):
    """The whole upper triangle is summed, not only its diagonal."""

    def forward(self, x, reverse=False):
        if reverse:
            return super().forward(x, reverse)
        upper = torch.triu(self.upper, 1).sum() + self.log_diagonal.sum()
        log_det = upper * x.shape[2] * x.shape[3]
        y = F.conv2d(x, self.matrix()[:, :, None, None])
        return y, log_det.expand(len(x))


ANIMALS = family(
    "convolution",
    (2, 3, 4),
    right(Invertible1x1, "LDJ109"),
    wrong("LDJ102", Conv1x1OnePixel),
    wrong("LDJ103", Conv1x1CountsChannels),
    wrong("LDJ109", Conv1x1Signed),
    wrong("LDJ108", Conv1x1Unlogged),
    wrong("LDJ107", Conv1x1Base10),
    wrong("LDJ104", Conv1x1Turned),
    wrong("LDJ103", Conv1x1CountsTheBatch, ties=("LDJ106",)),
    wrong("LDJ302", Conv1x1ReverseRepeats, "inverse"),
    wrong("LDJ301", Conv1x1Transposed, None),
    wrong("LDJ203", Conv1x1OneNumber, "forward"),
    right(FactoredConv1x1, "LDJ108", shape=(3, 2, 4)),
    wrong("LDJ102", FactoredOnePixel, shape=(3, 2, 4)),
    wrong("LDJ108", FactoredUnlogged, shape=(3, 2, 4)),
    wrong("LDJ111", FactoredSumsAll, shape=(3, 2, 4)),
)
