"""Layers that add their ldj to a running total, by whatever name it goes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.conventions import CONVENTIONS, recognise_conventions

TOTALS = (
    "ldj", "sldj", "logdet", "log_det", "logabsdet", "log_abs_det", "logdets", "ladj",
    "log_det_jacobian", "log_abs_det_jacobian", "sum_log_abs_det_jacobians",
    "logdetJ", "log_jac", "objective", "sum_logdet", "jac", "logd",
)  # fmt: skip
DENSITIES = ("logp", "logpx", "log_p", "log_prob", "logpz", "delta_logp", "log_px")
FLAGS = ("reverse", "rev", "inverse", "invert", "inv", "backward", "sampling")

_SOURCE = """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))

    def forward(self, x, {total}{default}{flag}):
        if {back}:
            return (x - 1) * torch.exp(-self.scale), {total} - {sign}self.scale.sum()
        return x * self.scale.exp() + 1, {total} + {sign}self.scale.sum()
"""


def layer_with(
    total: str = "ldj", flag: str | None = "reverse", default: str = "", sign: int = 1
) -> nn.Module:
    """Return a right layer whose parameters have these names."""
    scope: dict[str, Any] = {"nn": nn, "torch": torch}
    exec(
        _SOURCE.format(
            total=total,
            default=default,
            flag=f", {flag}=False" if flag else "",
            back=flag or False,
            sign="" if sign > 0 else "-",
        ),
        scope,
    )
    return scope["Layer"]()


def assert_passes(layer: Any, **options: Any) -> ldjcheck.Report:
    report = ldjcheck.check(layer, shape=(4,), **options)
    assert report.status == "pass", report
    return report


@pytest.mark.parametrize("total", TOTALS)
def test_a_running_total_is_known_by_its_name(total: str) -> None:
    calls = recognise_conventions(layer_with(total))[0]
    assert (calls.convention, calls.accumulates, calls.sign) == ("accumulator", True, 1)
    assert total in calls.signature


@pytest.mark.parametrize("total", DENSITIES)
def test_a_log_density_is_reduced_by_the_ldj(total: str) -> None:
    calls = recognise_conventions(layer_with(total))[0]
    assert (calls.convention, calls.sign) == ("accumulator", -1)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("total", ["ldj", "sum_logdet", "log_abs_det_jacobian"])
@pytest.mark.parametrize("flag", FLAGS)
def test_both_directions_pass_without_a_word_from_the_user(
    total: str, flag: str
) -> None:
    report = assert_passes(layer_with(total, flag))
    assert {c.status for c in report.checks} == {"pass"}
    assert report.result.convention == "accumulator"


@pytest.mark.thinned(3)
@pytest.mark.parametrize("total", DENSITIES)
def test_a_density_that_is_reduced_passes_and_its_sign_is_told(total: str) -> None:
    report = assert_passes(layer_with(total, sign=-1))
    assert "log-density" in report.result.inferred["sign"]


@pytest.mark.slow
def test_a_density_that_grows_by_the_ldj_is_told_both_ways() -> None:
    report = ldjcheck.check(layer_with("logp", sign=1), shape=(4,))
    assert report.status == "unproven"
    assert report.findings[0].code == "LDJ405"


@pytest.mark.parametrize("default", ["=None", "=0.0"])
def test_a_total_with_a_default_is_passed_all_the_same(default: str) -> None:
    assert_passes(layer_with("ldj", default=default))


def test_what_was_concluded_is_said() -> None:
    said = assert_passes(layer_with("sldj")).result.inferred["convention"]
    assert said.startswith("accumulator")
    assert "'sldj'" in said


class InPlace(nn.Module):
    """Changes z and its total in place: the calls of one check must not share them."""

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        sign = -1.0 if reverse else 1.0
        ldj += sign * z.shape[1] * torch.log(torch.tensor(2.0))
        z *= 2.0**sign
        return z, ldj


class OutOfPlace(InPlace):
    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        return super().forward(1 * z, 1 * ldj, reverse)


class InverseByMethod(nn.Module):
    """Both directions take a total; the way back is a method."""

    def forward(self, z: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        return torch.exp(z), ldj + z.sum(1)

    def inverse(self, z: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        return torch.log(z), ldj - torch.log(z).sum(1)


class InverseOnly(nn.Module):
    """Its `inverse` takes no total and returns its own ldj."""

    def forward(self, z: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        return torch.exp(z), ldj + z.sum(1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.log(z), -torch.log(z).sum(1)


class OverwritesTotal(InverseByMethod):
    def forward(self, z: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        return torch.exp(z), z.sum(1)


class ScalesTotal(InverseByMethod):
    def forward(self, z: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        return torch.exp(z), 0.5 * ldj + z.sum(1)


class ScalarIgnored(nn.Module):
    """Loses the batch axis of the total."""

    def forward(self, z: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        return torch.exp(z), ldj.sum() + z.sum()


@pytest.mark.parametrize("layer", [OutOfPlace, InverseByMethod])
def test_methods_and_in_place_sums_are_right(layer: type[nn.Module]) -> None:
    assert {c.status for c in assert_passes(layer()).checks} == {"pass"}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [OverwritesTotal, ScalesTotal])
def test_a_total_that_does_not_come_back_is_a_mistake(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer(), shape=(3,))
    said = " ".join([report.findings[0].message, *report.findings[0].evidence])
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ204"
    assert "passed in" in said
    assert report.checks[3].status == "fail", "the contract is what is broken"


def test_a_total_that_loses_its_batch_is_a_mistake() -> None:
    report = ldjcheck.check(ScalarIgnored(), shape=(4,))
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ204"
    assert "mixed over the samples" in report.findings[0].message


FORMS = {
    "a column to a row": (lambda ldj, s: ldj + s.sum(1, keepdim=True), "LDJ201"),
    "a row to a column": (lambda ldj, s: ldj[:, None] + s.sum(1), "LDJ201"),
    "a column of both": (lambda ldj, s: (ldj + s.sum(1))[:, None], "LDJ201"),
    "every scale to the total": (lambda ldj, s: ldj[:, None] + s, "LDJ202"),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_total_of_another_shape_is_read_for_what_it_is(form: str) -> None:
    total, code = FORMS[form]

    class Misshapen(nn.Module):
        def forward(
            self, x: Tensor, ldj: Tensor, reverse: bool = False
        ) -> tuple[Tensor, Tensor]:
            if reverse:
                raise NotImplementedError
            return x.sinh(), total(ldj, x.cosh().log())

    report = ldjcheck.check(Misshapen(), shape=(4,))
    assert [f.code for f in report.findings] == [code]


def test_an_input_changed_in_place_is_a_mistake() -> None:
    report = ldjcheck.check(InPlace(), shape=(4,))
    assert report.status == "fail"
    assert "changes its input" in report.findings[0].message


@pytest.mark.parametrize("wanted", ["accumulator", "pair"])
def test_the_convention_can_be_overruled(wanted: str) -> None:
    class Both(nn.Module):
        """Fits both: the total has a default."""

        def forward(
            self, x: Tensor, ldj: Tensor | float = 0.0
        ) -> tuple[Tensor, Tensor]:
            return x.exp(), ldj + x.sum(1)

    report = assert_passes(Both(), convention=wanted)
    assert report.result.convention == wanted


def test_conventions_have_names_and_summaries_of_their_own() -> None:
    names = [convention.name for convention in CONVENTIONS]
    assert len(set(names)) == len(names)
    assert all(c.summary and "\n" not in c.summary for c in CONVENTIONS)


def test_an_unknown_convention_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="sideways"):
        recognise_conventions(layer_with(), "sideways")


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("total", "told"),
    [
        (lambda ldj, own: own, "thrown away"),
        (lambda ldj, own: (ldj + own).sum(), "mixed over the samples"),
    ],
)
def test_one_number_for_all_samples_holds_no_total_of_theirs(
    total: Any, told: str
) -> None:
    class Doubling(nn.Module):
        """Its own ldj is one number, and what comes back is one, too."""

        def forward(self, x: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
            own = x.new_tensor(math.log(2)) * x[0].numel()
            return 2 * x, total(ldj, own)

    first = ldjcheck.check(Doubling(), shape=(4,)).findings[0]
    assert first.code == "LDJ204"
    assert told in first.message


class FlagNeverRead(nn.Module):
    """Its call has a flag that is left over; the way back is a method, and is right."""

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        return torch.exp(z), ldj + z.sum(1)

    def inverse(self, z: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        return torch.log(z), ldj - torch.log(z).sum(1)


def test_a_flag_that_is_never_read_is_no_way_back_beside_a_method() -> None:
    report = assert_passes(FlagNeverRead())
    assert "round trip" in str(report)


def test_a_flag_that_is_never_read_is_a_mistake_where_nothing_else_goes_back() -> None:
    class OneWay(FlagNeverRead):
        inverse = None

    report = ldjcheck.check(OneWay(), shape=(4,))
    assert [finding.code for finding in report.findings] == ["LDJ301"]


_METHODS = """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))

    def forward_transform(self, x, {total}=None, **kwargs):
        y = x * self.scale.exp()
        if {total} is None:
            return y
        return y, {total} + {sign}self.scale.sum()

    def reverse(self, y, **kwargs):
        return y * torch.exp(-self.scale)
"""


def behind_a_method(total: str, sign: str = "") -> nn.Module:
    """Return a layer whose `forward_transform` takes a total, which may be left out."""
    scope: dict[str, Any] = {"nn": nn, "torch": torch, "__name__": __name__}
    exec(_METHODS.format(total=total, sign=sign), scope)
    return scope["Layer"]()


def test_a_total_behind_a_method_is_one_as_behind_a_call() -> None:
    assert_passes(behind_a_method("logdet"))
    assert_passes(behind_a_method("logpx", sign="-"))


def test_a_wrong_sign_behind_a_method_is_found() -> None:
    report = ldjcheck.check(behind_a_method("logdet", sign="-"), shape=(4,))
    assert report.findings[0].code == "LDJ104"
    report = ldjcheck.check(behind_a_method("logpx"), shape=(4,))
    assert report.findings[0].code == "LDJ405"  # its name alone says that it is wrong
