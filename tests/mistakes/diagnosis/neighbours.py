"""Right layers that look like a mistake: for each rule, the nearest innocent one."""

from __future__ import annotations

_PAIR = """
class Layer(nn.Module):
    def __init__(self, dims=4):
        super().__init__()
        torch.manual_seed(0)
        self.scale = nn.Parameter(torch.linspace(0.2, 0.7, dims))
        self.net = nn.Linear(dims // 2, dims)
        self.register_buffer("mask", torch.arange(dims) % 2)

    def forward(self, x):
"""

# code, what looks like the mistake and is none, event shape, body of `forward`
NEIGHBOURS: tuple[tuple[str, str, tuple[int, ...], str], ...] = (
    ("LDJ101", "one dim is scaled, and counts once", (4,), """
        y = torch.cat([x[:, :1] * 3.0, x[:, 1:]], dim=1)
        return y, torch.full((len(x),), math.log(3.0))
    """),
    ("LDJ102", "every pixel has a scale of its own", (4,), """
        y = x * self.scale.abs()
        return y, self.scale.abs().log().sum().expand(len(x))
    """),
    ("LDJ103", "one dim less counts, since one is kept", (4,), """
        y = torch.cat([x[:, :1], 2.0 * x[:, 1:]], dim=1)
        return y, torch.full((len(x),), math.log(2.0) * (x.shape[1] - 1))
    """),
    ("LDJ104", "dividing takes the minus sign", (4,), """
        return x / self.scale.exp(), -self.scale.sum().expand(len(x))
    """),
    ("LDJ105", "a mean that is multiplied by its count", (4,), """
        return torch.exp(x), x.mean(dim=1) * x.shape[1]
    """),
    ("LDJ106", "a sum over everything where nothing else varies", (4,), """
        y = x * self.scale.exp()
        return y, self.scale.sum().repeat(len(x))
    """),
    ("LDJ107", "base 2 all along", (4,), """
        return torch.exp2(x), torch.log2(torch.exp2(x)).sum(dim=1) * math.log(2) + (
            math.log(math.log(2)) * x.shape[1]
        )
    """),
    ("LDJ108", "the log-derivative happens to have no log", (4,), """
        return torch.exp(x), x.sum(dim=1)
    """),
    ("LDJ109", "a scale that cannot be negative", (4,), """
        scale = F.softplus(self.scale)
        return x * scale, torch.log(scale).sum().expand(len(x))
    """),
    ("LDJ110", "a step that keeps volumes has no term", (4,), """
        y = torch.exp(x.flip(1) + self.scale)
        return y, (x + self.scale).sum(dim=1)
    """),
    ("LDJ111", "terms that cancel", (4,), """
        y = (x * 3.0).flip(1) / 3.0 * self.scale.exp()
        ldj = math.log(3.0) * 4 - math.log(3.0) * 4 + self.scale.sum()
        return y, ldj.expand(len(x))
    """),
    ("LDJ112", "the derivative written in terms of the output", (4,), """
        y = torch.sigmoid(x)
        return y, (torch.log(y) + torch.log1p(-y)).sum(dim=1)
    """),
    ("LDJ113", "a mask that the map has too", (4,), """
        s = self.scale * self.mask
        return x * torch.exp(s), s.sum().expand(len(x))
    """),
    ("LDJ114", "twice, because the step is taken twice", (4,), """
        y = x * self.scale.exp() * self.scale.exp()
        return y, 2 * self.scale.sum().expand(len(x))
    """),
    ("LDJ115", "an abs inside the log", (4,), """
        return x * self.scale, self.scale.abs().log().sum().expand(len(x))
    """),
    ("LDJ116", "a kink that both follow", (4,), """
        below = x < 0
        y = torch.where(below, 0.2 * x, x)
        return y, torch.where(below, math.log(0.2), 0.0).sum(dim=1)
    """),
    ("LDJ117", "a small number that the map has too", (4,), """
        scale = torch.sigmoid(self.scale) + 1e-3
        return x * scale, torch.log(scale).sum().expand(len(x))
    """),
    ("LDJ118", "a log-determinant that is one", (4,), """
        y = torch.cat([x[:, :1] * math.e, x[:, 1:]], dim=1)
        return y, torch.ones(len(x))
    """),
    ("LDJ119", "nothing to report", (4,), """
        a, b = x.chunk(2, dim=1)
        return torch.cat([a, b + self.net(a)[:, :2]], dim=1), torch.zeros(len(x))
    """),
    ("LDJ120", "an identity between functions", (4,), """
        y = torch.sinh(x)
        return y, 0.5 * torch.log1p(y**2).sum(dim=1)
    """),
)  # fmt: skip


def lines(body: str) -> list[str]:
    """Return the source of a whole layer with this body."""
    return [*_PAIR.strip("\n").splitlines(), *body.strip("\n").splitlines()]
