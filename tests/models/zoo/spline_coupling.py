"""Neural spline flow with rational-quadratic coupling layers, optionally conditional."""

import math

import torch
from torch import nn
from torch.nn import functional as F

MIN_WIDTH = 1e-3
MIN_HEIGHT = 1e-3
MIN_SLOPE = 1e-3


def knots(unnormalized, minimum, bound):
    bins = unnormalized.shape[-1]
    sizes = minimum + (1 - minimum * bins) * F.softmax(unnormalized, dim=-1)
    edges = F.pad(torch.cumsum(sizes, dim=-1), (1, 0), value=0.0)
    edges = 2 * bound * edges - bound
    return edges, edges[..., 1:] - edges[..., :-1]


def take(values, index):
    return values.gather(-1, index[..., None])[..., 0]


def rational_quadratic_spline(x, widths, heights, slopes, inverse=False, bound=3.0):
    """Monotone spline on [-bound, bound], the identity outside of it."""
    inside = (x > -bound) & (x < bound)
    x_in = torch.clamp(x, -bound, bound)

    xk, w = knots(widths, MIN_WIDTH, bound)
    yk, h = knots(heights, MIN_HEIGHT, bound)
    d = F.pad(MIN_SLOPE + F.softplus(slopes), (1, 1), value=1.0)

    edges = yk if inverse else xk
    index = torch.searchsorted(edges[..., 1:-1].contiguous(), x_in[..., None])[..., 0]

    x0, y0 = take(xk, index), take(yk, index)
    w, h = take(w, index), take(h, index)
    d0, d1 = take(d[..., :-1], index), take(d[..., 1:], index)
    delta = h / w

    if inverse:
        dy = x_in - y0
        a = h * (delta - d0) + dy * (d0 + d1 - 2 * delta)
        b = h * d0 - dy * (d0 + d1 - 2 * delta)
        c = -delta * dy
        xi = 2 * c / (-b - torch.sqrt(b.pow(2) - 4 * a * c))
        out = xi * w + x0
    else:
        xi = (x_in - x0) / w
    xi1 = xi * (1 - xi)

    denominator = delta + (d0 + d1 - 2 * delta) * xi1
    if not inverse:
        out = y0 + h * (delta * xi.pow(2) + d0 * xi1) / denominator
    slope = d1 * xi.pow(2) + 2 * delta * xi1 + d0 * (1 - xi).pow(2)
    logdet = 2 * torch.log(delta) + torch.log(slope) - 2 * torch.log(denominator)
    if inverse:
        logdet = -logdet
    return torch.where(inside, out, x), torch.where(inside, logdet, 0.0)


class SplineCoupling(nn.Module):
    def __init__(self, dim, context_dim=0, bins=4, hidden=16):
        super().__init__()
        self.fixed = dim // 2
        self.moved = dim - self.fixed
        self.bins = bins
        self.net = nn.Sequential(
            nn.Linear(self.fixed + context_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, self.moved * (3 * bins - 1)),
        )

    def spline(self, a, b, context, inverse):
        if context is not None:
            a = torch.cat([a, context], dim=-1)
        params = self.net(a).view(-1, self.moved, 3 * self.bins - 1)
        w, h, d = params.split([self.bins, self.bins, self.bins - 1], dim=-1)
        return rational_quadratic_spline(b, w, h, d, inverse=inverse)

    def forward(self, x, context=None):
        a, b = x[:, : self.fixed], x[:, self.fixed :]
        b, logdet = self.spline(a, b, context, inverse=False)
        return torch.cat([a, b], dim=1), logdet.sum(dim=-1)

    def inverse(self, z, context=None):
        a, b = z[:, : self.fixed], z[:, self.fixed :]
        b, logdet_inv = self.spline(a, b, context, inverse=True)
        return torch.cat([a, b], dim=1), logdet_inv.sum(dim=-1)


class NeuralSplineFlow(nn.Module):
    def __init__(self, dim=4, context_dim=0, n_layers=2):
        super().__init__()
        self.dim = dim
        self.layers = nn.ModuleList(
            SplineCoupling(dim, context_dim) for _ in range(n_layers)
        )

    def forward(self, x, context=None):
        total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for layer in self.layers:
            x, logdet = layer(x, context)
            x = x.flip(1)
            total += logdet
        return x, total

    def inverse(self, z, context=None):
        total = torch.zeros(len(z), dtype=z.dtype, device=z.device)
        for layer in reversed(self.layers):
            z, logdet = layer.inverse(z.flip(1), context)
            total += logdet
        return z, total

    def log_prob(self, x, context=None):
        z, logdet = self.forward(x, context)
        base = -0.5 * z.pow(2).sum(dim=1) - 0.5 * self.dim * math.log(2 * math.pi)
        return base + logdet

    def sample(self, n, context=None):
        z = torch.randn(n, self.dim)
        return self.inverse(z, context)[0]


class ConditionalSplineFlow(NeuralSplineFlow):
    """p(x | context), as for simulation-based inference."""

    def __init__(self, dim=3, context_dim=2):
        super().__init__(dim, context_dim)
        self.embed = nn.Sequential(nn.Linear(context_dim, context_dim), nn.Tanh())

    def log_prob(self, x, context):
        return super().log_prob(x, self.embed(context))

    def forward(self, x, context):
        return super().forward(x, context)

    def inverse(self, z, context):
        return super().inverse(z, context)
