"""Invertible residual networks: y = x + g(x), with Lip(g) < 1."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class LipschitzLinear(nn.Module):
    """A linear layer whose largest singular value is at most `coeff`."""

    def __init__(self, n_in, n_out, coeff=0.6):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.coeff = coeff

    def forward(self, x):
        sigma = torch.linalg.matrix_norm(self.weight, ord=2)
        factor = torch.clamp(sigma / self.coeff, min=1.0)
        return F.linear(x, self.weight / factor, self.bias)


class LipschitzNet(nn.Module):
    def __init__(self, dim, hidden, coeff):
        super().__init__()
        self.fc1 = LipschitzLinear(dim, hidden, coeff)
        self.fc2 = LipschitzLinear(hidden, dim, coeff)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(x)))


def batch_jacobian(g, x):
    rows = [
        torch.autograd.grad(g[:, i].sum(), x, create_graph=True)[0]
        for i in range(x.shape[1])
    ]
    return torch.stack(rows, dim=1)


def batch_trace(m):
    return m.diagonal(dim1=1, dim2=2).sum(dim=1)


class iResBlock(nn.Module):
    """Log-determinant by its power series, the trace of each power exact."""

    def __init__(self, dim, hidden=8, coeff=0.6, n_terms=25):
        super().__init__()
        self.nnet = LipschitzNet(dim, hidden, coeff)
        self.n_terms = n_terms

    def forward(self, x):
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_(True)
            g = self.nnet(x)
            jac = batch_jacobian(g, x)
        return x + g, self.logdet_series(jac)

    def logdet_series(self, jac):
        power = jac
        logdet = batch_trace(jac)
        for k in range(2, self.n_terms + 1):
            power = torch.bmm(power, jac)
            logdet = logdet + (-1) ** (k + 1) * batch_trace(power) / k
        return logdet

    def inverse(self, y, n_iter=100):
        x = y
        for _ in range(n_iter):
            x = y - self.nnet(x)
        return x


class ResidualFlow(nn.Module):
    def __init__(self, dim=2, n_blocks=2):
        super().__init__()
        self.dim = dim
        self.blocks = nn.ModuleList([iResBlock(dim) for _ in range(n_blocks)])
        self.log_scale = nn.Parameter(0.1 * torch.randn(dim))

    def forward(self, x):
        logdet = torch.zeros(x.shape[0], dtype=x.dtype)
        for block in self.blocks:
            x, ld = block(x)
            logdet = logdet + ld
        return x * self.log_scale.exp(), logdet + self.log_scale.sum()

    def inverse(self, z):
        z = z * torch.exp(-self.log_scale)
        for block in reversed(self.blocks):
            z = block.inverse(z)
        return z

    def log_prob(self, x):
        z, logdet = self.forward(x)
        logpz = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1)
        return logpz + logdet


class RouletteBlock(nn.Module):
    """The unbiased estimate: Hutchinson's trace, a series cut off by Russian roulette."""

    def __init__(self, dim, hidden=8, coeff=0.95, p=0.5, n_exact=0):
        super().__init__()
        self.nnet = LipschitzNet(dim, hidden, coeff)
        self.p = p
        self.n_exact = n_exact

    def survival(self, k):
        """P(N >= k) for the geometric number of terms after the exact ones."""
        return (1 - self.p) ** max(k - self.n_exact - 1, 0)

    def forward(self, x):
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_(True)
            g = self.nnet(x)
            return x + g, self.estimate(g, x)

    def estimate(self, g, x):
        extra = torch.distributions.Geometric(self.p).sample()
        n_terms = self.n_exact + 1 + int(extra)
        v = torch.randn_like(x)
        w = v
        logdet = 0.0
        for k in range(1, n_terms + 1):
            w = torch.autograd.grad(g, x, w, create_graph=True)[0]
            coeff = (-1) ** (k + 1) / k / self.survival(k)
            logdet = logdet + coeff * (w * v).sum(dim=1)
        return logdet


class StochasticResidualFlow(nn.Module):
    def __init__(self, dim=2, n_blocks=1):
        super().__init__()
        self.blocks = nn.ModuleList([RouletteBlock(dim) for _ in range(n_blocks)])

    def forward(self, x):
        logdet = torch.zeros(x.shape[0], dtype=x.dtype)
        for block in self.blocks:
            x, ld = block(x)
            logdet = logdet + ld
        return x, logdet

    def log_prob(self, x):
        z, logdet = self.forward(x)
        logpz = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1)
        return logpz + logdet
