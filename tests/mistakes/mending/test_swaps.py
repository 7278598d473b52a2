"""What stands in the place of something else is put where it belongs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class OfTwoSides(nn.Module):
    """Mixes rows by one matrix and columns by another; each counts the other's size."""

    def __init__(self, rows: int = 2, columns: int = 5) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.a = nn.Parameter(torch.eye(rows) + 0.1 * torch.randn(rows, rows))
        self.b = nn.Parameter(torch.eye(columns) + 0.1 * torch.randn(columns, columns))

    def forward(self, x: Tensor) -> Pair:
        of_a = self.a.slogdet()[1]
        of_b = self.b.slogdet()[1]
        ldj = self.rows * of_a + self.columns * of_b
        return self.a @ x @ self.b.T, ldj.expand(len(x))


class OfChannelsAndPlaces(nn.Module):
    """Mixes channels and places; each counts how many there are of the same."""

    def __init__(self, channels: int = 3, height: int = 2, width: int = 4) -> None:
        super().__init__()
        self.shape = height, width
        places = height * width
        self.u = nn.Parameter(0.3 * torch.randn(channels, channels))
        self.v = nn.Parameter(0.2 * torch.randn(places, places))

    def log_det(self, w: Tensor) -> Tensor:
        return torch.logdet(torch.matrix_exp(w))

    def forward(self, x: Tensor) -> Pair:
        b, c, h, w = x.shape
        mixed = torch.matrix_exp(self.u) @ x.reshape(b, c, h * w)
        y = mixed @ torch.matrix_exp(self.v)
        ldj = c * self.log_det(self.u) + h * w * self.log_det(self.v)
        return y.reshape(b, c, h, w), ldj.expand(b)


class ClampsOneOfTwo(nn.Module):
    """Both halves are scaled by what is clamped; one is counted as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    def clamped(self, s: Tensor) -> Tensor:
        return 1.5 * torch.atan(s)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        s = self.first(b)
        a = a * self.clamped(s).exp()
        t = self.second(a)
        b = b * self.clamped(t).exp()
        ldj = self.clamped(s).sum(1) + t.sum(1)
        return torch.cat([a, b], dim=1), ldj


class Mixes(nn.Module):
    """A matrix, and what it says of its own determinant when asked."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.eye(4) + 0.3 * torch.randn(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w.T

    def log_det(self) -> Tensor:
        return self.w.slogdet()[1]


class AsksOneOfTwo(nn.Module):
    """Two matrices mix; one is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Mixes(), Mixes()

    def forward(self, x: Tensor) -> Pair:
        y = self.second(torch.sinh(self.first(x)))
        ldj = torch.log(torch.cosh(self.first(x))).sum(1)
        ldj = ldj + self.first.log_det()
        return y, ldj


class OfAMixture(nn.Module):
    """Adds up curves with weights; the logarithms of their slopes are not what adds up."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(4, 3))
        self.steep = nn.Parameter(torch.randn(4, 3))

    def forward(self, x: Tensor) -> Pair:
        w, a = self.weights.softmax(-1), self.steep.exp()
        bent = torch.tanh(a * x[..., None])
        y = x + (w * bent).sum(-1)
        slope = 1 + a * (1 - bent**2)
        log_slope = (w * slope.log()).sum(-1)
        return y, log_slope.sum(-1)


class InFrequencies(nn.Module):
    """Convolves around; the ldj looks at half of the frequencies."""

    def __init__(self) -> None:
        super().__init__()
        kernel = 0.2 * torch.randn(2, 6)
        kernel[:, 0] += 1
        self.kernel = nn.Parameter(kernel)

    def forward(self, x: Tensor) -> Pair:
        y = torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(self.kernel), n=6)
        gains = torch.fft.rfft(self.kernel)
        return y, gains.abs().log().sum().expand(len(x))


class AtTheWrongEnd(nn.Module):
    """A convolution that looks back: its last tap is the present."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = nn.Parameter(0.5 + torch.rand(3, 1, 3))

    def forward(self, x: Tensor) -> Pair:
        y = nn.functional.conv1d(nn.functional.pad(x, (2, 0)), self.taps, groups=3)
        gain = self.taps[:, 0, 0]
        return y, x.shape[2] * gain.abs().log().sum().expand(len(x))


class OfMappedRows(nn.Module):
    """Takes its Jacobian row by row: what the map is made of is hidden, its sign is not."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Pair:
        def of_row(row: Tensor) -> Tensor:
            return row + 0.5 * torch.tanh(self.net(row))

        jacobian = torch.func.vmap(torch.func.jacrev(of_row))(x)
        ldj = torch.linalg.slogdet(jacobian)[0]
        return torch.func.vmap(of_row)(x), ldj


class Stretch(nn.Module):
    """Adds to a running total."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(0.3 * torch.randn(4))

    def forward(self, x: Tensor, total: Tensor) -> Pair:
        ldj = (x.cosh().log() + self.scale).sum(1)
        return torch.sinh(x) * self.scale.exp(), total + ldj


class AllTotals(nn.Module):
    """Keeps the running totals, and adds them up."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Stretch() for _ in range(3))

    def forward(self, x: Tensor) -> Pair:
        total, totals = x.new_zeros(len(x)), []
        for step in self.steps:
            x, total = step(x, total)
            totals.append(total)
        ldj = sum(totals)
        return x, ldj


class ForgetsItsFirst(nn.Module):
    """Sets what it has set before."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(0.5 * torch.randn(4))

    def forward(self, x: Tensor) -> Pair:
        x = x * self.gain.exp()
        self.told = self.gain.sum().expand(len(x))
        y = torch.sinh(x)
        self.told = x.cosh().log().sum(1)
        return y, self.told


class SquareOfSums(nn.Module):
    """The slope of a primitive of squares that are added up."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(3, 2))

    def forward(self, x: Tensor) -> Pair:
        y = (self.a**2 * x[..., None] + x[..., None] ** 3 / 3).sum(-1)
        parts = torch.stack(
            [self.a.expand(len(x), 3, 2), x[..., None].expand(-1, 3, 2)]
        )
        slope = parts.sum((0, -1)) ** 2
        return y, slope.log().sum(1)


def leading(a: Tensor, b: Tensor, c: Tensor, n: int) -> Tensor:
    """Work out the determinant of three diagonals."""
    if n < 2:
        return a[0] if n else torch.ones(())
    first = a[n - 1] * leading(a, b, c, n - 1)
    return first - b[n - 2] * c[n - 3] * leading(a, b, c, n - 2)


class OfThreeDiagonals(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(1.2 + 0.2 * torch.randn(5))
        self.below = nn.Parameter(0.7 * torch.randn(4))
        self.above = nn.Parameter(0.7 * torch.randn(4))

    def forward(self, x: Tensor) -> Pair:
        matrix = self.a.diag() + self.below.diag(-1) + self.above.diag(1)
        ldj = leading(self.a, self.below, self.above, 5).abs().log()
        return x @ matrix.T, ldj.expand(len(x))


class OfAPart(nn.Module):
    """Is the gradient of a potential; the ldj takes a part of it for the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(6, 3))

    def part(self, x: Tensor) -> Tensor:
        return nn.functional.softplus(self.w @ x).sum()

    def whole(self, x: Tensor) -> Tensor:
        return self.part(x) + 0.5 * x @ x

    def forward(self, x: Tensor) -> Pair:
        y = torch.func.vmap(torch.func.grad(self.whole))(x)
        bent = torch.func.vmap(torch.func.hessian(self.part))(x)
        return y, torch.linalg.slogdet(bent)[1]


class OfNamedLogarithms(nn.Module):
    """Adds up curves with weights; what adds up is named a logarithm, and is one."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(4, 3))
        self.log_a = nn.Parameter(torch.randn(4, 3))

    def forward(self, x: Tensor) -> Pair:
        log_w = self.weights.log_softmax(-1)
        bent = torch.tanh(self.log_a.exp() * x[..., None]) + 2 * x[..., None]
        log_slopes = torch.log(
            self.log_a.exp() * (1 - (bent - 2 * x[..., None]) ** 2) + 2
        )
        each = torch.sum(log_w.exp() * log_slopes, dim=-1)
        return (log_w.exp() * bent).sum(-1), each.sum(-1)


def around(r: Tensor, n: int) -> Tensor:
    beside = torch.log(torch.tanh(r)) - torch.log(r)
    return torch.log1p(-(torch.tanh(r) ** 2)) + n * beside


class IntoABall(nn.Module):
    """All directions but the radius are stretched alike; they are counted with it."""

    def forward(self, v: Tensor) -> Pair:
        r = v.norm(dim=1, keepdim=True)
        return torch.tanh(r) * v / r, around(r[:, 0], v.shape[1])


class FromBothSides(nn.Module):
    """Triangles from the left and from the right; their weights go opposite ways."""

    def __init__(self, n: int = 3) -> None:
        super().__init__()
        self.n = n
        self.left = nn.Parameter(0.4 * torch.randn(n))
        self.right = nn.Parameter(0.4 * torch.randn(n))
        self.register_buffer("at", torch.tril_indices(n, n))

    def forward(self, x: Tensor) -> Pair:
        whole = x.new_zeros(len(x), self.n, self.n)
        whole[:, self.at[0], self.at[1]] = x
        y = self.left.exp().diag() @ whole @ self.right.exp().diag()
        k = torch.arange(self.n) + 1
        ldj = (k * self.left).sum() + (k * self.right).sum()
        return y[:, self.at[0], self.at[1]], ldj.expand(len(x))


class OfNoTriangle(nn.Module):
    """Takes a matrix for a triangle."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.eye(4) + 0.4 * torch.randn(4, 4))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.w.diagonal().abs().log().sum()
        return x @ self.w.T, ldj.expand(len(x))


class OfOneSample(nn.Module):
    """A cubic of one sample, mapped over the batch; its slope forgets the exponent."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = nn.Parameter(torch.randn(2, 3))

    def one(self, u: Tensor) -> Pair:
        lin, cub = self.logs.exp()
        slope = lin + cub * u**2
        return lin * u + cub * u**3, slope.log().sum()

    def forward(self, x: Tensor) -> Pair:
        return torch.func.vmap(self.one)(x)


class KeepsTheLastOnly(nn.Module):
    """Each step leaves its ldj behind; the last one, a permutation, has none."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList([Leaves(), Leaves(), Turns()])
        self.ldj: Tensor | float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        self.ldj = 0.0
        for step in self.steps:
            x = step(x)
            self.ldj = step.ldj
        return x


class Leaves(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.logs = nn.Parameter(torch.randn(3))
        self.ldj: Tensor | float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        self.ldj = self.logs.sum().expand(len(x))
        return x * self.logs.exp()


class Turns(nn.Module):
    ldj = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(1)


class OfTwoFactors(nn.Module):
    """z + a tanh(b z + c) for each dim: the slope of the helper lacks the caller's b."""

    def __init__(self) -> None:
        super().__init__()
        self.raw_a, self.raw_b, self.c = (nn.Parameter(torch.randn(3)) for _ in "abc")

    def slope(self, u: Tensor) -> Tensor:
        return 1 - torch.tanh(u) ** 2

    def forward(self, z: Tensor) -> Pair:
        a, b = torch.tanh(self.raw_a), torch.tanh(self.raw_b)
        inner = z * b + self.c
        each = 1 + self.slope(inner) * a
        return z + a * torch.tanh(inner), each.log().sum(1)


class ForgetsOneKick(nn.Module):
    """Half a kick, a drift, half a kick: no part is a step of all of the state."""

    def __init__(self) -> None:
        super().__init__()
        self.of_v, self.of_x = nn.Linear(2, 4), nn.Linear(2, 4)

    def kick(self, x: Tensor, v: Tensor) -> Pair:
        s, t = self.of_v(x).chunk(2, 1)
        return v * s.exp() + t, s.sum(1)

    def drift(self, x: Tensor, v: Tensor) -> Pair:
        s, t = self.of_x(v).chunk(2, 1)
        return x * s.exp() + t, s.sum(1)

    def forward(self, state: Tensor) -> Pair:
        x, v = state.chunk(2, 1)
        total = torch.zeros(len(x), dtype=x.dtype)
        for _ in range(2):
            v, first = self.kick(x, v)
            x, second = self.drift(x, v)
            v, third = self.kick(x, v)  # noqa: RUF059  # forgotten
            total = total + first + second
        return torch.cat([x, v], 1), total


class KeepsAnAxis(nn.Module):
    """The axis that one step keeps spreads the sum of both, where they meet."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Stretches(False), Stretches(True)

    def forward(self, x: Tensor) -> Pair:
        x, one = self.first(x)
        x, other = self.second(x)
        return x, one + other


class Stretches(nn.Module):
    def __init__(self, keeps: bool) -> None:
        super().__init__()
        self.w = nn.Parameter(0.3 * torch.randn(3))
        self.keeps = keeps

    def forward(self, x: Tensor) -> Pair:
        ldj = (x.cosh().log() + self.w).sum(1)
        if self.keeps:
            ldj = (x.cosh().log() + self.w).sum(1, keepdim=True)
        return x.sinh() * self.w.exp(), ldj


class AsTheOtherWay(nn.Module):
    """The way back has the ldj that the name should be given which this one returns."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        raw, t = self.net(a).chunk(2, 1)
        s = nn.functional.softplus(raw)
        ld = nn.functional.logsigmoid(raw).sum(dim=-1)
        return torch.cat([a, b * s + t], 1), ld

    def inverse(self, y: Tensor) -> Pair:
        a, b = y.chunk(2, 1)
        raw, t = self.net(a).chunk(2, 1)
        s = nn.functional.softplus(raw)
        return torch.cat([a, (b - t) / s], 1), -torch.log(s).sum(dim=-1)


class SquaresTheWhole(nn.Module):
    """The slope of tanh, 1 - h ** 2, with its brackets around the difference."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.u = (
            nn.Parameter(torch.randn(3)),
            nn.Parameter(0.3 * torch.randn(3)),
        )

    def forward(self, z: Tensor) -> Pair:
        h = torch.tanh(z @ self.w)[:, None]
        psi = (1 - h) ** 2 * self.w
        return z + self.u * h, torch.log((1 + (psi * self.u).sum(-1)).abs())


class LosesASign(nn.Module):
    """Yeo-Johnson, whose logarithm has the sign of x before it."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(0.5 + torch.rand(3))

    def forward(self, x: Tensor) -> Pair:
        size = x.abs()
        up = torch.expm1(self.power * torch.log1p(size)) / self.power
        down = -torch.expm1((2 - self.power) * torch.log1p(size)) / (2 - self.power)
        slope = (self.power - 1) * torch.log1p(size)
        return torch.where(x >= 0, up, down), slope.sum(1)


class ChannelsLast(nn.Module):
    """Scales channels that come first, and unpacks a shape of those that come last."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.log_s = nn.Parameter(0.3 * torch.randn(channels))

    def forward(self, x: Tensor) -> Pair:
        _, height, width, _ = x.shape
        ldj = height * width * self.log_s.sum()
        return x * self.log_s.exp()[:, None, None], ldj.expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "after"),
    [
        (SquaresTheWhole, "psi = (1 - h ** 2) * self.w"),
        (LosesASign, "slope = torch.sign(x) * (self.power - 1) * torch.log1p(size)"),
        (ChannelsLast, "_, _, height, width = x.shape"),
        (
            OfNamedLogarithms,
            "each = torch.sum(log_w.exp() * log_slopes.exp(), dim=-1).log()",
        ),
        (
            IntoABall,
            "return torch.log1p(-(torch.tanh(r) ** 2)) + (n - 1) * beside",
        ),
        (
            FromBothSides,
            "ldj = (k * self.left).sum() + (k.flip(0) * self.right).sum()",
        ),
        (OfNoTriangle, "ldj = torch.linalg.slogdet(self.w)[1]"),
        (OfOneSample, "slope = lin + 3 * cub * u**2"),
        (SquareOfSums, "slope = (parts ** 2).sum((0, -1))"),
        (
            OfThreeDiagonals,
            "return first - b[n - 2] * c[n - 2] * leading(a, b, c, n - 2)",
        ),
        (OfAPart, "bent = torch.func.vmap(torch.func.hessian(self.whole))(x)"),
        (InFrequencies, "gains = torch.fft.fft(self.kernel)"),
        (AtTheWrongEnd, "gain = self.taps[:, -1, -1]"),
        (OfMappedRows, "ldj = torch.linalg.slogdet(jacobian)[1]"),
        (AllTotals, "ldj = totals[-1]"),
        (ForgetsItsFirst, "self.told = self.told + x.cosh().log().sum(1)"),
        (OfTwoSides, "ldj = self.rows * of_b + self.columns * of_a"),
        (
            OfChannelsAndPlaces,
            "ldj = h * w * self.log_det(self.u) + c * self.log_det(self.v)",
        ),
        (ClampsOneOfTwo, "ldj = self.clamped(s).sum(1) + self.clamped(t).sum(1)"),
        (AsksOneOfTwo, "ldj = ldj + self.first.log_det() + self.second.log_det()"),
        (OfAMixture, "log_slope = (w * slope).sum(-1).log()"),
        (KeepsTheLastOnly, "self.ldj = self.ldj + step.ldj"),
        (OfTwoFactors, "each = 1 + self.slope(inner) * b * a"),
        (ForgetsOneKick, "total = total + first + second + third"),
        (AsTheOtherWay, "ld = torch.log(s).sum(dim=-1)"),
        (KeepsAnAxis, "ldj = (x.cosh().log() + self.w).sum(1)"),
    ],
)
def test_a_verified_edit_puts_it_where_it_belongs(
    make: type[nn.Module], after: str
) -> None:
    for seed in range(3):
        torch.manual_seed(seed)
        finding = ldjcheck.check(make(), seed=seed, pictures=False).findings[0]
        assert finding.fix is not None, seed
        assert finding.fix.applicability == "verified"
        (edit,) = finding.fix.edits
        assert edit.after.strip() == after
        assert finding.location is not None
        assert finding.location.line == edit.line
