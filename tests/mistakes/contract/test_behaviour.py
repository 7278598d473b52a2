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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.thinned(2)
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


@pytest.mark.slow
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


class ByTheLargest(Affine):
    """Divides by the largest entry of a batch, which most companions may change unseen."""

    def forward(self, x: Tensor) -> Pair:
        log_s = torch.tanh(x[:, :2]) / (1 + x[:, :2].abs().amax())
        y = torch.cat([x[:, :2], x[:, 2:] * log_s.exp()], 1)
        return y, log_s.sum(1)

    def inverse(self, y: Tensor) -> Pair:
        log_s = torch.tanh(y[:, :2]) / (1 + y[:, :2].abs().amax())
        x = torch.cat([y[:, :2], y[:, 2:] * torch.exp(-log_s)], 1)
        return x, -log_s.sum(1)


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    "layer", [centred, coupled_scale, Conditioned(), ByTheLargest()]
)
def test_samples_that_meet_are_named_and_no_value_is_judged(layer: Any) -> None:
    report = check(layer)
    assert report.status == "fail"
    assert {code for code, _ in codes(report)} == {"LDJ207"}
    assert report.checks[0].status == "unproven"


@pytest.mark.slow
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


# LDJ207 in train mode


class BatchNorm(nn.Module):
    """Normalises by the batch in train mode, by what it has seen in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4, affine=False)

    def forward(self, x: Tensor) -> Pair:
        y = self.norm(x)
        var = self.norm.running_var
        if self.training:
            var = x.var(0, correction=0)
        return y, -0.5 * torch.log(var + self.norm.eps).sum().expand(len(x))


def test_batch_normalisation_in_train_mode_is_a_warning_that_names_the_cause() -> None:
    report = check(BatchNorm(), mode="train")
    assert report.status == "unproven"
    assert codes(report) == [("LDJ207", "forward")]
    assert report.findings[0].severity == "warning"
    assert "`y = self.norm(x)`" in report.findings[0].message
    assert report.checks[0].status == "unproven"


def test_in_eval_mode_the_same_layer_passes_without_a_word_on_its_averages() -> None:
    report = check(BatchNorm())
    assert (report.status, [f for f in report.findings if f.severity != "note"]) == (
        "pass",
        [],
    )


def test_the_place_where_samples_meet_is_shown() -> None:
    assert line(check(centred)) == "mean = x.mean(0)"
    assert line(check(coupled_scale)) == "scale = 1 + x.std(0)"


@pytest.mark.slow
def test_a_batch_summed_ldj_in_train_mode_is_still_an_error() -> None:
    report = check(lambda x: (x.exp(), x.sum().expand(len(x))), mode="train")
    assert codes(report) == [("LDJ106", "forward")]


# LDJ208


class Conditioner(Affine):
    """One half of the dims moves the other, by what `noisy` makes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)
        self.drop = nn.Dropout(0.5)

    def noisy(self, a: Tensor) -> Tensor:
        return a

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        s, t = self.net(self.noisy(torch.tanh(a))).chunk(2, dim=1)
        return a, b, s, t

    def forward(self, x: Tensor) -> Pair:
        a, b, s, t = self.parts(x)
        return torch.cat([a, b * s.exp() + t], 1), s.sum(1)

    def inverse(self, y: Tensor) -> Pair:
        a, b, s, t = self.parts(y)
        return torch.cat([a, (b - t) * torch.exp(-s)], 1), -s.sum(1)


class AlwaysDrops(Conditioner):
    def noisy(self, a: Tensor) -> Tensor:
        return torch.nn.functional.dropout(a)


class DropsByHand(Conditioner):
    def noisy(self, a: Tensor) -> Tensor:
        return a * (torch.rand_like(a) > 0.5)


class ShiftsByNoise(Conditioner):
    def noisy(self, a: Tensor) -> Tensor:
        return a + 0.3 * torch.randn_like(a)


class OwnGenerator(Conditioner):
    def __init__(self) -> None:
        super().__init__()
        self.generator = np.random.default_rng(0)

    def noisy(self, a: Tensor) -> Tensor:
        return a + torch.from_numpy(self.generator.normal(size=tuple(a.shape)))


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    "layer", [AlwaysDrops, DropsByHand, ShiftsByNoise, OwnGenerator]
)
def test_randomness_that_is_no_noise_of_the_map_is_named(
    layer: type[nn.Module],
) -> None:
    report = check(layer())
    assert report.status == "fail"
    assert {code for code, _ in codes(report)} == {"LDJ208"}


@pytest.mark.thinned(5)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("rate", [0.5, 0.05])
def test_a_dropout_of_four_entries_is_seen_whatever_it_draws(
    rate: float, seed: int
) -> None:
    def layer(x: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = torch.linspace(-0.4, 0.7, 4)
        log_scale = torch.nn.functional.dropout(log_scale, rate)
        return x * log_scale.exp(), log_scale.sum().expand(len(x))

    assert codes(check(layer, shape=(4,), seed=seed)) == [("LDJ208", "forward")]


def test_the_statement_that_draws_is_shown() -> None:
    assert line(check(AlwaysDrops())) == "return torch.nn.functional.dropout(a)"
    assert line(check(DropsByHand())) == "return a * (torch.rand_like(a) > 0.5)"


class Drops(Conditioner):
    def noisy(self, a: Tensor) -> Tensor:
        result: Tensor = self.drop(a)
        return result


def test_a_dropout_that_is_off_in_eval_mode_passes_and_warns_in_train_mode() -> None:
    assert check(Drops()).findings == ()
    report = check(Drops(), mode="train")
    assert report.status == "pass"
    assert {(f.code, f.severity) for f in report.findings} == {("LDJ208", "warning")}


def dequantized(x: Tensor) -> Pair:
    y = (x + torch.rand_like(x)) / 256
    return y, torch.full((len(x),), -x.shape[1] * math.log(256))


def jittered(x: Tensor) -> Pair:
    return 2.0 * x + 0.01 * torch.randn_like(x), doubled(x)


def estimated(x: Tensor) -> Pair:
    """Trace of a diagonal matrix by random signs: the estimate has no variance."""
    sign = torch.randint(0, 2, x.shape) * 2.0 - 1.0
    return x * math.e, (sign * sign).sum(1)


def jittered_as_one(x: Tensor) -> Pair:
    """One number moves all dims of a sample, before they are mapped."""
    x = x + 0.1 * torch.randn(len(x), 1)
    return torch.asinh(x), -0.5 * torch.log(1 + x**2).sum(1)


class StartsWhereItEnded(nn.Module):
    """Solves x + tanh(x) / 2 = y by iteration, from its last solution."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Pair:
        slope = 1 + self.scale * (1 - torch.tanh(x) ** 2)
        return x + self.scale * torch.tanh(x), slope.log().sum(1)

    def inverse(self, y: Tensor) -> Pair:
        start = self.last is not None and self.last.shape == y.shape
        x = self.last if start and self.last is not None else y
        for _ in range(60):
            x = y - self.scale * torch.tanh(x)
        self.last = x.detach()
        slope = 1 + self.scale * (1 - torch.tanh(x) ** 2)
        return x, -slope.log().sum(1)


@pytest.mark.slow
def test_a_solver_that_starts_where_it_ended_is_no_cache() -> None:
    report = check(StartsWhereItEnded())
    assert not [f for f in report.findings if f.severity in ("error", "warning")]


@pytest.mark.parametrize("layer", [dequantized, jittered, jittered_as_one, estimated])
def test_noise_that_is_counted_right_is_no_fault(layer: Any) -> None:
    report = check(layer)
    assert (report.status, codes(report)) == ("pass", [])


# LDJ209


class CountsCalls(Affine):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.last_mean = torch.zeros(4)

    def forward(self, x: Tensor) -> Pair:
        self.calls += 1
        self.last_mean = x.detach().mean(0)
        return super().forward(x)


class KeepsAverages(CountsCalls):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.zeros(4))

    def forward(self, x: Tensor) -> Pair:
        with torch.no_grad():
            self.average.lerp_(x.mean(0), 0.1)
        return super().forward(x)


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("layer", [CountsCalls, KeepsAverages])
def test_counters_and_averages_that_nothing_depends_on_are_nobodys_business(
    layer: type[nn.Module], mode: str
) -> None:
    report = check(layer(), mode=mode)
    assert (report.status, codes(report)) == ("pass", [])


class ActNorm(Affine):
    """Initialises itself from its first batch."""

    def __init__(self, again: bool = False) -> None:
        super().__init__()
        self.register_buffer("ready", torch.tensor(False))
        self.again = again

    def forward(self, x: Tensor) -> Pair:
        if self.again or not self.ready:
            self.log_scale.data.copy_(-x.std(0).log())
            self.shift.data.copy_(-x.mean(0))
            self.ready.fill_(True)
        return super().forward(x)


def test_an_initialisation_by_the_first_batch_is_a_note() -> None:
    report = check(ActNorm())
    assert report.status == "pass"
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ209", "note")]
    assert "`log_scale`, `shift`" in report.findings[0].message


def test_one_that_only_training_does_is_a_note_too() -> None:
    class InTraining(ActNorm):
        def forward(self, x: Tensor) -> Pair:
            if self.training:
                return super().forward(x)
            return Affine.forward(self, x)

    report = check(InTraining())
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ209", "note")]


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_one_at_every_call_is_an_error_and_explains_the_coupling(mode: str) -> None:
    report = check(ActNorm(again=True), mode=mode)
    assert report.status == "fail"
    assert codes(report) == [("LDJ209", "forward")]
    assert "`log_scale`, `shift`" in report.findings[0].message
    assert line(report) == "self.log_scale.data.copy_(-x.std(0).log())"


class AveragesInUse(Affine):
    """Moves what it subtracts at every call, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.zeros(4))

    def forward(self, x: Tensor) -> Pair:
        self.average.lerp_(x.detach().mean(0), 0.1)
        y, ldj = super().forward(x)
        return y - self.average, ldj


class Drifts(Affine):
    def forward(self, x: Tensor) -> Pair:
        self.log_scale.data *= 0.99
        return super().forward(x)


class CountsIntoTheOutput(CountsCalls):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y + self.calls, ldj


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (AveragesInUse, "`average`"),
        (Drifts, "`log_scale`"),
        (CountsIntoTheOutput, "`calls`"),
    ],
)
def test_state_that_changes_the_answer_at_every_call_is_an_error(
    layer: type[nn.Module], name: str
) -> None:
    report = check(layer())
    assert report.status == "fail"
    assert codes(report)[0] == ("LDJ209", "forward")
    assert {code for code, _ in codes(report)} == {"LDJ209"}
    assert name in report.findings[0].message


# LDJ211


class Weight(nn.Module):
    """y = W x; a subclass keeps log|det W|."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(4) + 0.1)
        self.kept: Tensor | None = None

    def logdet(self) -> Tensor:
        return torch.linalg.slogdet(self.weight)[1]

    def forward(self, x: Tensor) -> Pair:
        return x @ self.weight.T, self.logdet().expand(len(x))


class KeptForEver(Weight):
    def logdet(self) -> Tensor:
        if self.kept is None:
            self.kept = torch.linalg.slogdet(self.weight)[1].detach()
        return self.kept


class KeptWhileEvaluating(Weight):
    """Kept in eval mode, cleared when training goes on: a cache that works."""

    def train(self, mode: bool = True) -> Any:
        if mode:
            self.kept = None
        return super().train(mode)

    def logdet(self) -> Tensor:
        if self.training:
            return super().logdet()
        if self.kept is None:
            self.kept = super().logdet()
        return self.kept


class KeptWhileUnchanged(Weight):
    """Kept until an optimiser writes into the weight, which counts its versions."""

    def logdet(self) -> Tensor:
        if self.kept is None or self.version != self.weight._version:
            self.kept, self.version = super().logdet(), self.weight._version
        return self.kept


class KeptFromTheFirstBatch(nn.Module):
    """Standardises by what the first batch has shown, and keeps the ldj of that day."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(4))
        self.mean: Tensor | None = None

    def forward(self, x: Tensor) -> Pair:
        if self.mean is None:
            self.mean, self.std = x.mean(0), x.std(0)
            self.kept = (self.log_s - self.std.log()).sum().detach()
        y = (x - self.mean) / self.std * self.log_s.exp()
        return y, self.kept.expand(len(x))


class StandardisedOnce(KeptFromTheFirstBatch):
    def forward(self, x: Tensor) -> Pair:
        y, _ = super().forward(x)
        return y, (self.log_s - self.std.log()).sum().expand(len(x))


class StandardisedInTraining(StandardisedOnce):
    def forward(self, x: Tensor) -> Pair:
        if self.mean is None and not self.training:
            return x * self.log_s.exp(), self.log_s.sum().expand(len(x))
        return super().forward(x)


class KeptFromTheLastCall(Affine):
    """Returns the ldj of the batch before."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Pair:
        own = torch.tanh(x).sum(1)
        kept = own if self.kept is None else self.kept
        self.kept = own.detach()
        return x, kept


class InverseOfTheLastForward(Conditioner):
    """The way back hands out what the forward call has kept."""

    def forward(self, x: Tensor) -> Pair:
        y, self.kept = super().forward(x)
        return y, self.kept

    def inverse(self, y: Tensor) -> Pair:
        x, _ = super().inverse(y)
        return x, -self.kept


@pytest.mark.slow
def test_an_ldj_of_earlier_parameters_is_named() -> None:
    report = check(KeptForEver())
    assert report.status == "fail"
    assert codes(report) == [("LDJ211", "forward")]
    assert "earlier parameters" in report.findings[0].message
    assert line(report) == "self.kept = torch.linalg.slogdet(self.weight)[1].detach()"


@pytest.mark.slow
def test_an_ldj_of_an_earlier_call_is_named() -> None:
    forward = check(KeptFromTheLastCall())
    assert codes(forward) == [("LDJ211", "forward")]
    assert "an earlier call" in forward.findings[0].message
    back = check(InverseOfTheLastForward())
    assert codes(back) == [("LDJ211", "inverse")]


@pytest.mark.slow
def test_an_ldj_of_earlier_parameters_is_named_beside_what_the_batch_sets() -> None:
    report = check(KeptFromTheFirstBatch())
    assert codes(report) == [("LDJ211", "forward")]
    assert "earlier parameters" in report.findings[0].message


@pytest.mark.parametrize("layer", [StandardisedOnce, StandardisedInTraining])
def test_what_the_first_batch_sets_is_told_of_wherever_it_is_kept(
    layer: type[nn.Module],
) -> None:
    (note,) = check(layer()).findings
    assert (note.code, note.severity) == ("LDJ209", "note")
    assert "`mean`, `std`" in note.message


def test_a_cache_that_is_cleared_by_training_is_none() -> None:
    assert check(KeptWhileEvaluating()).findings == ()


def test_a_cache_that_asks_for_the_parameters_version_is_none() -> None:
    assert check(KeptWhileUnchanged()).findings == ()


class Scaling(torch.distributions.Transform):
    """y = x * exp(tanh(x_0)) on every other dim; keeps what it scaled by."""

    domain = codomain = torch.distributions.constraints.real_vector
    bijective = True

    def __init__(self, checks: bool) -> None:
        super().__init__(cache_size=1)
        self.checks = checks
        self.kept: tuple[Tensor, Tensor] | None = None

    def log_scale(self, x: Tensor) -> Tensor:
        return torch.tanh(x[..., :1]) * torch.tensor([0.0, 1.0, 1.0, 1.0])

    def _call(self, x: Tensor) -> Tensor:
        self.kept = x, self.log_scale(x)
        return x * self.kept[1].exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y * torch.exp(-self.log_scale(y))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        kept = self.kept
        if kept is None or (self.checks and kept[0] is not x):
            return self.log_scale(x).sum(-1)
        return kept[1].sum(-1)


@pytest.mark.slow
def test_a_transform_that_answers_for_another_input_is_named() -> None:
    assert codes(check(Scaling(checks=True))) == []
    assert codes(check(Scaling(checks=False)))[0][0] == "LDJ211"


@pytest.mark.thinned(2)
@pytest.mark.parametrize("size", [0, 1])
def test_the_caches_of_torchs_own_transforms_work(size: int) -> None:
    for transform in (
        torch.distributions.TanhTransform(cache_size=size),
        torch.distributions.AffineTransform(1.0, 2.0, cache_size=size),
        torch.distributions.StickBreakingTransform(cache_size=size),
    ):
        report = check(transform)
        assert [f for f in report.findings if f.code == "LDJ211"] == []


class KeptInverse(Weight):
    """Keeps the inverse of its matrix, whatever becomes of the matrix."""

    def inverse(self, y: Tensor) -> Pair:
        if self.kept is None:
            self.kept = torch.inverse(self.weight).detach()
        return y @ self.kept.T, -self.logdet().expand(len(y))


class KeptInverseWhileEvaluating(KeptWhileEvaluating):
    def inverse(self, y: Tensor) -> Pair:
        return y @ torch.inverse(self.weight).T, -self.logdet().expand(len(y))


def test_an_output_of_earlier_parameters_is_named() -> None:
    report = check(KeptInverse())
    assert codes(report) == [("LDJ211", "inverse")]
    assert report.findings[0].message == "The output belongs to earlier parameters."
    assert check(KeptInverseWhileEvaluating()).findings == ()


class Residual(nn.Module):
    """Tames its weight by power iteration, one step a call in train mode."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.utils.spectral_norm(nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Pair:
        h = torch.tanh(0.5 * self.linear(x))
        slope = 0.5 * (1 - h**2)[:, :, None] * self.linear.weight
        return x + h, torch.linalg.slogdet(torch.eye(4) + slope)[1]


@pytest.mark.slow
def test_a_power_iteration_is_no_fault_and_in_train_mode_nothing_is_proved() -> None:
    assert (check(Residual()).status, codes(check(Residual()))) == ("pass", [])
    report = check(Residual(), mode="train")
    assert report.status == "unproven"
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ209", "warning")]


class Overwrites(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Affine(), Conditioner()])

    def forward(self, z: Tensor, ldj: Tensor) -> Pair:
        for layer in self.layers:
            z, ldj = layer(z)
        return z, ldj


@pytest.mark.slow
def test_a_flow_that_keeps_its_last_layers_ldj_has_one_mistake() -> None:
    assert codes(check(Overwrites())) == [("LDJ204", "forward")]


# LDJ209 of a layer that settles


class TakesItselfApart(Affine):
    """Its way back moves the scale into another tensor, and finds none the next time."""

    def __init__(self) -> None:
        super().__init__()
        self.left = self.log_scale.detach().clone()

    def inverse(self, y: Tensor) -> Pair:
        log_scale = self.left.clone()
        self.left -= log_scale
        return y * torch.exp(-log_scale), -log_scale.sum().expand(len(y))


@pytest.mark.slow
def test_a_change_that_only_early_calls_make_is_seen() -> None:
    report = check(TakesItselfApart(), params="as-is")
    assert ("LDJ209", "inverse") in codes(report)
    assert "LDJ208" not in [code for code, _ in codes(report)]
    finding = next(f for f in report.findings if f.code == "LDJ209")
    assert finding.message.startswith("The first calls change `left`")
    assert finding.location is not None


# LDJ209 and the total


class Moving(nn.Module):
    """Its mean moves at every call; the total comes back, times a share."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("scale", torch.ones(4))

    def forward(self, z: Tensor, ldj: Tensor) -> Pair:
        self.scale.mul_(0.9).add_(0.1 * z.detach().abs().mean(0))
        return z / self.scale, self.share * ldj - self.scale.log().sum()


def test_a_layer_that_moves_from_call_to_call_is_not_said_to_mix_the_total() -> None:
    assert codes(check(Moving())) == [("LDJ209", "forward")]


@pytest.mark.slow
def test_a_total_that_is_lost_is_told_of_a_moving_layer_too() -> None:
    report = check(Moving(0.0))
    assert codes(report) == [("LDJ209", "forward"), ("LDJ204", "forward")]
    assert "thrown away" in report.findings[1].message


# LDJ202 beside a value that is wrong


class Unsummed(Affine):
    """Hands its log-scales back one by one, those of one event."""

    def ldj(self, x: Tensor) -> Tensor:
        return self.log_scale.expand_as(x)


class UnsummedBothWays(Unsummed):
    def inverse(self, y: Tensor) -> Pair:
        return super().inverse(y)[0], self.ldj(y)


class PerChannel(nn.Module):
    """Scales each channel of an image, and hands back one log-scale a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.3, 0.7, 3))

    def forward(self, x: Tensor) -> Pair:
        log_scale = self.log_scale.view(1, -1, 1, 1)
        return x * log_scale.exp(), log_scale


@pytest.mark.slow
def test_an_ldj_that_is_not_summed_hides_no_other_mistake() -> None:
    report = check(UnsummedBothWays())
    assert codes(report) == [
        ("LDJ202", "forward"),
        ("LDJ302", "inverse"),
        ("LDJ202", "inverse"),
    ]
    assert "still wrong" in report.findings[2].evidence[0]


@pytest.mark.slow
def test_entries_of_one_event_are_those_of_every_sample() -> None:
    summed = check(lambda x: (x * torch.arange(1, 5), torch.arange(1.0, 5).log()))
    assert codes(summed) == [("LDJ202", "forward")]
    assert "all its entries it is right" in summed.findings[0].evidence[0]
    counted_once = check(PerChannel(), shape=(3, 4, 6))
    assert codes(counted_once) == [("LDJ202", "forward")]
    elsewhere = check(lambda x: (x.exp(), torch.ones(7)))
    assert codes(elsewhere) == [("LDJ199", "forward")]
