"""LDJ003: the layer cannot be built without arguments.

The layer's class cannot be built without arguments, and a check builds it
itself. Nothing was run.

For example:
    import torch
    from torch import nn

    class Coupling(nn.Module):
        def __init__(self, net, dims):
            super().__init__()
            self.net, self.dims = net, dims

        def forward(self, x):
            a, b = x.chunk(2, dim=1)
            log_s, t = self.net(a).chunk(2, dim=1)
            y = torch.cat([a, b * log_s.exp() + t], dim=1)
            return y, log_s.sum(dim=1)

Run:
    ldjcheck flow.py:Coupling

You see:
    I can't build Coupling: it needs net and dims.

      Coupling(net, dims)
      defined at flow.py:5

What to do:
    Write the call as you would in the file; every name in it works:
    `ldjcheck 'flow.py:Coupling(nn.Linear(2, 4), 4)'`. Mind the quotes.

Easily confused with:
    LDJ002: the name is not there
    LDJ004: the layer is built, and its call is not understood
"""

from ldjcheck.mistakes.catalogue import Page, Rule

RULE = Rule(
    code="LDJ003",
    name="needs-arguments",
    summary="cannot be built without arguments",
    page=Page.read(__doc__),
)
