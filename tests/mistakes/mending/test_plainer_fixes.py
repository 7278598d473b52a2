"""A fix that is run is one that a person would write, wherever there is one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints
from torch.func import jacrev, vmap

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


def mended(layer: object) -> str:
    finding = ldjcheck.check(layer).findings[0]
    assert finding.fix is not None, str(finding)
    assert finding.fix.applicability == "verified"
    (edit,) = finding.fix.edits
    return edit.after


class PlacesBeforeTheSqueeze(nn.Module):
    """Counts the places of what came in, of which a fourth is left."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.linspace(-0.4, 0.5, 8))

    def forward(self, x: Tensor) -> Pair:
        z = torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)
        ldj = self.log_s.sum() * x.shape[2] * x.shape[3]
        return z * self.log_s.exp()[:, None, None], ldj.expand(len(x))


@pytest.mark.slow
def test_places_are_counted_of_the_tensor_that_is_scaled() -> None:
    assert "z.shape[2] * z.shape[3]" in mended(PlacesBeforeTheSqueeze())


class SizeOfTheLogarithm(nn.Module):
    """What training may turn has to be turned back before its logarithm is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.7, 1.4, 0.2]))

    def forward(self, x: Tensor) -> Pair:
        return x * self.w, self.w.log().abs().sum().expand(len(x))


def test_a_size_is_taken_before_the_logarithm() -> None:
    assert "self.w.abs().log()" in mended(SizeOfTheLogarithm())


class WithoutSize(SizeOfTheLogarithm):
    def forward(self, x: Tensor) -> Pair:
        return x * self.w, torch.log(self.w).sum().expand(len(x))


def test_a_size_is_taken_in_the_words_of_torch_where_the_logarithm_is() -> None:
    assert "torch.log(torch.abs(self.w)).sum()" in mended(WithoutSize())


class Sinh(nn.Module):
    """y = sinh(x), whose ldj is added up, and has a term that belongs to no step."""

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.log(torch.cosh(x)).sum(1)
        ldj += torch.sin(x).sum(1)
        return torch.sinh(x), ldj


class SinhInAList(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        terms = [torch.log(torch.cosh(x)).sum(1)]
        terms.append(torch.sin(x).sum(1))
        return torch.sinh(x), sum(terms)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [Sinh, SinhInAList])
def test_a_term_too_many_goes_with_the_statement_that_adds_it(layer: type) -> None:
    assert mended(layer()) == ""


class Widened(Transform):
    """Each entry has an ldj of its own, to which the constant belongs once."""

    domain = codomain = constraints.real
    bijective = True
    sign = +1

    def __init__(self, width: float = math.pi) -> None:
        super().__init__()
        self.width = width

    def _call(self, x: Tensor) -> Tensor:
        return self.width * torch.sinh(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return torch.asinh(y / self.width)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.log(torch.cosh(x))


@pytest.mark.slow
def test_a_constant_counts_once_where_nothing_is_summed() -> None:
    assert mended(Widened()).endswith("+ math.log(self.width)")


class Alternating(nn.Module):
    """A power series whose signs should alternate, added up in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.3, -0.2, 0.25]))

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.zeros(len(x))
        a = 0.5 * torch.tanh(self.a)
        for k in range(1, 41):
            ldj = ldj + (a**k).sum() / k
        return x * (1 + a), ldj


@pytest.mark.slow
def test_a_total_of_earlier_rounds_is_not_turned() -> None:
    finding = ldjcheck.check(Alternating()).findings[0]
    after = [] if finding.fix is None else [edit.after for edit in finding.fix.edits]
    assert not any("-(ldj" in text for text in after)


class ForgetsWhatIsPassed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2, 0.4]))

    def forward(self, x: Tensor, ldj: Tensor | None = None) -> Pair:
        ldj = torch.zeros(len(x))
        return x * self.log_s.exp(), ldj + self.log_s.sum()


def test_a_total_starts_at_zero_only_where_none_is_passed() -> None:
    assert "if ldj is None:" in mended(ForgetsWhatIsPassed())


class BoundedScale(nn.Module):
    """A bound that changes nothing at the numbers at hand is a part of the step."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.linspace(-0.4, 0.5, 4))

    def forward(self, x: Tensor) -> Pair:
        y = x * self.w.clamp(-5, 5).exp()
        return y, torch.tanh(self.w).sum().expand(len(x))


def test_a_bound_that_is_not_met_stays_in_what_is_written() -> None:
    assert "self.w.clamp(-5, 5).sum()" in mended(BoundedScale())


class SignOfTheDeterminant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.eye(3) + 0.2 * torch.randn(3, 3))

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.linalg.slogdet(self.w)[0]
        return x @ self.w.T, ldj.expand(len(x))


class TwiceTheHeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.linspace(-0.4, 0.5, 2))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_s.sum() * x.size(2) * x.size(2)
        return x * self.log_s.exp()[:, None, None], ldj.expand(len(x))


@pytest.mark.slow
def test_one_index_is_all_that_is_wrong() -> None:
    assert "slogdet(self.w)[1]" in mended(SignOfTheDeterminant())
    report = ldjcheck.check(TwiceTheHeight(), shape=(2, 4, 6))
    fix = report.findings[0].fix
    assert fix is not None
    assert "x.size(2) * x.size(3)" in fix.edits[0].after


class Scaled(nn.Module):
    """A scale for each dim, whose ldj is spoilt by a statement of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.6, 0.2]))

    def total(self, x: Tensor) -> Tensor:
        return self.log_s.sum().repeat(len(x))


class NamedAnewDoubled(Scaled):
    def forward(self, x: Tensor) -> Pair:
        ldj = self.total(x)
        ldj = ldj * 2
        return x * self.log_s.exp(), ldj


class DoubledInPlace(Scaled):
    def forward(self, x: Tensor) -> Pair:
        ldj = self.total(x)
        ldj *= 2
        return x * self.log_s.exp(), ldj


class NamedAnewTurned(Scaled):
    def forward(self, x: Tensor) -> Pair:
        ldj = self.total(x)
        ldj = -ldj
        return x * self.log_s.exp(), ldj


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [NamedAnewDoubled, DoubledInPlace, NamedAnewTurned])
def test_a_statement_that_does_nothing_but_spoil_the_ldj_is_taken_out(
    layer: type,
) -> None:
    assert mended(layer()).strip() == ""


class ReducedByName(nn.Module):
    """Says by a word how it is reduced, and takes four dims alone."""

    def __init__(self) -> None:
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-0.3, 0.4, 4))
        self.net = nn.Linear(2, 4)
        self.reduction = "mean"

    def forward(self, x: Tensor) -> Pair:
        a, b = (x * self.log_a.exp()).chunk(2, dim=1)
        log_s, t = self.net(a).chunk(2, dim=1)
        ldj = self.log_a.sum() + getattr(log_s, self.reduction)(dim=1)
        return torch.cat([a, b * log_s.exp() + t], dim=1), ldj


@pytest.mark.slow
def test_a_mean_is_not_doubled_where_two_is_the_size_that_it_is_taken_over() -> None:
    (finding,) = ldjcheck.check(ReducedByName()).findings
    assert finding.name == "mean-not-sum"
    assert finding.fix is None


class Squashed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.4, -0.7]))

    def forward(self, x: Tensor) -> Pair:
        y = x * self.log_s.exp()
        ldj = self.log_s.sum().expand(len(x))
        ldj = torch.tanh(ldj)
        return y, ldj


@pytest.mark.slow
def test_no_line_is_put_where_it_never_runs() -> None:
    fix = ldjcheck.check(Squashed()).findings[0].fix
    assert fix is not None
    assert fix.applicability == "verified"
    assert [(edit.before.strip(), edit.after.strip()) for edit in fix.edits] == [
        (
            "ldj = self.log_s.sum().expand(len(x))",
            "ldj = x.new_zeros(x.shape[0]) + self.log_s.sum()",
        ),
        ("ldj = torch.tanh(ldj)", ""),
    ]


class AddsBothWays(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        z = z / self.s.exp() if reverse else z * self.s.exp()
        ldj = ldj + self.s.sum()
        return z, ldj


def test_after_an_edit_that_breaks_the_way_there_another_one_mends_the_way_back() -> (
    None
):
    assert mended(AddsBothWays()).endswith(
        "ldj = ldj + (-self.s.sum() if reverse else self.s.sum())"
    )


class HeightOfItsOwnSize(nn.Module):
    """Counts rows alone, of a size that it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.size = (2, 4, 6)
        self.log_s = nn.Parameter(torch.linspace(-0.4, 0.5, 2))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_s.sum() * self.size[1]
        return x * self.log_s.exp()[:, None, None], ldj.expand(len(x))


@pytest.mark.slow
def test_no_size_that_is_held_stays_beside_one_of_x() -> None:
    after = mended(HeightOfItsOwnSize())
    assert "x.shape[2] * x.shape[3]" in after
    assert "self.size" not in after


class LogitOfPixels(nn.Module):
    """Squeezes x into the open interval first, and counts that in a constant."""

    alpha = 0.05

    def forward(self, x: Tensor) -> Pair:
        c, h, w = x.shape[1:]
        const = math.log(1 + self.alpha) * c * h * w
        s = self.alpha / 2 + (1 - self.alpha) * x
        ldj = (-torch.log(s) - torch.log1p(-s)).flatten(1).sum(1) + const
        return torch.log(s) - torch.log1p(-s), ldj


class LogitInTwoNames(LogitOfPixels):
    """The same with the constant made of another one."""

    def forward(self, x: Tensor) -> Pair:
        each = math.log(1 + self.alpha)
        const = each * x[0].numel()
        s = self.alpha / 2 + (1 - self.alpha) * x
        total = (-torch.log(s) - torch.log1p(-s)).flatten(1).sum(1)
        return torch.logit(s), total + const


@pytest.mark.slow
@pytest.mark.parametrize("layer", [LogitOfPixels, LogitInTwoNames])
def test_a_constant_is_mended_where_it_is_made(layer: type[nn.Module]) -> None:
    """No tape has it: what the blamed statement names is followed to where it is made."""
    assert "math.log(1 - self.alpha)" in mended(layer())


class DeterminantOfTheStep(nn.Module):
    """A step along a field, whose own Jacobian is taken behind it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.field = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 2))

    def forward(self, x: Tensor) -> Pair:
        moved = x + 0.3 * self.field(x)
        slopes = vmap(jacrev(self.field))(moved)
        step = torch.eye(2, dtype=x.dtype) + 0.3 * slopes
        return moved, torch.linalg.slogdet(step)[1]


@pytest.mark.slow
def test_so_is_the_jacobian_of_another_function() -> None:
    assert "vmap(jacrev(self.field))(x)" in mended(DeterminantOfTheStep())


class MixesPositions(nn.Module):
    """Mixes positions by a matrix for each head, and counts heads for their entries."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.n_heads, self.head_dim = 2, 3
        self.to_mix = nn.Linear(2, self.n_heads)

    def forward(self, x: Tensor) -> Pair:
        a, v = x[..., :2], x[..., 2:]
        score = self.to_mix(a).permute(0, 2, 1)
        eye = torch.eye(x.shape[1], dtype=x.dtype)
        mix = 0.3 * torch.tanh(score[..., None] * score[..., None, :]) + 2 * eye
        heads = v.reshape(*v.shape[:2], self.n_heads, self.head_dim)
        out = torch.einsum("bhij,bjhd->bihd", mix, heads).reshape(v.shape)
        ldj = torch.linalg.slogdet(mix)[1].sum(dim=1) * self.n_heads
        return torch.cat([a, out], dim=-1), ldj


@pytest.mark.slow
def test_one_number_that_is_held_stands_for_another() -> None:
    assert ".sum(dim=1) * self.head_dim" in mended(MixesPositions())


class Whitened(nn.Module):
    """Two triangular factors, of which one direction counts one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lower = nn.Parameter(0.5 * torch.randn(4, 4))
        self.upper = nn.Parameter(0.5 * torch.randn(4, 4))

    def factors(self) -> Pair:
        d = torch.diagonal(self.lower)
        lower = torch.tril(self.lower, -1) + torch.diag(torch.nn.functional.softplus(d))
        upper = torch.triu(self.upper, 1) + torch.diag(torch.diagonal(self.upper).exp())
        return lower, upper

    def forward(self, x: Tensor) -> Pair:
        lower, upper = self.factors()
        white = torch.linalg.solve_triangular(lower, x.mT, upper=False)
        ldj = torch.diagonal(upper).log().sum()
        return (upper @ white).mT, ldj.expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        lower, upper = self.factors()
        x = (lower @ torch.linalg.solve_triangular(upper, y.mT, upper=True)).mT
        ldj = torch.diagonal(lower).log().sum() - torch.diagonal(upper).log().sum()
        return x, ldj.expand(len(y))


@pytest.mark.slow
def test_a_term_is_written_as_the_other_direction_writes_it() -> None:
    assert "torch.diagonal(lower).log().sum()" in mended(Whitened())


class OntoAnInterval(nn.Module):
    """A sigmoid, of whose derivative one factor is left out of a sum over the dims."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.linspace(-0.4, 0.5, 3))

    def forward(self, x: Tensor) -> Pair:
        t = x * self.a.exp()
        ldj = torch.sum(torch.nn.functional.logsigmoid(t) + self.a, dim=-1)
        return torch.sigmoid(t), ldj


def test_what_each_dim_lacks_is_added_inside_the_sum() -> None:
    assert "+ torch.log(1 - torch.sigmoid(t)), dim=-1)" in mended(OntoAnInterval())


class InBits(nn.Module):
    """Two logarithms of base two, in one statement beside a natural one."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.linspace(-0.4, 0.5, 3))

    def forward(self, x: Tensor) -> Pair:
        y = x * self.a.exp() * 3 / 5
        ldj = x[0].numel() * (math.log2(3) - math.log2(5))
        ldj = ldj + self.a.sum()
        return y, ldj.expand(len(x))


def test_all_logarithms_of_a_statement_become_natural_at_once() -> None:
    assert "(math.log(3) - math.log(5))" in mended(InBits())


class SharedByBothWays(nn.Module):
    """Adds the same to the total on either way: each in a line of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.linspace(-0.4, 0.5, 3))

    def forward(self, x: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        step = self.w.sum()
        if reverse:
            x = x * (-self.w).exp()
            ldj = ldj + step.repeat(len(x))
        else:
            x = x * self.w.exp()
            ldj = ldj + step.repeat(len(x))
        return x, ldj


def test_a_sign_of_one_way_is_turned_in_its_own_line() -> None:
    assert "ldj = ldj - step.repeat(len(x))" in mended(SharedByBothWays())


class AveragedBase(nn.Module):
    """A flow that returns z and its ldj, whose base is a mean over the dims."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.linspace(-0.4, 0.5, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        log_p = -0.5 * (z**2 + math.log(2 * math.pi)).mean(dim=1)
        return log_p + ldj


@pytest.mark.slow
def test_a_base_that_is_averaged_is_summed_where_it_stands() -> None:
    finding = ldjcheck.check(AveragedBase()).findings[0]
    assert finding.code == "LDJ105", finding
    assert finding.fix is not None
    assert "(z**2 + math.log(2 * math.pi)).sum(dim=1)" in finding.fix.edits[0].after
