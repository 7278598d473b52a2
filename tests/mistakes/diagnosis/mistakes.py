"""One mistake a layer, as students write them; the sound twin differs by those lines."""

from __future__ import annotations

from mistakes.diagnosis.written import Written

COUNTS = (
    Written(
        "LDJ101",
        "accumulator, a number",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.factor = 3.0

         def forward(self, z, ldj, reverse=False):
             z = z * self.factor
    -        ldj = ldj + math.log(self.factor)
    +        ldj = ldj + math.log(self.factor) * z[0].numel()
             return z, ldj
    """,
        names="math.log(self.factor)",
    ),
    Written(
        "LDJ101",
        "pair, a parameter",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.log_scale = nn.Parameter(torch.tensor(0.4))

         def forward(self, x):
             y = x * torch.exp(self.log_scale)
    -        ldj = self.log_scale.expand(len(x))
    +        ldj = self.log_scale.expand(len(x)) * x[0].numel()
             return y, ldj
    """,
    ),
    Written(
        "LDJ101",
        "transform",
        """
     class Layer(Transform):
         domain = constraints.real_vector
         codomain = constraints.real_vector
         bijective = True

         def __init__(self, scale=2.5):
             super().__init__()
             self.scale = scale

         def _call(self, x):
             return x * self.scale

         def _inverse(self, y):
             return y / self.scale

         def log_abs_det_jacobian(self, x, y):
    -        return torch.full(x.shape[:-1], math.log(self.scale))
    +        return torch.full(x.shape[:-1], math.log(self.scale)) * x.shape[-1]
    """,
    ),
    Written(
        "LDJ102",
        "accumulator, 1x1 convolution",
        """
     class Layer(nn.Module):
         def __init__(self, channels=2):
             super().__init__()
             torch.manual_seed(3)
             self.weight = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])

         def forward(self, z, ldj, reverse=False):
             height, width = z.shape[2:]
             weight = torch.inverse(self.weight) if reverse else self.weight
             z = F.conv2d(z, weight[:, :, None, None])
    -        ldj = ldj + torch.slogdet(weight)[1]
    +        ldj = ldj + torch.slogdet(weight)[1] * height * width
             return z, ldj
    """,
        shape=(2, 3, 4),
    ),
    Written(
        "LDJ102",
        "pair, actnorm",
        """
     class Layer(nn.Module):
         def __init__(self, channels=2):
             super().__init__()
             self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.9, channels))
             self.bias = nn.Parameter(torch.zeros(channels))

         def forward(self, x):
             c = (1, -1, 1, 1)
             y = self.bias.view(c) + x * self.log_scale.view(c).exp()
    -        ldj = self.log_scale.sum()
    +        ldj = x.shape[2] * x.shape[3] * self.log_scale.sum()
             return y, ldj.expand(len(x))
    """,
        shape=(2, 3, 4),
    ),
    Written(
        "LDJ103",
        "accumulator, batch counted",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.quants = 16

         def forward(self, z, ldj, reverse=False):
             z = z / self.quants
    -        ldj -= np.log(self.quants) * np.prod(z.shape)
    +        ldj -= np.log(self.quants) * np.prod(z.shape[1:])
             return z, ldj
    """,
        shape=(1, 4, 4),
    ),
    Written(
        "LDJ103",
        "pair, channels forgotten",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.quants = 16

         def forward(self, x):
             y = x / self.quants
    -        dims = x.shape[2] * x.shape[3]
    +        dims = x.shape[1] * x.shape[2] * x.shape[3]
    !        ldj = -math.log(self.quants) * dims * torch.ones(len(x))
             return y, ldj
    """,
        shape=(3, 4, 5),
    ),
    Written(
        "LDJ103",
        "pair, radial with D for D - 1",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.beta = nn.Parameter(torch.tensor(0.8))

         def forward(self, x):
             r = x.norm(dim=1, keepdim=True)
             beta = F.softplus(self.beta)
             h = 1 / (1 + r)
             y = x + beta * h * x
    -        sides = x.shape[1] * torch.log(1 + beta * h)
    +        sides = (x.shape[1] - 1) * torch.log(1 + beta * h)
             ray = torch.log(1 + beta * h - beta * r * h**2)
             return y, (sides + ray).squeeze(1)
    """,
    ),
)

SIGNS = (
    Written(
        "LDJ104",
        "accumulator, one term",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.factor = 3.0

         def forward(self, z, ldj, reverse=False):
             z = z * self.factor
             ldj = ldj + math.log(self.factor) * z[0].numel()
    -        ldj = ldj - z.sum(dim=1)
    +        ldj = ldj + z.sum(dim=1)
             z = torch.exp(z)
             return z, ldj
    """,
    ),
    Written(
        "LDJ104",
        "pair, whole",
        """
     class Layer(nn.Module):
         def __init__(self, dims=4):
             super().__init__()
             torch.manual_seed(0)
             self.net = nn.Linear(dims // 2, dims)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             s, t = self.net(a).chunk(2, dim=1)
             b = b * torch.exp(s) + t
    -        ldj = -s.sum(dim=1)
    +        ldj = s.sum(dim=1)
             return torch.cat([a, b], dim=1), ldj
    """,
        shape=(4,),
    ),
    Written(
        "LDJ104",
        "transform",
        """
     class Layer(Transform):
         domain = constraints.real
         codomain = constraints.positive
         bijective = True

         def _call(self, x):
             return torch.exp(x)

         def _inverse(self, y):
             return torch.log(y)

         def log_abs_det_jacobian(self, x, y):
    -        return -x
    +        return x
    """,
    ),
    Written(
        "LDJ114",
        "accumulator, twice",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
             ldj = ldj + z.sum(dim=1)
    -        ldj = ldj + z.sum(dim=1)
             return torch.exp(z), ldj
    """,
    ),
    Written(
        "LDJ114",
        "pair, variance for standard deviation",
        """
     class Layer(nn.Module):
         def __init__(self, dims=5):
             super().__init__()
             self.log_std = nn.Parameter(torch.linspace(-0.7, 0.4, dims))

         def forward(self, x):
             y = x * self.log_std.exp()
    -        ldj = torch.log(self.log_std.exp() ** 2).sum()
    +        ldj = torch.log(self.log_std.exp()).sum()
             return y, ldj.expand(len(x))
    """,
    ),
    Written(
        "LDJ118",
        "pair",
        """
     class Layer(nn.Module):
         def forward(self, x):
             y = x.flip(1)
    -        ldj = torch.ones(len(x))
    +        ldj = torch.zeros(len(x))
             return y, ldj
    """,
    ),
    Written(
        "LDJ118",
        "accumulator",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
             z = z.flip(1)
    -        ldj = ldj + 1
    +        ldj = ldj + 0
             return z, ldj
    """,
    ),
    Written(
        "LDJ119",
        "pair",
        """
     class Layer(nn.Module):
         def forward(self, x):
             y = torch.sinh(x)
    -        ldj = torch.zeros(len(x))
    +        ldj = torch.log(torch.cosh(x)).sum(dim=1)
             return y, ldj
    """,
    ),
    Written(
        "LDJ119",
        "accumulator",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
    !        z = torch.exp(z)
    +        ldj = ldj + torch.log(z).sum(dim=1)
             return z, ldj
    """,
    ),
)

REDUCTIONS = (
    Written(
        "LDJ105",
        "accumulator, mean over dims",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
    -        ldj = ldj + z.mean(dim=1)
    +        ldj = ldj + z.sum(dim=1)
             z = torch.exp(z)
             return z, ldj
    """,
    ),
    Written(
        "LDJ105",
        "pair, mean over the moved half",
        """
     class Layer(nn.Module):
         def __init__(self, dims=6):
             super().__init__()
             torch.manual_seed(0)
             self.net = nn.Linear(dims // 2, dims)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             s, t = self.net(a).chunk(2, dim=1)
    -        ldj = torch.mean(s, dim=1)
    +        ldj = torch.sum(s, dim=1)
             return torch.cat([a, b * torch.exp(s) + t], dim=1), ldj
    """,
        shape=(6,),
    ),
    Written(
        "LDJ105",
        "transform",
        """
     class Layer(Transform):
         domain = constraints.independent(constraints.real, 1)
         codomain = constraints.independent(constraints.positive, 1)
         bijective = True

         def _call(self, x):
             return torch.exp(x)

         def _inverse(self, y):
             return torch.log(y)

         def log_abs_det_jacobian(self, x, y):
    -        return x.mean(-1)
    +        return x.sum(-1)
    """,
    ),
    Written(
        "LDJ106",
        "accumulator, sum over everything",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
    -        ldj = ldj + z.sum()
    +        ldj = ldj + z.sum(dim=1)
             z = torch.exp(z)
             return z, ldj
    """,
    ),
    Written(
        "LDJ106",
        "pair, mean over the batch",
        """
     class Layer(nn.Module):
         def forward(self, x):
             y = torch.sinh(x)
             slope = torch.log(torch.cosh(x)).sum(dim=1)
    -        ldj = slope.mean().expand(len(x))
    +        ldj = slope
             return y, ldj
    """,
    ),
    Written(
        "LDJ113",
        "accumulator, mask",
        """
     class Layer(nn.Module):
         def __init__(self, dims=5):
             super().__init__()
             torch.manual_seed(0)
             self.register_buffer("mask", torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0]))
             self.net = nn.Linear(dims, 2 * dims)

         def forward(self, z, ldj, reverse=False):
             s, t = self.net(z * self.mask).chunk(2, dim=1)
             z = torch.where(self.mask > 0, z, z * torch.exp(s) + t)
    -        ldj = ldj + s.sum(dim=1)
    +        ldj = ldj + (s * (1 - self.mask)).sum(dim=1)
             return z, ldj
    """,
    ),
    Written(
        "LDJ113",
        "pair, mask",
        """
     class Layer(nn.Module):
         def __init__(self, dims=5):
             super().__init__()
             torch.manual_seed(0)
             self.register_buffer("mask", torch.arange(dims) % 2 == 0)
             self.net = nn.Sequential(nn.Linear(dims, 8), nn.Tanh(), nn.Linear(8, 2 * dims))

         def forward(self, x):
             kept = x * self.mask
             s, t = self.net(kept).chunk(2, dim=1)
             y = kept + (x * torch.exp(s) + t) * ~self.mask
    -        log_slopes = s
    +        log_slopes = s * ~self.mask
    !        return y, log_slopes.flatten(1).sum(1)
    """,
    ),
)

LOGARITHMS = (
    Written(
        "LDJ107",
        "accumulator, log2",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
    -        ldj = ldj + torch.log2(torch.cosh(z)).sum(dim=1)
    +        ldj = ldj + torch.log(torch.cosh(z)).sum(dim=1)
             z = torch.sinh(z)
             return z, ldj
    """,
    ),
    Written(
        "LDJ107",
        "pair, log10 of a constant",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.quants = 256

         def forward(self, x):
             y = x / self.quants
    -        ldj = -np.log10(self.quants) * x[0].numel()
    +        ldj = -np.log(self.quants) * x[0].numel()
             return y, torch.full((len(x),), ldj)
    """,
    ),
    Written(
        "LDJ108",
        "accumulator",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
    -        ldj = ldj + torch.cosh(z).sum(dim=1)
    +        ldj = ldj + torch.log(torch.cosh(z)).sum(dim=1)
             z = torch.sinh(z)
             return z, ldj
    """,
    ),
    Written(
        "LDJ108",
        "pair, determinant for its log",
        """
     class Layer(nn.Module):
         def __init__(self, dims=3):
             super().__init__()
             torch.manual_seed(1)
             self.weight = nn.Parameter(torch.eye(dims) + 0.3 * torch.randn(dims, dims))

         def forward(self, x):
             y = x @ self.weight
    -        ldj = torch.det(self.weight).abs()
    +        ldj = torch.det(self.weight).abs().log()
             return y, ldj.expand(len(x))
    """,
        shape=(3,),
    ),
    Written(
        "LDJ109",
        "accumulator, log of a scale",
        """
     class Layer(nn.Module):
         def __init__(self, dims=4):
             super().__init__()
             self.scale = nn.Parameter(torch.linspace(0.1, 0.4, dims))

         def forward(self, z, ldj, reverse=False):
             z = z * self.scale
    -        ldj = ldj + torch.log(self.scale).sum()
    +        ldj = ldj + torch.log(self.scale.abs()).sum()
             return z, ldj
    """,
        shape=(4,),
    ),
    Written(
        "LDJ109",
        "pair, logdet",
        """
     class Layer(nn.Module):
         def __init__(self, dims=3):
             super().__init__()
             torch.manual_seed(1)
             self.weight = nn.Parameter(torch.diag(torch.tensor([-0.3, 0.3, 0.3])))

         def forward(self, x):
             y = F.linear(x, self.weight)
    -        ldj = torch.logdet(self.weight)
    +        ldj = torch.slogdet(self.weight)[1]
             return y, ldj.expand(len(x))
    """,
        shape=(3,),
    ),
    Written(
        "LDJ115",
        "accumulator",
        """
     class Layer(nn.Module):
         def __init__(self, dims=4):
             super().__init__()
             self.log_scale = nn.Parameter(torch.linspace(-0.9, 0.7, dims))

         def forward(self, z, ldj, reverse=False):
             z = z * self.log_scale.exp()
    -        ldj = ldj + self.log_scale.abs().sum()
    +        ldj = ldj + self.log_scale.sum()
             return z, ldj
    """,
        shape=(4,),
    ),
    Written(
        "LDJ115",
        "pair",
        """
     class Layer(nn.Module):
         def forward(self, x):
             y = torch.exp(x)
    -        ldj = x.sum(dim=1).abs()
    +        ldj = x.sum(dim=1)
             return y, ldj
    """,
    ),
    Written(
        "LDJ117",
        "accumulator",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
    -        ldj = ldj + torch.log(torch.exp(z) + 1e-2).sum(dim=1)
    +        ldj = ldj + torch.log(torch.exp(z)).sum(dim=1)
             z = torch.exp(z)
             return z, ldj
    """,
    ),
    Written(
        "LDJ117",
        "pair",
        """
     class Layer(nn.Module):
         def __init__(self, dims=4):
             super().__init__()
             torch.manual_seed(0)
             self.net = nn.Linear(dims // 2, dims)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             s, t = self.net(a).chunk(2, dim=1)
             scale = torch.sigmoid(s)
    -        log_scale = torch.log(scale + 1e-3)
    +        log_scale = torch.log(scale)
             return torch.cat([a, b * scale + t], dim=1), log_scale.sum(dim=1)
    """,
        shape=(4,),
    ),
)

TERMS = (
    Written(
        "LDJ110",
        "accumulator, no term for a step",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.fuzz = 0.05

         def forward(self, z, ldj, reverse=False):
    !        z = z * (1 - 2 * self.fuzz)
    +        ldj = ldj + math.log(1 - 2 * self.fuzz) * z[0].numel()
             ldj = ldj + z.sum(dim=1)
             z = torch.exp(z)
             return z, ldj
    """,
        names="1 - 2 * self.fuzz",
    ),
    Written(
        "LDJ110",
        "pair, a sublayer's ldj thrown away",
        """
     class Sinh(nn.Module):
         def forward(self, x):
             return torch.sinh(x), torch.log(torch.cosh(x)).sum(dim=1)

     class Norm(nn.Module):
         def __init__(self, dims=4):
             super().__init__()
             self.log_scale = nn.Parameter(torch.linspace(-0.9, 0.7, dims))

         def forward(self, x):
             return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.norm = Norm()
             self.sinh = Sinh()

         def forward(self, x):
    -        x, _ = self.norm(x)
    +        x, first = self.norm(x)
             x, second = self.sinh(x)
    +        second = first + second
    !        return x, second
    """,
        shape=(4,),
    ),
    Written(
        "LDJ110",
        "transform, one of two steps",
        """
     class Layer(Transform):
         domain = constraints.independent(constraints.real, 1)
         codomain = constraints.independent(constraints.positive, 1)
         bijective = True

         def _call(self, x):
             return torch.exp(2.0 * x)

         def _inverse(self, y):
             return torch.log(y) / 2.0

         def log_abs_det_jacobian(self, x, y):
    -        return (2.0 * x).sum(-1)
    +        return (2.0 * x + math.log(2.0)).sum(-1)
    """,
    ),
    Written(
        "LDJ111",
        "accumulator, a term without a step",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.shift = nn.Parameter(torch.tensor(0.8))

         def forward(self, z, ldj, reverse=False):
             ldj = ldj + z.sum(dim=1)
             z = torch.exp(z) + self.shift
    -        ldj = ldj + torch.log1p(self.shift**2)
             return z, ldj
    """,
    ),
    Written(
        "LDJ111",
        "pair, an additive coupling that counts",
        """
     class Layer(nn.Module):
         def __init__(self, dims=4):
             super().__init__()
             torch.manual_seed(0)
             self.net = nn.Linear(dims // 2, dims // 2)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             t = self.net(a)
    -        ldj = t.sum(dim=1)
    +        ldj = torch.zeros(len(x))
             return torch.cat([a, b + t], dim=1), ldj
    """,
        shape=(4,),
    ),
    Written(
        "LDJ112",
        "accumulator, after the step",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
    +        ldj = ldj + torch.log(torch.cosh(z)).sum(dim=1)
             z = torch.sinh(z)
    -        ldj = ldj + torch.log(torch.cosh(z)).sum(dim=1)
             return z, ldj
    """,
    ),
    Written(
        "LDJ112",
        "pair, of the output",
        """
     class Layer(nn.Module):
         def slope(self, x):
             return 1 + 0.5 * torch.cos(x)

         def forward(self, x):
             y = x + 0.5 * torch.sin(x)
    -        ldj = torch.log(self.slope(y)).sum(dim=1)
    +        ldj = torch.log(self.slope(x)).sum(dim=1)
             return y, ldj
    """,
    ),
    Written(
        "LDJ112",
        "transform, y for x",
        """
     class Layer(Transform):
         domain = constraints.independent(constraints.real, 1)
         codomain = constraints.independent(constraints.real, 1)
         bijective = True

         def _call(self, x):
             return torch.sinh(x)

         def _inverse(self, y):
             return torch.asinh(y)

         def log_abs_det_jacobian(self, x, y):
    -        return torch.log(torch.cosh(y)).sum(-1)
    +        return torch.log(torch.cosh(x)).sum(-1)
    """,
    ),
    Written(
        "LDJ116",
        "accumulator, one side of a kink",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.slope = 0.2

         def forward(self, z, ldj, reverse=False):
             below = z < 0
             log_slope = math.log(self.slope)
    -        ldj = ldj + torch.where(~below, log_slope, 0.0).sum(dim=1)
    +        ldj = ldj + torch.where(below, log_slope, 0.0).sum(dim=1)
             z = torch.where(below, self.slope * z, z)
             return z, ldj
    """,
        shape=(3,),
    ),
    Written(
        "LDJ116",
        "pair, the other bound",
        """
     class Layer(nn.Module):
         def forward(self, x):
             inside = x.abs() < 1.0
             y = torch.where(inside, torch.sinh(x) / math.sinh(1.0), x)
             log_slope = torch.log(torch.cosh(x)) - math.log(math.sinh(1.0))
    -        log_slope = torch.where(x > -1.0, log_slope, 0.0)
    +        log_slope = torch.where(inside, log_slope, 0.0)
             return y, log_slope.sum(dim=1)
    """,
        shape=(3,),
    ),
)

SCALED = (
    Written(
        "LDJ110",
        "accumulator, a factor of both halves",
        """
     class Layer(nn.Module):
         k = 2.5

         def __init__(self):
             super().__init__()
             self.net = nn.Linear(3, 6)

         def forward(self, z, ldj):
             a, b = z.chunk(2, dim=1)
             s, t = self.net(a).chunk(2, dim=1)
             s = torch.tanh(s)
             b = b * s.exp() + t
             ldj = ldj + s.sum(dim=1)
    !        a, b = a * self.k, b * self.k
    -        ldj = ldj + 0.0
    +        ldj = ldj + z[0].numel() * math.log(self.k)
             return torch.cat([a, b], dim=1), ldj
    """,
        shape=(6,),
        names="log(self.k)",
    ),
    Written(
        "LDJ110",
        "pair, a factor of one half",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.net = nn.Linear(3, 6)
             self.width = nn.Parameter(torch.tensor([0.5, 2.0, 3.0]))

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             s, t = self.net(a).chunk(2, dim=1)
             s = torch.tanh(s)
             y = torch.cat([a, b * s.exp() / self.width + t], dim=1)
    -        ldj = s.sum(dim=1)
    +        ldj = s.sum(dim=1) - torch.log(torch.abs(self.width)).sum()
             return y, ldj
    """,
        shape=(6,),
        names="log(self.width)",
    ),
    Written(
        "LDJ120",
        "accumulator, a factor of both halves that is not logged",
        """
     class Layer(nn.Module):
         k = 2.5

         def __init__(self):
             super().__init__()
             self.net = nn.Linear(3, 6)

         def forward(self, z, ldj):
             a, b = z.chunk(2, dim=1)
             s, t = self.net(a).chunk(2, dim=1)
             s = torch.tanh(s)
             b = b * s.exp() + t
             ldj = ldj + s.sum(dim=1)
             a, b = a * self.k, b * self.k
    -        ldj = ldj + z[0].numel()
    +        ldj = ldj + z[0].numel() * math.log(self.k)
             return torch.cat([a, b], dim=1), ldj
    """,
        shape=(6,),
    ),
    Written(
        "LDJ104",
        "pair, one factor of what is logged",
        """
     class Layer(nn.Module):
         def forward(self, z):
             u, v = z[:, 0], z[:, 1]
             r = torch.sqrt(-2 * torch.log(u))
             turn = 2 * torch.pi * v
             y = torch.stack([r * torch.cos(turn), r * torch.sin(turn)], dim=1)
    -        return y, torch.log(2 * torch.pi * u)
    +        return y, torch.log(2 * torch.pi / u)
    """,
        shape=(2,),
        domain="unit",
        names="`log(u)` has the wrong sign",
    ),
    Written(
        "LDJ110",
        "pair, a square within a step",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.net = nn.Linear(3, 6)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             s, g = self.net(a).chunk(2, dim=1)
             s, g = torch.tanh(s), torch.sigmoid(g)
             y = torch.cat([a, b * s.exp() * g**2], dim=1)
    -        ldj = s.sum(dim=1)
    +        ldj = s.sum(dim=1) + 2 * torch.log(g).sum(dim=1)
             return y, ldj
    """,
        shape=(6,),
        names="log|",
    ),
)

UNKNOWN = (
    Written(
        "LDJ120",
        "pair, one statement",
        """
     class Layer(nn.Module):
         def forward(self, x):
             y = torch.sinh(x)
    -        ldj = torch.log(1.3 + torch.cos(x)).sum(dim=1)
    +        ldj = torch.log(torch.cosh(x)).sum(dim=1)
             return y, ldj
    """,
    ),
    Written(
        "LDJ120",
        "transform, one statement",
        """
     class Layer(Transform):
         domain = constraints.independent(constraints.real, 1)
         codomain = constraints.independent(constraints.real, 1)
         bijective = True

         def _call(self, x):
             return x + x**3

         def _inverse(self, y):
             raise NotImplementedError

         def log_abs_det_jacobian(self, x, y):
    -        return torch.log1p(2 * x**4).sum(-1)
    +        return torch.log1p(3 * x**2).sum(-1)
    """,
    ),
    Written(
        "LDJ120",
        "pair, a planar flow with a derivative of its own",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.w = nn.Parameter(0.4 * torch.randn(1, 5))
             self.u = nn.Parameter(0.3 * torch.randn(1, 5))

         def forward(self, z):
             a = z @ self.w.t()
             y = z + self.u * torch.tanh(a)
    -        psi = (1 - torch.tanh(a)) @ self.w
    +        psi = (1 - torch.tanh(a) ** 2) @ self.w
             return y, torch.log(torch.abs(1 + psi @ self.u.t())).squeeze(1)
    """,
    ),
    Written(
        "LDJ120",
        "accumulator, one of three terms",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.s = nn.Parameter(0.5 * torch.randn(5))

         def forward(self, z, ldj):
             z = z * self.s.exp()
             ldj = ldj + self.s.sum()
    -        slope = 1.3 + torch.cos(z)
    +        slope = torch.cosh(z)
             z = torch.sinh(z)
             ldj = ldj + torch.log(slope).sum(dim=1)
             y = torch.sigmoid(z)
             ldj = ldj + (F.logsigmoid(z) + F.logsigmoid(-z)).sum(dim=1)
             return y, ldj
    """,
    ),
)

FORMS = (
    Written(
        "LDJ113",
        "pair, an einsum over all dims",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.register_buffer("mask", torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0]))
             self.net = nn.Linear(5, 5)

         def forward(self, x):
             s = torch.tanh(self.net(x * self.mask))
             y = x * self.mask + (1 - self.mask) * x * torch.exp(s)
    -        return y, torch.einsum("bi->b", s)
    +        return y, torch.einsum("bi,i->b", s, 1 - self.mask)
    """,
    ),
    Written(
        "LDJ113",
        "pair, a product with ones",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.register_buffer("mask", torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0]))
             self.net = nn.Linear(5, 5)

         def forward(self, x):
             s = torch.tanh(self.net(x * self.mask))
             y = x * self.mask + (1 - self.mask) * x * torch.exp(s)
    -        return y, s @ torch.ones(5, dtype=x.dtype)
    +        return y, s @ (1 - self.mask)
    """,
    ),
    Written(
        "LDJ116",
        "pair, a bound on the log-scales of the ldj alone",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.net = nn.Linear(3, 3)

         def forward(self, x):
             a, b = x.split(3, dim=1)
             s = self.net(a)
             y = torch.cat([a, b * s.exp()], dim=1)
    -        return y, s.clamp(-0.5, 0.5).sum(1)
    +        return y, s.sum(1)
    """,
        shape=(6,),
    ),
    Written(
        "LDJ116",
        "accumulator, the other side of an operation's own kink",
        """
     class Layer(nn.Module):
         def forward(self, z, ldj, reverse=False):
    -        ldj = ldj + math.log(0.2) * (z > 0).sum(1)
    +        ldj = ldj + math.log(0.2) * (z < 0).sum(1)
             return F.leaky_relu(z, 0.2), ldj
    """,
        shape=(3,),
    ),
    Written(
        "LDJ102",
        "pair, time comes first",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.net = nn.Linear(3, 3)

         def forward(self, x):
    !        ldj = torch.slogdet(self.net.weight)[1]
    -        return self.net(x), ldj.expand(len(x))
    +        return self.net(x), ldj.expand(len(x)) * x.shape[1]
    """,
        shape=(7, 3),
    ),
    Written(
        "LDJ102",
        "pair, time comes first and nothing is mixed",
        """
     class Layer(nn.Module):
         def __init__(self):
             super().__init__()
             self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

         def forward(self, x):
    !        ldj = self.log_scale.sum()
    -        return x * self.log_scale.exp(), ldj.expand(len(x))
    +        return x * self.log_scale.exp(), ldj.expand(len(x)) * x.shape[1]
    """,
        shape=(7, 3),
    ),
)

MISTAKES = (
    *COUNTS,
    *SIGNS,
    *REDUCTIONS,
    *LOGARITHMS,
    *TERMS,
    *SCALED,
    *FORMS,
    *UNKNOWN,
)
