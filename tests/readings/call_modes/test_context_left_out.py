"""A context that may be left out is given too, where the layer's facts say its size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Conditioned(nn.Module):
    """Scales by its own numbers, and by a context's where there is one."""

    def __init__(self, counts_context: bool) -> None:
        super().__init__()
        self.counts_context = counts_context
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))
        self.net = nn.Linear(3, 4)

    def forward(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        s = self.log_scale + 0 * x
        if context is not None:
            s = s + torch.tanh(self.net(context))
        counted = s if self.counts_context else self.log_scale + 0 * x
        return x * s.exp(), counted.sum(1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("right", [True, False])
def test_what_is_wrong_with_a_context_only_is_found(right: bool) -> None:
    report = ldjcheck.check(Conditioned(right), shape=(4,))
    assert report.status == ("pass" if right else "fail")
    assert "context=(3,)" in report.to_dict()["results"][0]["inferred"]["context"]


class CountedAlone(Conditioned):
    """The map knows nothing of the context, and the ldj counts it."""

    def forward(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x)
        if context is not None:
            ldj = ldj + torch.tanh(self.net(context)).sum(1)
        return y, ldj


class CutOff(Conditioned):
    """The number is right, and its gradient is cut off where there is a context."""

    def forward(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x, context)
        return y, ldj if context is None else ldj.detach()


class WrongFarOut(Conditioned):
    """With a context it is wrong where an entry is far from zero, and nowhere else."""

    def forward(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x, context)
        if context is not None:
            ldj = ldj + 0.3 * (x.abs() > 2.5).any(1)
        return y, ldj


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [CountedAlone, CutOff, WrongFarOut])
def test_a_context_may_be_all_that_brings_a_mistake_in(
    layer: type[Conditioned],
) -> None:
    report = ldjcheck.check(layer(counts_context=True), shape=(4,))
    assert report.status == "fail", report
    assert "wrong with it" in report.result.inferred["context"]


def test_a_context_that_is_ignored_is_said_to_change_nothing() -> None:
    class Ignoring(Conditioned):
        def forward(
            self, x: Tensor, context: Tensor | None = None
        ) -> tuple[Tensor, Tensor]:
            return super().forward(x)

    report = ldjcheck.check(Ignoring(counts_context=True), shape=(4,))
    assert report.status == "pass"
    assert report.result.inferred["context"] == (
        "right without it; context=(3,) changes nothing"
    )


def test_one_that_is_embedded_is_left_out() -> None:
    class Labelled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(5, 4)

        def forward(
            self, x: Tensor, label: Tensor | None = None
        ) -> tuple[Tensor, Tensor]:
            s = 0.3 * torch.ones_like(x)
            if label is not None:
                s = s + self.embedding(label)
            return x * s.exp(), s.sum(1)

    report = ldjcheck.check(Labelled(), shape=(4,))
    assert report.status == "pass"


class ByAnyName(Conditioned):
    """Its context is called `g`, and it may hand on a total."""

    def forward(
        self, x: Tensor, g: Tensor | None = None, total: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x, g)
        return y, ldj if total is None else ldj + total


@pytest.mark.thinned(2)
@pytest.mark.parametrize("right", [True, False])
def test_a_context_may_have_any_name(right: bool) -> None:
    """A total that is handed on changes no output, and is none."""
    report = ldjcheck.check(ByAnyName(right), shape=(4,))
    assert report.status == ("pass" if right else "fail")
    assert "g=(3,)" in report.to_dict()["results"][0]["inferred"]["context"]


class Noisy(nn.Module):
    """Adds noise, drawn where none is given, and counts what the noise's flow does."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = torch.rand_like(x) if noise is None else noise
        return x.floor() + u * self.scale, self.scale.abs().log().sum().expand(len(x))


def test_noise_is_no_context() -> None:
    report = ldjcheck.check(Noisy(), shape=(4,))
    assert report.status == "pass", report


class Filtered(nn.Module):
    """Does nothing without a context."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 4)

    def forward(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if context is None:
            return x, x.new_zeros(len(x))
        s = torch.tanh(self.net(context))
        return x * s.exp(), s.sum(1)


def test_what_does_nothing_without_a_context_is_proved_with_one() -> None:
    assert ldjcheck.check(Filtered(), shape=(4,)).status == "pass"


class Padded(nn.Module):
    """Mixes the channels of sequences, whose ends a mask may leave out."""

    def __init__(self, counts: str) -> None:
        super().__init__()
        self.counts = counts
        self.weight = nn.Parameter(torch.eye(4) + 0.1 * torch.randn(4, 4))

    def forward(self, x: Tensor, x_mask: Tensor) -> tuple[Tensor, Tensor]:
        lengths = {
            "kept": x_mask.sum((1, 2)),
            "all": torch.full((len(x),), float(x.shape[2])),
            "channels": torch.full((len(x),), 2.0 * x.shape[1]),
            "one": torch.ones(len(x)),
        }[self.counts]
        ldj = lengths * torch.linalg.slogdet(self.weight)[1]
        return torch.einsum("ij,bjt->bit", self.weight, x) * x_mask, ldj


class PaddedAtTimes(Padded):
    """The mask may be left out, and keeps all then."""

    def forward(self, x: Tensor, x_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().forward(
            x, torch.ones_like(x[:, :1]) if x_mask is None else x_mask
        )


@pytest.mark.thinned(10)
@pytest.mark.parametrize("kind", [Padded, PaddedAtTimes])
@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ("kept", []),
        ("all", ["masked-dims-counted"]),
        ("channels", ["wrong-dims-factor"]),  # twice 4 are 8 frames, and never 6
        ("one", ["missing-spatial-factor"]),
    ],
)
def test_what_a_mask_leaves_out_is_not_counted(
    kind: type[Padded], counts: str, found: list[str]
) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(kind(counts))
    assert [finding.name for finding in report.findings] == found


class Dequantized(nn.Module):
    """Adds learned noise, which may be given, and counts its density."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.share = share  # of the sigmoid's part that is counted
        self.net = nn.Linear(4, 8)

    def forward(self, x: Tensor, eps: Tensor | None = None) -> tuple[Tensor, Tensor]:
        eps = torch.randn_like(x) if eps is None else eps
        shift, log_scale = torch.tanh(self.net(x)).chunk(2, -1)
        z = shift + log_scale.exp() * eps
        slope = nn.functional.logsigmoid(z) + nn.functional.logsigmoid(-z)
        log_p = -0.5 * (eps**2 + torch.tensor(2 * torch.pi).log())
        log_q = log_p - log_scale - self.share * slope
        return x + torch.sigmoid(z), -log_q.sum(-1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("share", "status"), [(1.0, "pass"), (0.5, "fail")])
def test_noise_that_may_be_given_is_a_draw_and_no_context(
    share: float, status: str
) -> None:
    report = ldjcheck.check(Dequantized(share), shape=(4,))
    assert report.status == status


class OfHiddenStates(nn.Module):
    """Takes hidden states, which come first; what is called `h` is no context then."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 3)

    def forward(self, h: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        """Moves states h (B, 5) by a strength (B, 1)."""
        a, b = h[:, :2], h[:, 2:]
        s = torch.tanh(self.net(a)) * strength
        return torch.cat([a, b * s.exp()], 1), s.sum(1)


def test_a_letter_is_a_context_where_an_input_stands_behind_it() -> None:
    assert ldjcheck.check(OfHiddenStates()).status == "pass"
