"""One map in many manners of calling: modes, running densities, methods of their own."""

import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class Warp(nn.Module):
    """Scale each entry by a learned factor, then take the hyperbolic sine."""

    def __init__(self, dims=4):
        super().__init__()
        self.s = nn.Parameter(torch.linspace(-0.4, 0.6, dims))

    def there(self, x):
        z = x * torch.exp(self.s)
        return torch.sinh(z), (torch.log(torch.cosh(z)) + self.s).sum(dim=1)

    def back(self, y):
        z = torch.asinh(y)
        ldj = -(torch.log(torch.cosh(z)) + self.s).sum(dim=1)
        return z * torch.exp(-self.s), ldj


class WarpByMode(Warp):
    """`mode='direct'` and `mode='inverse'`, with a column for the ldj."""

    def forward(self, inputs, cond_inputs=None, mode="direct"):
        y, ldj = self.there(inputs) if mode == "direct" else self.back(inputs)
        return y, ldj.unsqueeze(1)


class WarpByModeScaleOnly(WarpByMode):
    """Only the scale is counted, not the hyperbolic sine."""

    def there(self, x):
        z = x * torch.exp(self.s)
        return torch.sinh(z), self.s.sum().expand(len(x))


class WarpByModeMean(WarpByMode):
    """The log-derivatives are averaged."""

    def there(self, x):
        z = x * torch.exp(self.s)
        return torch.sinh(z), (torch.log(torch.cosh(z)) + self.s).mean(dim=1)


class WarpByModeRepeats(WarpByMode):
    """Both modes report the ldj of the direct one."""

    def back(self, y):
        x, ldj = super().back(y)
        return x, -ldj


class WarpDensity(Warp):
    """A running log-density is reduced by the ldj, as in FFJORD."""

    def forward(self, x, logpx, reverse=False):
        y, ldj = self.back(x) if reverse else self.there(x)
        return y, logpx - ldj.unsqueeze(1)


class WarpDensityRaised(WarpDensity):
    """The density is raised where space expands."""

    def forward(self, x, logpx, reverse=False):
        if reverse:
            return super().forward(x, logpx, reverse)
        y, ldj = self.there(x)
        return y, logpx + ldj.unsqueeze(1)


class WarpDensityTwice(WarpDensity):
    """The ldj is taken away twice."""

    def forward(self, x, logpx, reverse=False):
        if reverse:
            return super().forward(x, logpx, reverse)
        y, ldj = self.there(x)
        return y, logpx - 2 * ldj.unsqueeze(1)


class WarpReverse(Warp):
    """A pair with a `reverse` method."""

    def forward(self, x):
        return self.there(x)

    def reverse(self, y):
        return self.back(y)


class WarpReversePointless(WarpReverse):
    """The derivative is taken where the hyperbolic sine ends."""

    def forward(self, x):
        y = torch.sinh(x * torch.exp(self.s))
        return y, (torch.log(torch.cosh(y)) + self.s).sum(dim=1)


class WarpBackward(Warp):
    """A pair with a `backward` method."""

    def forward(self, x):
        return self.there(x)

    def backward(self, y):
        return self.back(y)


class WarpBackwardStaysBehind(WarpBackward):
    """The scale is not undone."""

    def backward(self, y):
        z = torch.asinh(y)
        return z, -torch.log(torch.cosh(z)).sum(dim=1)


class WarpTotal(Warp):
    """A running total, called logdet."""

    def forward(self, x, logdet, reverse=False):
        y, ldj = self.back(x) if reverse else self.there(x)
        return y, logdet + ldj


class WarpTotalUntracked(WarpTotal):
    """The way back leaves the total as it is."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return self.back(x)[0], logdet
        return super().forward(x, logdet)


class WarpTotalShared(WarpTotal):
    """Each sample's total receives the sum of all."""

    def forward(self, x, logdet, reverse=False):
        if reverse:
            return super().forward(x, logdet, reverse)
        y, ldj = self.there(x)
        return y, logdet + ldj.sum()


class WarpFreia(Warp):
    """Tuples in and out, `rev` and `jac`."""

    def forward(self, x, rev=False, jac=True):
        y, ldj = self.back(x[0]) if rev else self.there(x[0])
        return (y,), ldj


class WarpFreiaSine(WarpFreia):
    """Only the hyperbolic sine is counted, not the scale."""

    def there(self, x):
        z = x * torch.exp(self.s)
        return torch.sinh(z), torch.log(torch.cosh(z)).sum(dim=1)


class WarpInverseMethod(Warp):
    """A pair with an `inverse` method."""

    def forward(self, x):
        return self.there(x)

    def inverse(self, y):
        return self.back(y)


class WarpInverseNone(WarpInverseMethod):
    """The inverse returns no ldj, but None in its place."""

    def inverse(self, y):
        return self.back(y)[0], None


class WarpInContext(Warp):
    """A context argument that is there, and not used."""

    def forward(self, inputs, context=None):
        return self.there(inputs)

    def inverse(self, inputs, context=None):
        return self.back(inputs)


ANIMALS = family(
    "manners",
    (4,),
    right(WarpByMode, "LDJ201"),
    wrong("LDJ110", WarpByModeScaleOnly),
    wrong("LDJ105", WarpByModeMean),
    wrong("LDJ302", WarpByModeRepeats, "inverse"),
    right(WarpDensity, "LDJ104"),
    wrong("LDJ104", WarpDensityRaised),
    wrong("LDJ114", WarpDensityTwice),
    right(WarpReverse),
    wrong("LDJ112", WarpReversePointless),
    right(WarpBackward),
    wrong("LDJ301", WarpBackwardStaysBehind, None),
    right(WarpTotal),
    wrong("LDJ303", WarpTotalUntracked, "inverse"),
    wrong("LDJ106", WarpTotalShared),
    right(WarpFreia),
    wrong("LDJ110", WarpFreiaSine),
    right(WarpInverseMethod),
    wrong("LDJ303", WarpInverseNone, "inverse"),
    right(WarpInContext),
)
