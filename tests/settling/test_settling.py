"""How a layer is first called: on copies, in its own modes, and not more than helps."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
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
    assert "ldjcheck.running" not in shown


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


@pytest.mark.slow
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


class Fed(Affine):
    """A flow that wants a context of three numbers, and says so by one line."""

    calls: ClassVar[list[tuple[object, ...]]] = []

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 4)

    def _shift(self, context: Tensor | None) -> Tensor:
        if context is None:
            raise RuntimeError("a context must be given")
        shift: Tensor = self.net(context)
        return shift

    def forward(self, x: Tensor, context: Tensor | None = None) -> Pair:
        self.calls.append((tuple(x.shape[1:]), x.dtype, context is None))
        y, ldj = super().forward(x)
        return y + self._shift(context), ldj

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Pair:
        return super().inverse(y - self._shift(context))


@pytest.mark.slow
def test_a_call_that_raises_is_made_once_however_its_return_would_be_read() -> None:
    Fed.calls.clear()
    report = ldjcheck.check(Fed())
    assert (report.status, report.result.convention) == ("pass", "pair")
    without = [call for call in Fed.calls if call[2]]
    assert max(Counter(without).values()) <= 3  # in two domains, and in training


def test_where_precision_is_no_matter_it_is_not_varied_at_every_shape() -> None:
    Fed.calls.clear()
    ldjcheck.check(Fed())
    tried = [
        {c[0] for c in Fed.calls if c[1] == t} for t in (torch.float64, torch.float32)
    ]
    assert 5 * len(tried[1]) < len(tried[0])


class OfSingles(nn.Module):
    """A flow that runs in float32 alone, on four numbers alone."""

    def forward(self, x: Tensor) -> Pair:
        if x.shape[1:] != (4,):
            raise RuntimeError(f"I cannot use {x[0].numel()} numbers")
        scale = torch.frombuffer(bytearray(b"\0\0\0@" * 4), dtype=torch.float32)
        if x.dtype != scale.dtype:
            raise RuntimeError("I cannot use doubles")
        return x * scale, scale.log().sum().expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        return y / 2.0, -torch.full((len(y),), 2.0).log() * 4


@pytest.mark.slow
def test_a_layer_of_one_size_and_one_precision_is_found() -> None:
    result = ldjcheck.check(OfSingles()).result
    assert result.status == "pass"
    assert result.inferred["dtype"].startswith("float32: in float64 it raises")
    assert result.inferred["shape"].startswith("(4,)")


class OfImages(nn.Module):
    """A flow of images; a branch for all else was never written."""

    def forward(self, x: Tensor) -> Pair | None:
        if x.dim() == 4:
            return 2.0 * x, x[0].numel() * torch.full((len(x),), 2.0).log()
        return None

    def inverse(self, y: Tensor) -> Pair | None:
        if y.dim() == 4:
            return y / 2.0, -y[0].numel() * torch.full((len(y),), 2.0).log()
        return None


def test_a_branch_that_was_never_written_hides_no_other() -> None:
    assert ldjcheck.check(OfImages()).status == "pass"


class Factory(nn.Module):
    """Returns a distribution, whatever it is given."""

    calls: ClassVar[list[Tensor]] = []

    def forward(self, x: Tensor) -> torch.distributions.Normal:
        self.calls.append(x)
        return torch.distributions.Normal(x, 1.0)


def test_what_returns_no_tensor_is_not_asked_at_every_shape() -> None:
    Factory.calls.clear()
    report = ldjcheck.check(Factory())
    assert [f.code for f in report.findings] == ["LDJ004"]
    assert len(Factory.calls) <= 12


class Trained(Affine):
    """A flow that counts its calls in training, where nothing of it shows."""

    calls: ClassVar[list[bool]] = []

    def forward(self, x: Tensor) -> Pair:
        self.calls.append(self.training)
        return super().forward(x)


class Learning(Trained):
    """The same, and its first batch decides where it begins."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("begun", torch.tensor(False))

    def forward(self, x: Tensor) -> Pair:
        if not self.begun:
            with torch.no_grad():
                self.log_scale.copy_(-x.std(0).log())
            self.begun.fill_(True)
        return super().forward(x)


def test_a_call_in_training_that_changes_nothing_is_not_made_on_every_copy() -> None:
    in_training = []
    for build in (Trained, Learning):
        Trained.calls.clear()
        assert ldjcheck.check(build(), shape=(4,)).status == "pass"
        in_training.append(Trained.calls.count(True))
    assert in_training[0] <= in_training[1] / 2
