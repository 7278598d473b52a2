"""Maps that cannot be undone are no passes; maps that only saturate are no mistakes."""

from __future__ import annotations

import math

import pytest
import torch
from last_bits import other_last_bits
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


def codes(layer: nn.Module, shape: tuple[int, ...] = (4,)) -> list[tuple[str, str]]:
    report = ldjcheck.check(layer, shape=shape)
    return [(f.code, f.severity) for f in report.findings]


class Repeated(nn.Module):
    """Writes the first half twice; its formula forgets that."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.3, -0.4]))

    def forward(self, x: Tensor) -> Pair:
        half = x[:, :2] * self.a.exp()
        return torch.cat([half, half], 1), self.a.sum().expand(len(x))


class Outer(nn.Module):
    """Mixes dims by a matrix of rank one, in which rounding leaves a determinant."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.linspace(0.5, 1.5, 4))
        self.b = nn.Parameter(torch.linspace(-1.0, 2.0, 4))

    def forward(self, x: Tensor) -> Pair:
        weight = torch.outer(self.a, self.b)
        return x @ weight, torch.linalg.slogdet(weight)[1].expand(len(x))


def test_a_map_that_loses_dims_is_not_invertible() -> None:
    assert codes(Repeated())[0] == ("LDJ304", "error")
    assert codes(Outer())[0] == ("LDJ304", "error")


LEFT_OF_ZERO = (-math.inf, -36.7, -74.0, -105.2, -118.0)
"""Log of what rounding leaves of a determinant of rank one: another on each processor."""


class Claiming(Outer):
    """The same with a number in place of what rounding leaves."""

    def __init__(self, claimed: float) -> None:
        super().__init__()
        self.claimed = claimed

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, torch.full_like(ldj, self.claimed)


@pytest.mark.parametrize("left", LEFT_OF_ZERO)
def test_whatever_rounding_leaves_of_a_determinant_rank_is_lost(left: float) -> None:
    assert codes(Claiming(left)) == [("LDJ304", "error")]


def test_a_volume_too_small_to_differentiate_is_no_rest_of_rounding() -> None:
    assert codes(Claiming(-400.0)) == [("LDJ304", "unproven")]


class Mixed(nn.Module):
    """Mixes dims by a matrix that is held in float32, and not learned."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Pair:
        return x @ self.weight, torch.linalg.slogdet(self.weight)[1].expand(len(x))


def of_rank(rank: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return a 6 x 6 matrix that is regular by rounding alone where rank is less."""
    draw = torch.Generator().manual_seed(rank)
    left = torch.randn(6, rank, generator=draw, dtype=dtype)
    return left @ torch.randn(rank, 6, generator=draw, dtype=dtype)


def squeezing(smallest: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return a 6 x 6 matrix whose singular values fall off step by step."""
    draw = torch.Generator().manual_seed(6)
    pair = torch.randn(2, 6, 6, generator=draw, dtype=torch.float64)
    left, right = torch.linalg.qr(pair).Q
    sizes = torch.logspace(math.log10(smallest), 0, 6, dtype=torch.float64)
    return ((left * sizes) @ right).to(dtype)


@pytest.mark.thinned(6)
@pytest.mark.parametrize("rank", range(1, 6))
def test_what_only_the_rounding_of_float32_makes_regular_has_lost_rank(
    rank: int,
) -> None:
    assert codes(Mixed(of_rank(rank)), (6,)) == [("LDJ304", "error")]
    assert codes(Mixed(of_rank(rank, torch.float64)), (6,)) == [("LDJ304", "error")]


def test_the_finding_says_that_it_was_float32() -> None:
    (finding,) = ldjcheck.check(Mixed(of_rank(2)), shape=(6,)).findings
    assert finding.evidence[0] == (
        "the determinant is 0 but for what float32's rounding has left: numbers that "
        "float32 cannot tell apart make it any other"
    )


def test_a_matrix_beyond_the_digits_of_float32_is_ill_conditioned() -> None:
    (finding,) = ldjcheck.check(Mixed(squeezing(1e-9)), shape=(6,)).findings
    assert (finding.code, finding.severity) == ("LDJ402", "unproven")
    assert finding.message == (
        "The Jacobian is too ill-conditioned for float32, in which it is made."
    )
    assert codes(Mixed(squeezing(1e-4)), (6,)) == []
    assert codes(Mixed(of_rank(6)), (6,)) == []


class Regularised(nn.Module):
    """A learned matrix of low rank, and a little of the identity."""

    little = 1e-3

    def __init__(self) -> None:
        super().__init__()
        self.thin = nn.Parameter(of_rank(2)[:, :2])

    def forward(self, x: Tensor) -> Pair:
        weight = self.thin @ self.thin.T + self.little * torch.eye(6)
        return x @ weight, torch.linalg.slogdet(weight)[1].expand(len(x))


class HardlyRegularised(Regularised):
    """So little of it that float32 adds nothing."""

    little = 1e-8


def test_what_float32_cannot_add_is_ill_conditioned_although_float64_can() -> None:
    assert codes(HardlyRegularised(), (6,)) == [("LDJ402", "unproven")]
    assert codes(Regularised(), (6,)) == []


class HeldInNumpy(nn.Module):
    """Keeps its float32 matrix as a NumPy array."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight.numpy()

    def forward(self, x: Tensor) -> Pair:
        weight = torch.from_numpy(self.weight).to(x.dtype)
        return x @ weight, torch.linalg.slogdet(weight)[1].expand(len(x))


@pytest.mark.slow
def test_an_array_of_numpy_is_rounded_as_a_tensor_is() -> None:
    assert codes(HeldInNumpy(of_rank(3)), (6,)) == [("LDJ304", "error")]
    assert codes(HeldInNumpy(of_rank(6)), (6,)) == []


class Steps(nn.Module):
    """Squeezes step by step, each of which float32 knows: no digit is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("turn", torch.linalg.qr(of_rank(6)).Q)
        self.register_buffer("logs", torch.linspace(-20.0, 0.0, 6))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.logs.sum() + 2 * torch.linalg.slogdet(self.turn)[1]
        return (x @ self.turn * self.logs.exp()) @ self.turn, ldj.expand(len(x))


def test_a_bad_condition_alone_is_no_doubt_where_each_step_is_known() -> None:
    assert codes(Steps(), (6,)) == []


class Hilbert(nn.Module):
    """A regular matrix, of which rounding leaves less and less the larger it is."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        i = torch.arange(dims, dtype=torch.float64)
        self.register_buffer("weight", 1 / (i[:, None] + i + 1))

    def forward(self, x: Tensor) -> Pair:
        return x @ self.weight, torch.linalg.slogdet(self.weight)[1].expand(len(x))


@pytest.mark.parametrize("dims", [10, 12, 14])
def test_what_is_squeezed_step_by_step_is_ill_conditioned_and_not_lost(
    dims: int,
) -> None:
    assert codes(Hilbert(dims), (dims,)) == [("LDJ402", "unproven")]


LAYERS = {
    "rank one": lambda: Outer(),
    "half of it twice": lambda: Repeated(),
    "rank two in float32": lambda: Mixed(of_rank(2)),
    "rank two in float64": lambda: Mixed(of_rank(2, torch.float64)),
    "beyond float32": lambda: Mixed(squeezing(1e-9)),
    "beyond float64": lambda: Mixed(squeezing(1e-15, torch.float64)),
    "regular": lambda: Mixed(of_rank(6)),
    "Hilbert": lambda: Hilbert(12),
}


@pytest.mark.thinned(10)
@pytest.mark.parametrize("name", LAYERS)
def test_last_bits_decide_nothing_about_rank(name: str) -> None:
    dims = {"rank one": 4, "half of it twice": 4, "Hilbert": 12}.get(name, 6)
    plain = codes(LAYERS[name](), (dims,))
    for seed in range(3):
        with other_last_bits(seed):
            assert codes(LAYERS[name](), (dims,)) == plain


class Square(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return x**2, torch.log(2 * x.abs()).sum(1)


def test_a_right_formula_does_not_unfold_a_map() -> None:
    assert codes(Square()) == [("LDJ304", "error")]
    positive = ldjcheck.check(Square(), shape=(4,), domain="positive")
    assert positive.status == "pass"


class Waves(nn.Module):
    """x + a sin x, which folds where |a| > 1."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.full((4,), a))

    def forward(self, x: Tensor) -> Pair:
        slope = 1 + self.a * torch.cos(x)
        return x + self.a * torch.sin(x), slope.abs().log().sum(1)


def test_a_map_that_folds_for_some_parameters_is_unproven() -> None:
    assert codes(Waves(4.0)) == [("LDJ304", "unproven")]
    assert codes(Waves(0.1)) == []


class Planar(nn.Module):
    """x + u tanh(w x): one bend along w, in which it folds where w u < -1."""

    def __init__(self, along: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.linspace(0.6, 1.2, 4))
        self.u = nn.Parameter(along * self.w.detach() / (self.w @ self.w).detach())

    def forward(self, x: Tensor) -> Pair:
        h = torch.tanh(x @ self.w)
        slope = 1 + (1 - h**2) * (self.w @ self.u)
        return x + h[:, None] * self.u, slope.abs().log()


@pytest.mark.thinned(4)
@pytest.mark.parametrize("seed", range(4))
def test_a_fold_is_looked_for_where_a_few_samples_show_it_by_chance(seed: int) -> None:
    folded = ldjcheck.check(Planar(-3.5), shape=(4,), seed=seed)
    assert [f.code for f in folded.findings] == ["LDJ304"]
    straight = ldjcheck.check(Planar(0.5), shape=(4,), seed=seed)
    assert straight.status == "pass"


def test_parameters_that_stay_as_they_are_may_fold_by_themselves() -> None:
    report = ldjcheck.check(Planar(-3.5), shape=(4,), params="as-is")
    assert [f.code for f in report.findings] == ["LDJ304"]


class Steep(nn.Module):
    """So steep that the logistic function is flat at all inputs tried."""

    def forward(self, x: Tensor) -> Pair:
        z = 2000 * x
        ldj = nn.functional.logsigmoid(z) + nn.functional.logsigmoid(-z)
        return torch.sigmoid(z), (ldj + torch.tensor(2000.0).log()).sum(1)


def test_saturation_is_unproven_and_no_mistake() -> None:
    assert ldjcheck.check(Steep(), shape=(4,)).status == "unproven"


class Flip(nn.Module):
    """Turns every dim around: the sign of the determinant depends on the size alone."""

    def forward(self, x: Tensor) -> Pair:
        return -2 * x, x.shape[1] * torch.tensor(2.0).log().expand(len(x))


def test_turning_space_around_is_no_fold() -> None:
    assert ldjcheck.check(Flip()).status == "pass"


class Overflowing(nn.Module):
    """Right at small sizes; at 40 dims the product of scales is inf."""

    def forward(self, x: Tensor) -> Pair:
        scale = torch.full_like(x, 1e9)
        return x * scale, scale.prod(dim=1).log()


@pytest.mark.slow
def test_an_overflow_is_called_so() -> None:
    report = ldjcheck.check(Overflowing(), shape=(40,))
    assert report.findings[0].code == "LDJ213"
    assert "reported +inf, exact +828.931" in report.findings[0].evidence[0]
    assert ldjcheck.check(Overflowing(), shape=(4,)).status != "fail"


class Turned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.5, -0.2, 1.0]))

    def forward(self, x: Tensor) -> Pair:
        return x * self.a.exp(), -self.a.sum().expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        return y * torch.exp(-self.a), self.a.sum().expand(len(y))


class TurnedForward(Turned):
    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        return x, -ldj


@pytest.mark.slow
def test_a_sign_that_is_turned_both_ways_may_be_meant() -> None:
    found = codes(Turned(), (3,))
    assert found == [("LDJ104", "error"), ("LDJ104", "error"), ("LDJ403", "note")]
    assert ("LDJ403", "note") not in codes(TurnedForward(), (3,))


class SinhThrice(nn.Module):
    """Stretches what is far out past all numbers; it folds nowhere."""

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.zeros(len(x), dtype=x.dtype)
        for _ in range(3):
            ldj = ldj + torch.log(torch.cosh(x)).sum(1)
            x = torch.sinh(x)
        return x, ldj


def test_what_overflows_has_no_sign() -> None:
    codes = [finding.code for finding in ldjcheck.check(SinhThrice()).findings]
    assert "LDJ304" not in codes


class MadeAtTheFirstCall(nn.Module):
    """Draws its matrix at the first call, and so each copy has one of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight: nn.Parameter | None = None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.weight is None:
            drawn = torch.eye(x.shape[1]) + 0.7 * torch.randn(x.shape[1], x.shape[1])
            self.weight = nn.Parameter(drawn.to(x))
        return x @ self.weight.T, torch.linalg.slogdet(self.weight)[1].expand(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        assert self.weight is not None
        x = torch.linalg.solve(self.weight, y.T).T
        return x, -torch.linalg.slogdet(self.weight)[1].expand(len(y))


@pytest.mark.parametrize("seed", range(5))
def test_signs_of_different_copies_are_no_fold(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(MadeAtTheFirstCall(), seed=seed).status == "pass"
