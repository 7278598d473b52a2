"""LDJ001: the module, file or notebook is missing, or raises on import.

The module, file or notebook is missing, or raised an exception when it was
imported. In the second case its own traceback is shown.

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
    ldjcheck flwo.py:Coupling

You see:
    There is no file flwo.py.

    Did you mean:
      flow.py

What to do:
    Look at the names that are offered. A dotted module must be importable from the
    current folder; a file is named with its ending. What a file raises when it is
    imported is raised here too: run `python flow.py` to see it alone.

Easily confused with:
    LDJ002: the file is there, the name in it is not
    LDJ005: the import works, and the layer raises
"""

from ldjcheck.mistakes.catalogue import Page, Rule

RULE = Rule(
    code="LDJ001",
    name="source-not-found",
    summary="file missing, or raising on import",
    page=Page.read(__doc__),
)
