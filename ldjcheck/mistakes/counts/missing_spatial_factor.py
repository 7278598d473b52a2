"""LDJ102: a term counts once per channel, not once per pixel or time step.

One number per channel acts on every pixel (or every time step), but its
logarithm is counted once, as if the image had one pixel.

The rule:
    y[c,h,w] = s[c] * x[c,h,w]   =>   log|det J| = H * W * sum_c log|s[c]|
    A 1x1 convolution with the matrix A: H * W * log|det A|. Sequences: T times.

How it shows:
    reported - exact = (1 - H*W) * sum_c log|s[c]|: right on 1x1 images, growing
    with the image, the same for every sample. At initial values, where s = 1 or
    A is a rotation, it is 0 and nothing shows.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class ActNorm(nn.Module):
         # Scale and shift each channel of an image.
         def __init__(self, channels=3):
             super().__init__()
             self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))
             self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

         def forward(self, x):
             y = x * self.log_scale.exp() + self.shift
    -        ldj = self.log_scale.sum().expand(len(x))
    +        pixels = x.shape[2] * x.shape[3]
    +        ldj = (pixels * self.log_scale.sum()).expand(len(x))
             return y, ldj

What it costs:
    (1 - 1/(H*W)) times the mean over channels of log2|s[c]|.

Question:
    How many numbers of one image are scaled by the factor of one channel? Where does
    your ldj know of them?

Easily confused with:
    LDJ101: the channels are missing too: the term is one number
    LDJ103: H*W stands where H*W*C belongs, or the batch is counted
"""

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import is_turned, named
from ldjcheck.mistakes.engine.kinds import SPATIAL, SPATIAL_EACH_TIME
from ldjcheck.mistakes.rewriting.factors import counted
from ldjcheck.records import Explanation


def _tell(e: Explanation) -> str:
    assert e.multiplier is not None
    where = "time step" if e.multiplier.above == ("T",) else "pixel"
    where += " of each frame" * ("T" in e.multiplier.above[:-1])
    turned = ", and with the wrong sign" * is_turned(e)
    return f"{named(e, start=True)} counts once, not once per {where}{turned}."


RULE = Rule(
    code="LDJ102",
    name="missing-spatial-factor",
    summary="counted once, not per pixel or step",
    page=Page.read(__doc__, shape=(3, 4, 5)),
    claims=(Claim(SPATIAL, mend=(counted,)), Claim(SPATIAL_EACH_TIME, mend=(counted,))),
    tell=_tell,
)
