"""`torch.distributions.Transform`: one ldj entry per event, caches defeated."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.distributions.transforms as tt
from torch import Tensor
from torch.distributions import constraints

import ldjcheck
from ldjcheck.conventions import recognise_conventions

LOC, SCALE = torch.tensor([0.3, -1.0, 2.0, 0.5]), torch.tensor([0.5, -2.0, 1.5, 0.1])
LOWER = torch.tensor([[1.5, 0.0, 0.0], [-0.4, 0.6, 0.0], [0.2, 1.0, -0.8]])


class MatrixExp(tt.Transform):
    """exp of every entry of a matrix, which together are one event."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.independent(constraints.positive, 2)
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.sum((-2, -1))


def passes(layer: Any, **options: Any) -> ldjcheck.Report:
    report = ldjcheck.check(layer, **options)
    assert report.status == "pass", report
    assert report.result.convention == "transform"
    return report


BOTH_WAYS = {
    "event_dim 0": (tt.AffineTransform(LOC, SCALE), (4,)),
    "event_dim 0, images": (tt.AffineTransform(0.3, 2.0), (2, 3, 4)),
    "event_dim 1": (tt.AffineTransform(LOC, SCALE, event_dim=1), (4,)),
    "event_dim 1, rows": (tt.LowerCholeskyTransform, None),
    "event_dim 2": (MatrixExp(), (2, 3)),
    "event_dim 2, rows": (MatrixExp(), (4, 2, 3)),
    "exp": (tt.ExpTransform(), (4,)),
    "sigmoid": (tt.SigmoidTransform(), (4,)),
    "tanh": (tt.TanhTransform(), (4,)),
    "softplus": (tt.SoftplusTransform(), (4,)),
    "power": (tt.PowerTransform(torch.tensor(1.7)), (4,)),
    "stick breaking": (tt.StickBreakingTransform(), None),
    "inverse": (tt.ExpTransform().inv, (4,)),
    "inverse of an inverse": (tt.SigmoidTransform().inv.inv, (4,)),
    "compose": (
        tt.ComposeTransform([tt.AffineTransform(LOC, SCALE), tt.TanhTransform()]),
        (4,),
    ),
    "compose, inverse": (
        tt.ComposeTransform([tt.AffineTransform(1.0, 2.0), tt.ExpTransform()]).inv,
        (4,),
    ),
    "independent": (tt.IndependentTransform(tt.ExpTransform(), 1), (4,)),
    "reshape": (tt.ReshapeTransform((6,), (2, 3)), (6,)),
    "compose with reshape": (
        tt.ComposeTransform(
            [
                tt.IndependentTransform(tt.ExpTransform(), 1),
                tt.ReshapeTransform((6,), (2, 3)),
            ]
        ),
        (6,),
    ),
    "stack": (
        tt.StackTransform([tt.ExpTransform(), tt.AffineTransform(1.0, 3.0)], dim=1),
        (2,),
    ),
    "cat": (
        tt.CatTransform(
            [tt.ExpTransform(), tt.SigmoidTransform()], dim=1, lengths=[2, 3]
        ),
        (5,),
    ),
    "cached": (tt.AffineTransform(LOC, SCALE, cache_size=1), (4,)),
    "cached exp": (tt.ExpTransform(cache_size=1), (4,)),
    "cached inverse": (tt.SigmoidTransform(cache_size=1).inv, (4,)),
}
DIMS_CHANGE = ("event_dim 1, rows", "stick breaking")


@pytest.mark.thinned(6)
@pytest.mark.parametrize("name", [n for n in BOTH_WAYS if n not in DIMS_CHANGE])
def test_a_right_transform_passes_both_ways(name: str) -> None:
    transform, shape = BOTH_WAYS[name]
    report = passes(transform, shape=shape)
    assert {c.status for c in report.checks} == {"pass"}


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "name", ["exp", "event_dim 1", "event_dim 2", "reshape", "cached", "compose"]
)
def test_its_shape_need_not_be_said(name: str) -> None:
    passes(BOTH_WAYS[name][0])


@pytest.mark.parametrize(
    ("transform", "domain"),
    [
        (tt.ExpTransform(), "real"),
        (tt.ExpTransform().inv, "positive"),
        (tt.SigmoidTransform().inv, "unit"),
        (tt.TanhTransform().inv, "interval:-1:1"),
        (tt.PowerTransform(torch.tensor(2.0)), "positive"),
    ],
)
def test_the_declared_domain_is_honoured(transform: Any, domain: str) -> None:
    said = passes(transform, shape=(4,)).result.inferred["domain"]
    assert said == f"{domain}: declared by the layer"


# Mistakes


class Wrong(tt.AffineTransform):
    """Forgets the abs of its scale's logarithm, or whatever `ldj` says."""

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.ldj(x, y)

    def ldj(self, x: Tensor, y: Tensor) -> Tensor:
        return -super().log_abs_det_jacobian(x, y)


class Reciprocal(tt.ExpTransform):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -x


class SummedTwice(tt.AffineTransform):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return super().log_abs_det_jacobian(x, y).sum(-1, keepdim=True).expand(x.shape)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: t.inv])
@pytest.mark.parametrize("cache", [0, 1])
def test_a_flipped_sign_is_found_through_caches_and_inverses(
    wrap: Any, cache: int
) -> None:
    report = ldjcheck.check(wrap(Wrong(LOC, SCALE, cache_size=cache)), shape=(4,))
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ104"


def test_the_worst_sample_is_held_to_what_it_is_allowed_itself() -> None:
    steps = [tt.AffineTransform(1.0, 2.0), tt.SigmoidTransform()]
    for check in ldjcheck.check(tt.ComposeTransform(steps)).checks:
        if check.worst is not None:
            assert check.tolerance is not None
            assert check.worst <= check.tolerance


@pytest.mark.slow
def test_a_sum_where_one_number_per_element_is_promised_is_wrong() -> None:
    report = ldjcheck.check(SummedTwice(LOC, SCALE), shape=(4,))
    assert report.status == "fail"


def test_the_inverse_of_a_wrong_transform_negates_its_mistake_and_makes_none() -> None:
    report = ldjcheck.check(Reciprocal(), shape=(3,))
    assert [c.status for c in report.checks[:2]] == ["fail", "fail"]
    wrong = [(f.code, f.direction) for f in report.findings if f.severity == "error"]
    assert wrong == [("LDJ104", "forward")]


class StaleInverse(tt.ExpTransform):
    """Its inverse is wrong; a round trip through the cache would not show it."""

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log() + 0.5


@pytest.mark.slow
def test_the_cache_does_not_stand_in_for_the_inverse() -> None:
    report = ldjcheck.check(StaleInverse(cache_size=1), shape=(3,))
    assert report.status == "fail"
    assert "LDJ301" in [f.code for f in report.findings]


class Frozen(tt.ExpTransform):
    """Remembers the first log-derivative it computed, and returns it ever after."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Tensor | None = None

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if self.kept is None or self.kept.shape != x.shape:
            self.kept = x
        return self.kept


@pytest.mark.slow
def test_a_stale_value_of_the_layers_own_is_found() -> None:
    assert ldjcheck.check(Frozen(), shape=(3,)).status == "fail"


# Recognition


@pytest.mark.parametrize(
    ("transform", "before", "after"),
    [
        (tt.ExpTransform(), 0, 0),
        (tt.AffineTransform(0.0, 1.0, event_dim=2), 2, 2),
        (tt.ReshapeTransform((6,), (2, 3)), 1, 2),
        (tt.ReshapeTransform((6,), (2, 3)).inv, 2, 1),
    ],
)
def test_the_event_dim_is_that_of_what_goes_in(
    transform: Any, before: int, after: int
) -> None:
    calls = recognise_conventions(transform)[0]
    assert calls.forward is not None
    assert calls.inverse is not None
    assert (calls.forward.event_dim, calls.inverse.event_dim) == (before, after)


def test_a_transform_onto_the_simplex_is_compared_in_a_chart() -> None:
    report = passes(tt.StickBreakingTransform(), shape=(3,))
    assert "left out" in report.result.inferred["chart"]


def test_a_module_of_freia_or_a_lazy_zuko_transform_is_known_by_its_signature() -> None:
    fm = pytest.importorskip("FrEIA.modules")
    zuko = pytest.importorskip("zuko")
    act = fm.ActNorm([(4,)])
    lazy = zuko.flows.MaskedAutoregressiveTransform(4, hidden_features=(8,))
    assert next(c.convention for c in recognise_conventions(act)) == "freia"
    assert next(c.convention for c in recognise_conventions(lazy)) == "lazy-transform"


def test_a_lazy_transform_of_ones_own_need_not_say_what_it_builds() -> None:
    lazy = pytest.importorskip("zuko.lazy")

    class Own(lazy.LazyTransform):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.log_scale = torch.nn.Parameter(torch.linspace(-0.5, 0.5, 4))

        def forward(self, c=None):
            return tt.AffineTransform(0.0, self.log_scale.exp(), event_dim=1)

    report = ldjcheck.check(Own())
    assert report.status == "pass", report
    assert report.result.convention == "lazy-transform"


def test_scaling_by_a_declares_log_a_per_element() -> None:
    report = passes(tt.AffineTransform(0.0, 3.0), shape=(5,))
    assert report.checks[0].samples[0].exact == pytest.approx(5 * math.log(3))
    assert [d.reported for d in report.checks[0].dimensions] == pytest.approx(
        [math.log(3)] * 5
    )


class WrongTanh(tt.TanhTransform):
    def log_abs_det_jacobian(self, x, y):
        return 2 * (math.log(2) - x - torch.nn.functional.softplus(-x))


@pytest.mark.slow
def test_an_inverse_that_a_library_derives_repeats_no_mistake() -> None:
    report = ldjcheck.check(WrongTanh(), shape=(4,))
    assert report.status == "fail"
    assert {f.direction for f in report.findings} == {"forward"}


@pytest.mark.parametrize(
    "holder",
    [
        torch.distributions.Gumbel(0.0, 1.0),
        torch.distributions.Kumaraswamy(torch.tensor(2.0), torch.tensor(1.5)),
        torch.distributions.Independent(
            torch.distributions.TransformedDistribution(
                torch.distributions.Normal(torch.zeros(3), 1.0), [tt.TanhTransform()]
            ),
            1,
        ),
    ],
)
def test_a_distribution_is_opened_where_its_whole_transform_is_finite(
    holder: Any,
) -> None:
    assert ldjcheck.check(holder).status == "pass"


def test_a_matrix_of_numbers_and_lists_of_indices_tell_the_size_of_an_event() -> None:
    class Halves(tt.Transform):
        domain = codomain = torch.distributions.constraints.real_vector
        bijective = True

        def __init__(self) -> None:
            super().__init__()
            self.kept, self.moved = torch.tensor([0, 2]), torch.tensor([1])

        def _call(self, x: Tensor) -> Tensor:
            y = torch.empty_like(x)
            y[..., self.kept] = x[..., self.kept]
            y[..., self.moved] = 2 * x[..., self.moved]
            return y

        def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
            return x.new_full(x.shape[:-1], math.log(2.0))

    matrix = tt.AffineTransform(torch.ones(2, 3), torch.full((2, 3), 0.5), event_dim=2)
    assert passes(matrix).checks[0].shape == (2, 3)
    assert passes(Halves()).checks[0].shape == (3,)


class DeclaresText(tt.Transform):
    """It has no domain, and its `event_dim` is text, which counts no axes."""

    bijective = True
    event_dim = "0"

    def _call(self, x: Tensor) -> Tensor:
        return 2 * x

    def _inverse(self, y: Tensor) -> Tensor:
        return y / 2

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.full_like(x, 2.0).log().sum(-1)


def test_an_event_dim_that_is_no_number_declares_nothing() -> None:
    assert ldjcheck.check(DeclaresText(), shape=(4,)).status == "pass"
