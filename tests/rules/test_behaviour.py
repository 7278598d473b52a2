"""What a layer does besides returning numbers: what it changes, adds, mixes and casts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from small_layers import Affine, Pair
from torch import Tensor, nn

import ldjcheck


def check(layer: Any, **options: Any) -> ldjcheck.Report:
    options.setdefault("shape", (4,))
    return ldjcheck.check(layer, **options)


def codes(report: ldjcheck.Report) -> list[tuple[str, str | None]]:
    return [(f.code, f.direction) for f in report.findings]


def line(report: ldjcheck.Report, index: int = 0) -> str | None:
    place = report.findings[index].location
    return None if place is None else place.text


# LDJ203


@pytest.mark.parametrize("ldj", [lambda a: a.sum(), lambda a: a.sum().reshape(1)])
def test_one_number_for_all_samples_is_a_note_where_it_is_right(ldj: Any) -> None:
    class Scalar(Affine):
        def ldj(self, x: Tensor) -> Any:
            return ldj(self.log_scale)

    report = check(Scalar())
    assert report.status == "pass"
    assert codes(report) == [("LDJ203", None)]
    assert "forward, inverse" in report.findings[0].evidence[0]


def test_a_plain_number_is_one_too() -> None:
    report = check(lambda x: (2.0 * x, x.shape[1] * math.log(2.0)))
    assert (report.status, codes(report)) == ("pass", [("LDJ203", None)])


def test_one_number_that_is_wrong_is_not_called_right() -> None:
    class Summed(Affine):
        def ldj(self, x: Tensor) -> Tensor:
            return self.log_scale.sum() * len(x)

    report = check(Summed())
    assert report.status == "fail"
    assert "LDJ203" not in [code for code, _ in codes(report)]


# LDJ204


class Total(nn.Module):
    """y = exp(z); a subclass says what becomes of the total."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if reverse:
            return z.log(), ldj - z.log().sum(1)
        return z.exp(), self.total(z, ldj)

    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        return ldj + z.sum(1)


class Ignored(Total):
    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        ldj = z.sum(1)
        return ldj


class Zeroed(Total):
    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        ldj = torch.zeros(len(z), dtype=z.dtype)
        return ldj + z.sum(1)


class Halved(Total):
    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        return ldj / 2 + z.sum(1)


class Averaged(Total):
    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        return ldj.mean() + z.sum(1)


class AllZero(Total):
    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        return torch.zeros_like(ldj)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Ignored, "thrown away"),
        (Zeroed, "thrown away"),
        (AllZero, "thrown away"),
        (Halved, "times 0.5"),
        (Averaged, "mixed over the samples"),
    ],
)
def test_a_total_that_does_not_come_back_is_that_alone(
    layer: type[nn.Module], said: str
) -> None:
    report = check(layer())
    assert report.status == "fail"
    assert codes(report) == [("LDJ204", "forward")]
    assert said in report.findings[0].message
    assert report.checks[3].status == "fail"


def test_its_line_is_the_last_that_touches_the_total() -> None:
    assert line(check(Ignored())) == "ldj = z.sum(1)"
    assert line(check(Halved())) == "return ldj / 2 + z.sum(1)"


def test_a_mistake_in_the_layers_own_part_is_told_beside_it() -> None:
    class Both(Total):
        def total(self, z: Tensor, ldj: Tensor) -> Tensor:
            return -z.sum(1)

    assert codes(check(Both())) == [("LDJ204", "forward"), ("LDJ104", "forward")]


# LDJ205


class InPlace(Total):
    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        ldj += z.sum(1)
        return ldj


class InPlaceThroughAView(Total):
    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        ldj.view(-1, 1)[:, 0].add_(z.sum(1))
        return ldj


@pytest.mark.parametrize("layer", [InPlace, InPlaceThroughAView])
def test_a_total_that_grows_in_place_is_a_note(layer: type[nn.Module]) -> None:
    report = check(layer())
    assert report.status == "pass"
    assert codes(report) == [("LDJ205", None)]
    assert line(report) in ("ldj += z.sum(1)", "ldj.view(-1, 1)[:, 0].add_(z.sum(1))")


def test_a_copy_of_the_total_may_grow_in_place() -> None:
    class OfACopy(Total):
        def total(self, z: Tensor, ldj: Tensor) -> Tensor:
            ldj = ldj.clone()
            ldj += z.sum(1)
            return ldj

    assert check(OfACopy()).findings == ()


# LDJ206


def doubled(x: Tensor) -> Tensor:
    return torch.full((len(x),), x.shape[1] * math.log(2.0))


def in_place(x: Tensor) -> Pair:
    x.mul_(2.0)
    return x, doubled(x)


def through_data(x: Tensor) -> Pair:
    x.data *= 2.0
    return x, doubled(x)


def through_chunks(x: Tensor) -> Pair:
    a, b = x.chunk(2, dim=1)
    a.mul_(2.0)
    b.mul_(2.0)
    return x, doubled(x)


def through_an_index(x: Tensor) -> Pair:
    x[:, 0] = x[:, 0] * 4.0
    return x, torch.full((len(x),), math.log(4.0))


class ThroughLearnedChunks(Affine):
    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        p, q = self.log_scale.exp().chunk(2)
        a *= p
        b *= q
        return x, self.ldj(x)

    def inverse(self, y: Tensor) -> Pair:
        return y * torch.exp(-self.log_scale), -self.ldj(y)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (in_place, "x.mul_(2.0)"),
        (through_data, "x.data *= 2.0"),
        (through_chunks, "a.mul_(2.0)"),
        (through_an_index, "x[:, 0] = x[:, 0] * 4.0"),
        (ThroughLearnedChunks(), "a *= p"),
    ],
    ids=["in place", "data", "chunks", "index", "learned chunks"],
)
def test_an_input_that_is_written_into_is_named_with_the_statement(
    layer: Any, expected: str
) -> None:
    report = check(layer)
    assert report.status == "fail"
    assert codes(report) == [("LDJ206", "forward")]
    assert line(report) == expected
    assert report.checks[0].status == "pass", "its value is right"


def test_a_wrong_value_is_still_told_where_the_input_is_written_into() -> None:
    report = check(lambda x: (through_chunks(x)[0], -doubled(x)))
    assert codes(report)[0] == ("LDJ206", "forward")
    assert report.checks[0].status == "fail"


def test_an_input_changed_by_numpy_is_found_too() -> None:
    def by_numpy(x: Tensor) -> Pair:
        np.multiply(x.detach().numpy(), 2.0, out=x.detach().numpy())
        return 1.0 * x, doubled(x)

    assert codes(check(by_numpy))[0] == ("LDJ206", "forward")


def the_input_itself(x: Tensor) -> Pair:
    return x[:, [1, 0, 3, 2]], torch.zeros(len(x))


def a_view(x: Tensor) -> Pair:
    return x.flip(1).view_as(x), torch.zeros(len(x))


def on_a_clone(x: Tensor) -> Pair:
    y = x.clone()
    y[:, :2] *= 2.0
    return y.mul_(2.0), doubled(x) + 2 * math.log(2.0)


def one_term_in_place(x: Tensor) -> Pair:
    ldj = torch.zeros(len(x))
    ldj += x.sum(1)
    return x.exp(), ldj


@pytest.mark.parametrize(
    "layer", [the_input_itself, a_view, on_a_clone, one_term_in_place]
)
def test_writes_into_tensors_of_the_layers_own_are_nobodys_business(layer: Any) -> None:
    report = check(layer)
    assert (report.status, codes(report)) == ("pass", [])


def test_a_layer_that_raises_for_another_reason_still_raises() -> None:
    def raises(x: Tensor) -> Pair:
        raise RuntimeError("an inplace operation of mine")

    assert codes(check(raises)) == [("LDJ005", None)]


# LDJ207


def centred(x: Tensor) -> Pair:
    """Subtract the mean of the batch from each sample."""
    mean = x.mean(0)
    y = 2 * x - mean
    return y, torch.full((len(x),), x.shape[1] * math.log(2 - 1 / len(x)))


def coupled_scale(x: Tensor) -> Pair:
    scale = 1 + x.std(0)
    return x * scale, scale.log().sum().expand(len(x))


class Conditioned(Affine):
    """Couples its samples through what it conditions on alone."""

    def forward(self, x: Tensor) -> Pair:
        scale = torch.tanh(x[:, :2]).mean(0, keepdim=True)
        y = torch.cat([x[:, :2], x[:, 2:] * scale.exp()], 1)
        return y, scale.sum(1).expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        scale = torch.tanh(y[:, :2]).mean(0, keepdim=True)
        x = torch.cat([y[:, :2], y[:, 2:] * torch.exp(-scale)], 1)
        return x, -scale.sum(1).expand(len(y))


@pytest.mark.parametrize("layer", [centred, coupled_scale, Conditioned()])
def test_samples_that_meet_are_named_and_no_value_is_judged(layer: Any) -> None:
    report = check(layer)
    assert report.status == "fail"
    assert {code for code, _ in codes(report)} == {"LDJ207"}
    assert report.checks[0].status == "unproven"


def test_one_ldj_for_the_whole_batch_is_no_coupling_of_the_map() -> None:
    report = check(lambda x: (x.exp(), x.sum().expand(len(x))))
    assert codes(report) == [("LDJ106", "forward")]


# LDJ212


class Single(Affine):
    def forward(self, x: Tensor) -> Pair:
        x = x.float()
        return super().forward(x)


class SingleTotal(Total):
    def total(self, z: Tensor, ldj: Tensor) -> Tensor:
        own = torch.zeros(len(z), dtype=torch.float32)
        own += z.sum(1)
        return ldj + own


@pytest.mark.parametrize("layer", [Single, SingleTotal])
def test_a_hard_coded_float32_is_a_note_with_its_line(layer: type[nn.Module]) -> None:
    report = check(layer())
    assert report.status == "pass"
    assert codes(report) == [("LDJ212", None)]
    assert "float32 is hard-coded" in report.findings[0].message
    assert line(report) in (
        "x = x.float()",
        "own = torch.zeros(len(z), dtype=torch.float32)",
    )


class MaskOfFloats(Affine):
    """Turns a mask into float32 numbers, which take the precision of x again."""

    def forward(self, x: Tensor) -> Pair:
        keep = (torch.arange(x.shape[1]) >= 0).float()
        y, ldj = super().forward(x)
        return y * keep, ldj


def test_float32_that_loses_nothing_is_not_remarked_on() -> None:
    assert check(MaskOfFloats()).findings == ()


class Float32Only(Affine):
    def forward(self, x: Tensor) -> Pair:
        if x.dtype != torch.float32:
            raise TypeError("expected float32")
        return super().forward(x)


def test_a_layer_that_runs_in_float32_only_is_told_what_that_hides() -> None:
    report = check(Float32Only())
    assert report.status in ("pass", "unproven")
    assert ("LDJ212", None) in codes(report)
    told = next(f for f in report.findings if f.code == "LDJ212")
    assert "float32 only" in told.message
    assert "expected float32" in told.evidence[0]
