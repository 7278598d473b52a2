"""LDJ006: no input shape or domain was found that the layer takes.

The layer says too little about the inputs that it takes, and every shape and
domain that was tried raised an exception.

For example:
    import torch
    from torch import nn

    class Grid(nn.Module):
        # Double a grid of 33 by 7 numbers, given as one row.
        def forward(self, x):
            z = x.reshape(len(x), 33, 7)
            return 2 * z, torch.zeros(len(x))

Run:
    ldjcheck flow.py:Grid

You see:
    None of the 49 input shapes that I tried works.

    (4,), (6,), (2,) and 46 more: RuntimeError: shape '[3, 33, 7]' is invalid for
    input of size 12, in line 8
    Say the shape of one sample, without the batch: --shape 1,4,4

What to do:
    Say the shape of one sample, without the batch: `--shape 231` here. If it is the
    values that the layer refuses: `--domain unit`, `--domain int:0:255`.

Easily confused with:
    LDJ005: one input was found, and a later call raises
    LDJ003: the layer was not even built
"""

from ldjcheck.mistakes.catalogue import Page, Rule

RULE = Rule(
    code="LDJ006",
    name="no-working-input",
    summary="no input was found that it takes",
    page=Page.read(__doc__),
)
