"""LDJ004: how the layer is called, or what it returns, is not understood.

The layer was built, but how it is called, or which part of what it returns is
the ldj, is not understood.

For example:
    from torch import nn

    class Scale(nn.Module):
        # Double everything, and say nothing about it.
        def forward(self, x):
            return 2 * x

Run:
    ldjcheck flow.py:Scale --shape 4

You see:
    I can call this layer, but what it returns holds no output and ldj.

    tried  f(x) -> y, ldj; way back: none found
    got    an output of shape (3, 4) and no ldj

What to do:
    Return y and its ldj, or name the convention that the layer follows with
    `--convention`. Of an object that wraps a flow, name the flow inside it:
    `flow.py:Model().transform`.

Easily confused with:
    LDJ119: an ldj is returned, and it is 0
    LDJ006: the layer never got as far as returning
"""

from ldjcheck.mistakes.catalogue import Page, Rule

RULE = Rule(
    code="LDJ004",
    name="convention-unrecognised",
    summary="its call or result is not understood",
    page=Page.read(__doc__),
)
