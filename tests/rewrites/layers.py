"""Layers in manners of calling that rest on more than a plain pair, right and wrong.

Each is a text from which the wrong one follows by one replacement.
"""

from __future__ import annotations

HEADER = """\
import math
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal
"""

LAYERS: dict[str, tuple[tuple[int, ...] | None, str, tuple[str, str]]] = {
    "three things, the ldj last": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)
    def forward(self, x):
        x1, x2 = x.chunk(2, dim=1)
        log_s, t = self.net(x1).chunk(2, dim=1)
        z = torch.cat([x1, x2 * log_s.exp() + t], dim=1)
        ldj = log_s.sum(dim=1)
        return z, log_s, ldj
""",
        ("log_s.sum(dim=1)", "log_s.mean(dim=1)"),
    ),
    "the ldj first": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, x):
        ldj = self.log_scale.sum().expand(len(x))
        y = x * self.log_scale.exp()
        return ldj, y
""",
        ("self.log_scale.sum()", "-self.log_scale.sum()"),
    ),
    "a pair in one argument": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, inputs):
        x, ldj = inputs
        return x * self.log_scale.exp(), ldj + self.log_scale.sum()
    def inverse(self, inputs):
        y, ldj = inputs
        return y * (-self.log_scale).exp(), ldj - self.log_scale.sum()
""",
        ("ldj + self.log_scale.sum()", "ldj + self.log_scale.mean()"),
    ),
    "a method for the ldj, of x": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.raw = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, x):
        return torch.sinh(x) * self.raw.exp()
    def log_det(self, x):
        return (torch.log(torch.cosh(x)) + self.raw).sum(dim=1)
""",
        ("+ self.raw)", "- self.raw)"),
    ),
    "a method for the ldj, of y": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.raw = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, x):
        return torch.exp(x * self.raw.exp())
    def log_det(self, y):
        return (torch.log(y) + self.raw).sum(dim=1)
""",
        ("torch.log(y)", "torch.log1p(y)"),
    ),
    "a method for the ldj, of both": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.raw = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, x):
        return torch.tanh(x) * self.raw.exp()
    def inverse(self, y):
        return torch.atanh(y * (-self.raw).exp())
    def log_abs_det_jacobian(self, x, y):
        return (torch.log1p(-(y * (-self.raw).exp()) ** 2) + self.raw).sum(dim=1)
""",
        ("** 2", ""),
    ),
    "an attribute for the ldj": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)
    def forward(self, x):
        a, b = x[:, :2], x[:, 2:]
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s)
        self.log_det = s.sum(dim=1)
        return torch.cat([a, b * torch.exp(s) + t], dim=1)
""",
        ("s.sum(dim=1)", "s.exp().sum(dim=1)"),
    ),
    "a context": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 8)
    def forward(self, x, context):
        log_s, t = self.net(context).chunk(2, dim=1)
        return x * torch.exp(log_s) + t, log_s.sum(dim=1)
    def inverse(self, y, context):
        log_s, t = self.net(context).chunk(2, dim=1)
        return (y - t) * torch.exp(-log_s), -log_s.sum(dim=1)
""",
        ("+ t, log_s.sum", "+ t, -log_s.sum"),
    ),
    "a context that may be None": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
        self.net = nn.Linear(3, 4)
    def forward(self, x, cond=None):
        s = self.log_scale.expand_as(x)
        if cond is not None:
            s = s + self.net(cond)
        return x * torch.exp(s), s.sum(dim=1)
""",
        ("s.sum(dim=1)", "s.mean(dim=1)"),
    ),
    "two parts": (
        None,
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)
    def forward(self, x1, x2):
        s, t = self.net(x1).chunk(2, dim=1)
        return x1, x2 * s.exp() + t, s.sum(dim=1)
    def inverse(self, y1, y2):
        s, t = self.net(y1).chunk(2, dim=1)
        return y1, (y2 - t) * (-s).exp(), -s.sum(dim=1)
""",
        ("+ t, s.sum(dim=1)", "+ t, t.sum(dim=1)"),
    ),
    "a running log-density": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, x, logp, reverse=False):
        if reverse:
            return x * (-self.log_scale).exp(), logp + self.log_scale.sum()
        return x * self.log_scale.exp(), logp - self.log_scale.sum()
""",
        ("logp - self.log_scale.sum()", "logp - 2 * self.log_scale.sum()"),
    ),
    "a model": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
        self.shift = nn.Parameter(torch.linspace(0.3, -0.6, 4))
        self.base = Normal(0.0, 1.0)
    def transform_to_base(self, x):
        z = (x - self.shift) * self.log_scale.exp()
        return z, self.log_scale.sum().expand(len(x))
    def log_prob(self, x):
        z, ldj = self.transform_to_base(x)
        return self.base.log_prob(z).sum(dim=1) + ldj
""",
        ("+ ldj", "- ldj"),
    ),
    "a model with its own formula": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def log_prob(self, x):
        z = x * self.log_scale.exp()
        log_pz = -0.5 * (z ** 2 + math.log(2 * math.pi)).sum(dim=1)
        return log_pz + self.log_scale.sum()
""",
        ("+ self.log_scale.sum()", "- self.log_scale.sum()"),
    ),
    "a sampler": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
        self.log_std = nn.Parameter(torch.linspace(0.3, -0.6, 4))
    def sample(self, n):
        eps = torch.randn(n, 4)
        z = self.mean + self.log_std.exp() * eps
        log_q = Normal(0.0, 1.0).log_prob(eps).sum(dim=1) - self.log_std.sum()
        return z, log_q
""",
        ("- self.log_std.sum()", "+ self.log_std.sum()"),
    ),
    "a split that returns its half": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)
    def forward(self, x, ldj):
        z1, z2 = x.chunk(2, dim=1)
        mean, log_std = self.net(z1).chunk(2, dim=1)
        log_pz = Normal(mean, log_std.exp()).log_prob(z2).sum(dim=1)
        return z1, ldj + log_pz, z2
""",
        (".sum(dim=1)\n", ".mean(dim=1)\n"),
    ),
    "a flow of layers": (
        (4,),
        """
class Affine(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, dim))
    def forward(self, x):
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

class Layer(nn.Module):
    def __init__(self, dim=4, num_layers=3):
        super().__init__()
        self.dim = dim
        self.layers = nn.ModuleList(Affine(dim) for _ in range(num_layers))
    def forward(self, x):
        log_det = torch.zeros(len(x))
        for layer in self.layers:
            x, own = layer(x)
            log_det = log_det + own
        return x, log_det
""",
        ("log_det = log_det + own", "log_det = own"),
    ),
    "bits per dim": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def bits_per_dim(self, x):
        z = x * self.log_scale.exp()
        log_pz = Normal(0.0, 1.0).log_prob(z).sum(dim=1)
        total = log_pz + self.log_scale.sum()
        return -total / (math.log(2) * x.shape[1])
""",
        ("log_pz + self", "log_pz - self"),
    ),
    "images": (
        (3, 4, 4),
        """
class Layer(nn.Module):
    def __init__(self, num_channels=3):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, num_channels, 1, 1))
        self.log_scale = nn.Parameter(0.2 * torch.ones(1, num_channels, 1, 1))
    def forward(self, x, reverse=False):
        _, _, height, width = x.shape
        log_det = height * width * self.log_scale.sum()
        if reverse:
            return x * (-self.log_scale).exp() - self.bias, -log_det.expand(len(x))
        return (x + self.bias) * self.log_scale.exp(), log_det.expand(len(x))
""",
        ("height * width * ", "height * "),
    ),
    "two numbers beside the output": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, x):
        z = x * self.log_scale.exp()
        log_pz = Normal(0.0, 1.0).log_prob(z).sum(dim=1)
        ldj = self.log_scale.sum().expand(len(x))
        return z, log_pz, ldj
""",
        ("self.log_scale.sum()", "self.log_scale.mean()"),
    ),
    "the density of x beside z": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, x):
        z = x * self.log_scale.exp()
        log_px = Normal(0.0, 1.0).log_prob(z).sum(dim=1) + self.log_scale.sum()
        return z, log_px
""",
        ("+ self.log_scale.sum()", "- self.log_scale.sum()"),
    ),
    "a log-density in one argument": (
        (4,),
        """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))
    def forward(self, inputs):
        x, logp = inputs
        return x * self.log_scale.exp(), logp - self.log_scale.sum()
""",
        ("logp - self.log_scale.sum()", "logp - self.log_scale.mean()"),
    ),
    "no shape, one number for all dims": (
        None,
        """
class Layer(nn.Module):
    def __init__(self, num_features=5):
        super().__init__()
        self.num_features = num_features
        self.log_scale = nn.Parameter(torch.tensor(0.4))
    def forward(self, x):
        ldj = self.num_features * self.log_scale
        return x * self.log_scale.exp(), ldj.expand(len(x))
""",
        ("self.num_features * self", "self"),
    ),
    "no shape, a coupling of parts": (
        None,
        """
class Layer(nn.Module):
    def __init__(self, dim=6, hidden=8):
        super().__init__()
        self.half = dim // 2
        self.net = nn.Sequential(nn.Linear(self.half, hidden), nn.Tanh(),
                                 nn.Linear(hidden, dim))
    def forward(self, x):
        x1, x2 = x[:, :self.half], x[:, self.half:]
        s, t = self.net(x1).chunk(2, dim=1)
        return torch.cat([x1, x2 * s.exp() + t], dim=1), s.sum(dim=1)
    def inverse(self, y):
        y1, y2 = y[:, :self.half], y[:, self.half:]
        s, t = self.net(y1).chunk(2, dim=1)
        return torch.cat([y1, (y2 - t) * (-s).exp()], dim=1), -s.sum(dim=1)
""",
        ("+ t], dim=1), s.sum", "+ t], dim=1), s.exp().sum"),
    ),
    "no shape, channels of images": (
        None,
        """
class Layer(nn.Module):
    def __init__(self, in_channels=3):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(in_channels) + 0.1)
    def forward(self, x):
        b, c, h, w = x.shape
        kernel = self.weight.view(c, c, 1, 1)
        ldj = h * w * torch.slogdet(self.weight)[1]
        return F.conv2d(x, kernel), ldj.expand(b)
""",
        ("h * w * ", ""),
    ),
    "no shape, a square root of the size": (
        None,
        """
class Layer(nn.Module):
    def __init__(self, dim=4):
        super().__init__()
        self.dim = dim
        self.v = nn.Parameter(torch.linspace(0.2, 1.0, dim))
    def forward(self, x):
        unit = self.v / math.sqrt(self.dim)
        y = x - 2 * (x @ unit)[:, None] * unit / (unit @ unit)
        return 2.0 * y, torch.full((len(x),), self.dim * math.log(2.0))
""",
        ("self.dim * math.log(2.0)", "math.log(2.0)"),
    ),
    "no shape, contexts and a flag": (
        None,
        """
class Layer(nn.Module):
    def __init__(self, features=4, context_features=3):
        super().__init__()
        self.net = nn.Linear(context_features, 2 * features)
    def forward(self, x, context, reverse=False):
        log_scale, shift = self.net(context).chunk(2, dim=1)
        if reverse:
            return (x - shift) * torch.exp(-log_scale), -log_scale.sum(dim=1)
        return x * torch.exp(log_scale) + shift, log_scale.sum(dim=1)
""",
        ("+ shift, log_scale", "+ shift, -log_scale"),
    ),
}
