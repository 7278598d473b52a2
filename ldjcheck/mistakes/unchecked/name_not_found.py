"""LDJ002: the source has no such name.

The source was imported, but has no such name: misspelled, defined inside a
function, or only under `if __name__ == "__main__"`.

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
    ldjcheck flow.py:Couplng

You see:
    There is no Couplng in flow.py.

    Did you mean:
      ldjcheck flow.py:Coupling

What to do:
    Take one of the names that are offered, or move the definition to the top
    level of the file.

Easily confused with:
    LDJ001: the file itself is not found
    LDJ003: the name is found, and needs arguments
"""

from ldjcheck.mistakes.catalogue import Page, Rule

RULE = Rule(
    code="LDJ002",
    name="name-not-found",
    summary="no such name in the source",
    page=Page.read(__doc__),
)
