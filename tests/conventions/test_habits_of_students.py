"""Ways of calling a layer that are in no library, and in many notebooks."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Stretch(nn.Module):
    """Stretches each dim; `back` is the sign of the ldj of the way back."""

    def __init__(self, back: float = -1.0, dims: int = 4) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(dims))
        self.back = back

    def run(self, x: Tensor, sign: float = 1.0) -> tuple[Tensor, Tensor]:
        told = 1.0 if sign > 0 else self.back
        ldj = told * self.log_scale.sum().expand(len(x))
        return x * torch.exp(sign * self.log_scale), ldj


class LdjFirst(Stretch):
    def forward(self, x: Tensor) -> Any:
        return self.run(x)[::-1]

    def inverse(self, y: Tensor) -> Any:
        return self.run(y, -1.0)[::-1]


class ForwardFlag(Stretch):
    def forward(self, x: Tensor, forward: bool = True) -> Any:
        return self.run(x) if forward else self.run(x, -1.0)


class SignOfDirection(Stretch):
    def forward(self, x: Tensor, direction: int = 1) -> Any:
        return self.run(x, direction)


class Lists(Stretch):
    def forward(self, xs: list[Tensor], rev: bool = False) -> Any:
        y, ldj = self.run(xs[0], -1.0 if rev else 1.0)
        return [y], ldj


class UnpacksLists(Stretch):
    def forward(self, xs: list[Tensor], rev: bool = False) -> Any:
        (x,) = xs
        y, ldj = self.run(x, -1.0 if rev else 1.0)
        return [y], ldj


class ListsBothWays(Stretch):
    def forward(self, xs: list[Tensor]) -> Any:
        y, ldj = self.run(xs[0])
        return [y], ldj

    def inverse(self, ys: list[Tensor]) -> Any:
        x, ldj = self.run(ys[0], -1.0)
        return [x], ldj


class TakesADict(Stretch):
    def forward(self, batch: dict[str, Tensor], rev: bool = False) -> Any:
        y, ldj = self.run(batch["x"], -1.0 if rev else 1.0)
        return y, ldj


class ByKeyword(Stretch):
    def forward(self, *, x: Tensor, rev: bool = False) -> Any:
        return self.run(x, -1.0 if rev else 1.0)


class OverridesCall(Stretch):
    def __call__(self, x: Tensor, reverse: bool = False) -> Any:
        return self.run(x, -1.0 if reverse else 1.0)


class EncodeDecode(Stretch):
    def encode(self, x: Tensor) -> Any:
        return self.run(x)

    def decode(self, z: Tensor) -> Any:
        return self.run(z, -1.0)


class FAndG(Stretch):
    def f(self, x: Tensor) -> Any:
        return self.run(x)

    def g(self, z: Tensor) -> Any:
        return self.run(z, -1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        LdjFirst,
        ForwardFlag,
        SignOfDirection,
        Lists,
        UnpacksLists,
        ListsBothWays,
        TakesADict,
        ByKeyword,
        OverridesCall,
        EncodeDecode,
        FAndG,
    ],
)
def test_both_ways_are_judged_however_a_layer_is_called(kind: type[Stretch]) -> None:
    right = ldjcheck.check(kind())
    assert right.status == "pass", right
    directions = {c.direction for c in right.checks if c.name == "ldj"}
    assert directions == {"forward", "inverse"}
    (finding,) = ldjcheck.check(kind(back=1.0)).findings
    assert finding.code == "LDJ302"


class Leaves(Stretch):
    """Leaves its ldj in an attribute, where all samples are one number in memory."""

    def forward(self, x: Tensor) -> Tensor:
        y, self.log_det = self.run(x)
        return y


def test_an_ldj_that_is_stored_expanded_is_read() -> None:
    assert ldjcheck.check(Leaves()).status == "pass"


class HasProperty(Stretch):
    """Makes its ldj, when asked for it, of what the call has left."""

    def forward(self, x: Tensor) -> Any:
        y, self.last = self.run(x)
        return y

    def inverse(self, y: Tensor) -> Any:
        return self.run(y, -1.0)[0]

    @property
    def log_det(self) -> Tensor:
        return self.last


class HasWrongProperty(HasProperty):
    @property
    def log_det(self) -> Tensor:
        return self.last / 4


@pytest.mark.slow
def test_an_ldj_that_is_a_property_is_read_after_the_call() -> None:
    report = ldjcheck.check(HasProperty())
    assert report.status == "pass", report
    assert report.result.convention == "stored-log-det"
    assert [f.code for f in report.findings] == ["LDJ303"]
    assert ldjcheck.check(HasWrongProperty()).status == "fail"


class Switched:
    """Scales all dims; has a switch and a count that are 1, and no size."""

    def __init__(self, counted: bool) -> None:
        self.stride = 1
        self.kernel = (1, 1)
        self.counted = counted

    def __call__(self, x: Tensor) -> Any:
        dims = x[0].numel() if self.counted else 1
        return 3 * x, torch.full(x.shape[:1], dims * math.log(3.0))


@pytest.mark.slow
def test_a_one_among_the_numbers_of_a_layer_is_no_size() -> None:
    """At one dim, a factor of the number of dims shows nowhere."""
    assert ldjcheck.check(Switched(counted=True)).status == "pass"
    (finding,) = ldjcheck.check(Switched(counted=False)).findings
    assert finding.code == "LDJ101"


class Shows:
    """Nothing in its source says what the second is."""

    def show(self, x: Tensor) -> Any:
        return 2 * x, torch.full(x.shape[:1], x.shape[1] * LOG_2)


LOG_2 = math.log(2.0)


def test_a_method_that_may_be_meant_is_offered() -> None:
    (finding,) = ldjcheck.check(Shows()).findings
    assert finding.code == "LDJ004"
    assert finding.evidence[-1] == (
        "If a method of it does so, name that: Shows().show"
    )
    assert ldjcheck.check(Shows().show, shape=(3,)).status == "pass"


class WithoutLdjYet:
    """Both ways are written, and the ldj is not."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x

    def inverse(self, y: Tensor) -> Tensor:
        return y / 2


def test_a_method_that_was_tried_is_not_offered() -> None:
    (finding,) = ldjcheck.check(WithoutLdjYet()).findings
    assert finding.code == "LDJ004"
    assert not any("If a method" in line for line in finding.evidence)
    assert finding.evidence[-1].startswith("To have the ldj written of what it does")


class TellsPriorToo(Stretch):
    """Returns the density of its output, by a base, between output and ldj."""

    def __init__(self, back: float = -1.0, dims: int = 4) -> None:
        super().__init__(back, dims)
        self.prior = torch.distributions.Normal(0.0, 1.0)

    def forward(self, x: Tensor) -> Any:
        y, ldj = self.run(x)
        log_prob = self.prior.log_prob(y).sum(1)
        return y, log_prob, sum([ldj])


class StacksSteps(Stretch):
    """Returns all steps, x first, in one tensor."""

    def forward(self, x: Tensor) -> Any:
        y, ldj = self.run(x)
        return torch.stack([x, y]), ldj


class NamesThemOtherwise(Stretch):
    """Says log|det dx/dz| of z and x: its own call takes z."""

    def forward(self, z: Tensor) -> Tensor:
        return self.run(z)[0]

    def log_abs_det_jacobian(self, z: Tensor, x: Tensor) -> Tensor:
        assert torch.equal(self(z), x)
        return self.run(z)[1]


class NamesOutputFirst(NamesThemOtherwise):
    def log_abs_det_jacobian(self, x: Tensor, z: Tensor) -> Tensor:
        return super().log_abs_det_jacobian(z, x)


class SaysJac(Stretch):
    def forward(self, z: Tensor) -> Tensor:
        return self.run(z)[0]

    def log_abs_jac(self, z: Tensor) -> Tensor:
        return self.run(z)[1]


@pytest.mark.thinned(6)
@pytest.mark.parametrize(
    "kind",
    [TellsPriorToo, StacksSteps, NamesThemOtherwise, NamesOutputFirst, SaysJac],
)
def test_the_map_is_judged_whatever_stands_beside_it(kind: type[Stretch]) -> None:
    report = ldjcheck.check(kind())
    assert report.status == "pass", report
    assert {c.status for c in report.checks if c.direction == "forward"} == {"pass"}


class TwoHalves(nn.Module):
    """Takes its halves apart, and hands them back so."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)

    def forward(self, x1: Tensor, x2: Tensor) -> Any:
        return x1, x2 * torch.exp(self.net(x1)), self.net(x1).sum(1)

    def inverse(self, y1: Tensor, y2: Tensor) -> Any:
        return y1, y2 * torch.exp(-self.net(y1)), -self.net(y1).sum(1)


class TwoHalvesAlone(TwoHalves):
    def forward(self, x1: Tensor, x2: Tensor) -> Any:
        return super().forward(x1, x2)[:2]


class TwoHalvesNotNegated(TwoHalves):
    def inverse(self, y1: Tensor, y2: Tensor) -> Any:
        y1, y2, ldj = super().inverse(y1, y2)
        return y1, y2, -ldj


@pytest.mark.slow
@pytest.mark.parametrize("shape", [None, {"x1": (2,), "x2": (2,)}])
def test_the_second_of_two_inputs_is_no_context(shape: Any) -> None:
    report = ldjcheck.check(TwoHalves(), shape=shape)
    assert report.status == "pass", report
    wrong = ldjcheck.check(TwoHalvesNotNegated(), shape=shape)
    assert [finding.code for finding in wrong.findings] == ["LDJ302"]


def test_two_outputs_of_two_inputs_are_no_output_and_ldj() -> None:
    assert ldjcheck.check(TwoHalvesAlone()).status == "error"


def test_inputs_that_are_found_are_said() -> None:
    report = ldjcheck.check(TwoHalves())
    assert report.to_dict()["results"][0]["inferred"]["shape"] == (
        "(4,): x1 and x2, flat; of each, (2,): a Linear takes 2 features"
    )
