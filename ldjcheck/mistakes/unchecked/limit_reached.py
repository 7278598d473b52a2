"""LDJ007: the check would take too much time or memory.

The check would take too much memory, or did take too much time.

For example:
    import math
    import torch
    from torch import nn

    class Double(nn.Module):
        def forward(self, x):
            ldj = x[0].numel() * math.log(2)
            return 2 * x, torch.full((len(x),), ldj)

Run:
    ldjcheck flow.py:Double --shape 3,64,64

You see:
    12288 dims are above the limit of 4096.

    The Jacobian of one sample alone takes 1.2 GB in float64.
    A mistake shows at small sizes too: try --shape 1,4,4

What to do:
    Check at a small shape: what is wrong at 64x64 is wrong at 4x4. Otherwise
    raise the limit: `--dims-limit`, or `--timeout` in seconds.

Easily confused with:
    LDJ005: the layer itself runs out of memory
    LDJ402: the value was computed, and is not exact enough
"""

from ldjcheck.mistakes.catalogue import Page, Rule

RULE = Rule(
    code="LDJ007",
    name="limit-reached",
    summary="too much time or memory",
    page=Page.read(__doc__),
)
