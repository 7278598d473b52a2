"""The lesson on deriving an ldj: a dequantization without one, and why its terms count so."""

from __future__ import annotations

COMMAND = "ldjcheck derive flow.py:Dequantization --shape 1,4,4"

SOURCE = """\
import math

import torch
from torch import nn


class Dequantization(nn.Module):
    # Integers to real numbers: noise, the unit interval, a logit.
    def __init__(self, quants=256, alpha=0.05):
        super().__init__()
        self.quants = quants
        self.alpha = alpha

    def forward(self, x):
        z = (x + torch.rand_like(x)) / self.quants
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        return torch.log(z) - torch.log(1 - z)
"""

WHY = (
    "A determinant of a diagonal matrix is the product of its diagonal, so its "
    "logarithm is a sum with one addend for each of the D = C * H * W dims.",
    "Dividing by quants puts the same 1 / quants at every place of the diagonal. In "
    "code that is one number, which no sum runs over: the count has to be written, "
    "log(quants) times the number of dims. So it is with 1 - alpha.",
    "The logit has another derivative at every entry. Its logarithms are a tensor of D "
    "entries for each sample, and the sum over these does the counting: one more "
    "factor D would count them twice.",
)
