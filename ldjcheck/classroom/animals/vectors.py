"""Planar, radial and triangular maps of vectors: pairs, some without a way back."""

import torch
import torch.nn.functional as F
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class Planar(nn.Module):
    """x + u tanh(w x + b)."""

    def __init__(self, dims=3):
        super().__init__()
        self.w = nn.Parameter(torch.linspace(-1.2, 1.5, dims))
        self.u = nn.Parameter(torch.linspace(1.4, 0.3, dims))
        self.b = nn.Parameter(torch.tensor(0.2))

    def direction(self):
        inner = self.w @ self.u
        wanted = -1 + F.softplus(inner)
        return self.u + (wanted - inner) * self.w / (self.w @ self.w)

    def forward(self, x):
        u = self.direction()
        a = torch.tanh(x @ self.w + self.b)
        psi = (1 - a**2).unsqueeze(1) * self.w
        log_det = torch.log(torch.abs(1 + psi @ u))
        return x + a.unsqueeze(1) * u, log_det


class PlanarUnlogged(Planar):
    """The determinant is reported, not its log."""

    def forward(self, x):
        u = self.direction()
        a = torch.tanh(x @ self.w + self.b)
        psi = (1 - a**2).unsqueeze(1) * self.w
        return x + a.unsqueeze(1) * u, torch.abs(1 + psi @ u)


class PlanarTurned(Planar):
    """The sign is that of the density, not of the map."""

    def forward(self, x):
        u = self.direction()
        a = torch.tanh(x @ self.w + self.b)
        psi = (1 - a**2).unsqueeze(1) * self.w
        return x + a.unsqueeze(1) * u, -torch.log(torch.abs(1 + psi @ u))


class PlanarEps(Planar):
    """A number against log(0), too large to be harmless."""

    def forward(self, x):
        u = self.direction()
        a = torch.tanh(x @ self.w + self.b)
        psi = (1 - a**2).unsqueeze(1) * self.w
        log_det = torch.log(torch.abs(1 + psi @ u) + 1e-2)
        return x + a.unsqueeze(1) * u, log_det


class PlanarInBits(Planar):
    """The log has base 2."""

    def forward(self, x):
        u = self.direction()
        a = torch.tanh(x @ self.w + self.b)
        psi = (1 - a**2).unsqueeze(1) * self.w
        log_det = torch.log2(torch.abs(1 + psi @ u))
        return x + a.unsqueeze(1) * u, log_det


class PlanarOverTheBatch(Planar):
    """All samples report the sum."""

    def forward(self, x):
        u = self.direction()
        a = torch.tanh(x @ self.w + self.b)
        psi = (1 - a**2).unsqueeze(1) * self.w
        log_det = torch.log(torch.abs(1 + psi @ u)).sum()
        return x + a.unsqueeze(1) * u, log_det.expand(len(x))


class PlanarColumn(Planar):
    """The log-determinant is a column."""

    def forward(self, x):
        u = self.direction()
        a = torch.tanh(x @ self.w + self.b)
        psi = (1 - a**2).unsqueeze(1) * self.w
        log_det = torch.log(torch.abs(1 + psi @ u.unsqueeze(1)))
        return x + a.unsqueeze(1) * u, log_det


class Radial(nn.Module):
    """Move points away from the origin: D - 1 sides and one ray."""

    def __init__(self):
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(0.8))

    def forward(self, x):
        r = x.norm(dim=1)
        beta = F.softplus(self.beta)
        h = 1 / (1 + r)
        sides = (x.shape[1] - 1) * torch.log(1 + beta * h)
        ray = torch.log(1 + beta * h - beta * r * h**2)
        return x + (beta * h).unsqueeze(1) * x, sides + ray


class RadialAllSides(Radial):
    """D sides are counted where D - 1 are."""

    def forward(self, x):
        r = x.norm(dim=1)
        beta = F.softplus(self.beta)
        h = 1 / (1 + r)
        sides = x.shape[1] * torch.log(1 + beta * h)
        ray = torch.log(1 + beta * h - beta * r * h**2)
        return x + (beta * h).unsqueeze(1) * x, sides + ray


class RadialOneSide(Radial):
    """The sides are counted once."""

    def forward(self, x):
        r = x.norm(dim=1)
        beta = F.softplus(self.beta)
        h = 1 / (1 + r)
        sides = torch.log(1 + beta * h)
        ray = torch.log(1 + beta * h - beta * r * h**2)
        return x + (beta * h).unsqueeze(1) * x, sides + ray


class RadialRaySubtracted(Radial):
    """The ray is taken away."""

    def forward(self, x):
        r = x.norm(dim=1)
        beta = F.softplus(self.beta)
        h = 1 / (1 + r)
        sides = (x.shape[1] - 1) * torch.log(1 + beta * h)
        ray = torch.log(1 + beta * h - beta * r * h**2)
        return x + (beta * h).unsqueeze(1) * x, sides - ray


class Triangle(nn.Module):
    """Multiply by a triangular matrix: its diagonal counts."""

    def __init__(self, dims=3):
        super().__init__()
        self.below = nn.Parameter(0.3 * torch.ones(dims, dims))
        self.raw = nn.Parameter(torch.linspace(-0.7, 0.9, dims))

    def matrix(self):
        return torch.tril(self.below, -1) + torch.diag(torch.exp(self.raw))

    def forward(self, x):
        y = x @ self.matrix().t()
        return y, torch.log(torch.diag(self.matrix())).sum().expand(len(x))

    def inverse(self, y):
        x = y @ torch.inverse(self.matrix()).t()
        return x, -torch.log(torch.diag(self.matrix())).sum().expand(len(y))


class TriangleTrace(Triangle):
    """The trace is taken for the log of the determinant."""

    def forward(self, x):
        y = x @ self.matrix().t()
        return y, torch.diag(self.matrix()).sum().expand(len(x))


class TriangleMean(Triangle):
    """The logs of the diagonal are averaged."""

    def forward(self, x):
        y = x @ self.matrix().t()
        return y, torch.log(torch.diag(self.matrix())).mean().expand(len(x))


class TriangleAbs(Triangle):
    """The abs is outside of the log."""

    def forward(self, x):
        y = x @ self.matrix().t()
        return y, torch.log(torch.diag(self.matrix())).abs().sum().expand(len(x))


class TriangleInverseRepeats(Triangle):
    """The inverse reports the forward ldj."""

    def inverse(self, y):
        x = y @ torch.inverse(self.matrix()).t()
        return x, torch.log(torch.diag(self.matrix())).sum().expand(len(y))


class TriangleInverseTransposed(Triangle):
    """The inverse forgets to transpose."""

    def inverse(self, y):
        x = y @ torch.inverse(self.matrix())
        return x, -torch.log(torch.diag(self.matrix())).sum().expand(len(y))


class Rotation(nn.Module):
    """Turn the first two entries: no volume moves."""

    def __init__(self):
        super().__init__()
        self.angle = nn.Parameter(torch.tensor(0.7))

    def forward(self, x):
        c, s = torch.cos(self.angle), torch.sin(self.angle)
        a, b = x[:, 0], x[:, 1]
        turned = torch.stack([c * a - s * b, s * a + c * b], dim=1)
        return torch.cat([turned, x[:, 2:]], dim=1), torch.zeros(len(x))

    def inverse(self, y):
        c, s = torch.cos(self.angle), torch.sin(self.angle)
        a, b = y[:, 0], y[:, 1]
        turned = torch.stack([c * a + s * b, c * b - s * a], dim=1)
        return torch.cat([turned, y[:, 2:]], dim=1), torch.zeros(len(y))


class RotationCounts(Rotation):
    """The log of the cosine is counted, though turning keeps volume."""

    def forward(self, x):
        y, _ = super().forward(x)
        return y, torch.log(torch.cos(self.angle)).expand(len(x))


class RotationOne(Rotation):
    """The determinant, 1, is reported for its log."""

    def forward(self, x):
        y, _ = super().forward(x)
        return y, torch.ones(len(x))


class Householder(nn.Module):
    """Mirror at a plane: the determinant is -1, the ldj 0."""

    def __init__(self, dims=3):
        super().__init__()
        self.v = nn.Parameter(torch.linspace(-0.5, 1.0, dims))

    def forward(self, x):
        v = self.v / self.v.norm()
        return x - 2 * (x @ v).unsqueeze(1) * v, torch.zeros(len(x))

    def inverse(self, y):
        return self.forward(y)


ANIMALS = family(
    "vectors",
    (3,),
    right(Planar),
    wrong("LDJ108", PlanarUnlogged),
    wrong("LDJ104", PlanarTurned),
    wrong("LDJ117", PlanarEps),
    wrong("LDJ107", PlanarInBits),
    wrong("LDJ106", PlanarOverTheBatch),
    wrong("LDJ201", PlanarColumn),
    right(Radial, "LDJ103", shape=(4,)),
    wrong("LDJ103", RadialAllSides, shape=(4,)),
    wrong("LDJ103", RadialOneSide, shape=(4,)),
    wrong("LDJ104", RadialRaySubtracted, shape=(4,)),
    right(Triangle, "LDJ108"),
    wrong("LDJ108", TriangleTrace),
    wrong("LDJ105", TriangleMean),
    wrong("LDJ115", TriangleAbs),
    wrong("LDJ302", TriangleInverseRepeats, "inverse"),
    wrong("LDJ301", TriangleInverseTransposed, None),
    right(Rotation, "LDJ401"),
    wrong("LDJ111", RotationCounts),
    wrong("LDJ118", RotationOne),
    right(Householder, "LDJ109"),
)
