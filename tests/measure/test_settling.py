"""How a layer is first called: on copies, in its own modes, and not more than helps."""

from __future__ import annotations

from typing import ClassVar

import torch
from small_layers import Affine
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class AskingForMore(Affine):
    """A flow that takes nothing of what is given, and says so by one line."""

    calls: ClassVar[list[bool]] = []

    def forward(self, x: Tensor) -> Pair:
        self.calls.append(self.training)
        if self.training is None or not hasattr(self, "table"):
            raise RuntimeError("no table was loaded")
        return super().forward(x)


def test_what_raises_the_same_in_training_is_not_trained_at_every_shape() -> None:
    AskingForMore.calls.clear()
    report = ldjcheck.check(AskingForMore())
    assert report.findings[0].code == "LDJ005"
    assert AskingForMore.calls.count(True) == 2  # small shapes, and then large ones


def test_an_error_is_shown_without_the_calls_that_went_before() -> None:
    shown = str(ldjcheck.check(AskingForMore()))
    assert "no table was loaded" in shown
    assert "During handling" not in shown
    assert "ldjcheck.measure" not in shown


class Misspelt(nn.Module):
    """Other sizes do not fit; where they do, it asks for `weights`."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Pair:
        y = self.linear(x)
        return y, torch.slogdet(self.linear.weights)[1].expand(len(x))


class Unfed(Misspelt):
    """Where the sizes fit, it asks for what it was not given."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Pair:
        y = self.linear(x)
        return y, torch.slogdet(context.weight)[1].expand(len(x))  # type: ignore[union-attr]  # that is the point


def test_a_slip_in_the_code_is_told_and_not_the_sizes_that_do_not_fit() -> None:
    report = ldjcheck.check(Misspelt())
    (finding,) = report.findings
    assert (finding.code, finding.message) == (
        "LDJ005",
        "The layer raised AttributeError: 'Linear' object has no attribute 'weights'",
    )
    assert finding.evidence[-1] == "input: shape (4,), domain real"


def test_what_was_not_given_is_no_slip_in_the_code() -> None:
    assert [f.code for f in ldjcheck.check(Unfed()).findings] == ["LDJ006"]


class Frozen(Affine):
    """A flow whose normalisation stays as it is while the rest is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4, affine=False)

    def train(self, mode: bool = True) -> Frozen:
        super().train(mode)
        self.norm.eval()
        return self

    def forward(self, x: Tensor) -> Pair:
        assert not self.norm.training
        std = (self.norm.running_var + self.norm.eps).sqrt()
        y, ldj = super().forward(self.norm(x))
        return y, ldj - std.log().sum()

    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        std = (self.norm.running_var + self.norm.eps).sqrt()
        return x * std + self.norm.running_mean, ldj + std.log().sum()


def test_a_module_says_itself_what_training_means_for_its_own() -> None:
    assert ldjcheck.check(Frozen()).status == "pass"
    assert ldjcheck.check(Frozen(), mode="train").status == "pass"


class OutOfSight(Affine):
    """A flow that keeps a module where torch does not see it."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [nn.Dropout(0.5)]

    def forward(self, x: Tensor) -> Pair:
        assert not self.hidden[0].training
        torch.testing.assert_close(self.hidden[0](x), x)
        return super().forward(x)


def test_modules_that_torch_does_not_see_are_put_into_the_mode_too() -> None:
    assert ldjcheck.check(OutOfSight(), params="as-is").status == "pass"
