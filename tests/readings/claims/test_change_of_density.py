"""Who adds a number to the density of what goes in means the ldj with its sign turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from pathlib import Path

Pair = tuple[Tensor, Tensor]


class _Squash(nn.Module):
    """Pre-activations to actions in (-2, 2), twice as wide in places."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.log_gain = nn.Parameter(0.3 * torch.randn(3))

    def squashed(self, u: Tensor) -> Pair:
        action = 2 * torch.tanh(u * self.log_gain.exp())
        return action, torch.log(2 - action**2 / 2).sum(-1) + self.log_gain.sum()


class Corrected(_Squash):
    """`PolicyThatAdds` adds what it returns."""

    def forward(self, u: Tensor) -> Pair:
        action, ldj = self.squashed(u)
        return action, -ldj


class CorrectedTwice(_Squash):
    def forward(self, u: Tensor) -> Pair:
        action, ldj = self.squashed(u)
        return action, -2 * ldj


class Subtracted(_Squash):
    """`PolicyThatSubtracts` needs the ldj, and is given its negative."""

    def forward(self, u: Tensor) -> Pair:
        action, ldj = self.squashed(u)
        return action, -ldj


class AddedToWhatComesOut(Subtracted):
    pass


class _Policy(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.net = nn.Linear(size, 6)

    def about(self, state: Tensor) -> torch.distributions.Normal:
        mean, log_std = self.net(state).chunk(2, -1)
        return torch.distributions.Normal(mean, log_std.exp())


class PolicyThatAdds(_Policy):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.squash = Corrected()
        self.twice = CorrectedTwice()

    def forward(self, state: Tensor) -> Pair:
        pi = self.about(state)
        u = pi.rsample()
        action, correction = self.squash(u)
        return action, pi.log_prob(u).sum(-1) + correction

    def twice_as_much(self, state: Tensor) -> Pair:
        pi = self.about(state)
        u = pi.rsample()
        log_pi = pi.log_prob(u).sum(-1)
        action, correction = self.twice(u)
        log_pi += correction
        return action, log_pi


class PolicyThatSubtracts(_Policy):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.squash = Subtracted()
        self.other = AddedToWhatComesOut()

    def forward(self, state: Tensor) -> Pair:
        pi = self.about(state)
        u = pi.rsample()
        action, ldj = self.squash(u)
        return action, pi.log_prob(u).sum(-1) - ldj

    def density(self, state: Tensor, x: Tensor) -> Tensor:
        z, ldj = self.other(x)
        return self.about(state).log_prob(z).sum(-1) + ldj


@pytest.mark.parametrize("seed", range(3))
def test_its_negative_is_right_and_a_note_says_so(seed: int) -> None:
    report = ldjcheck.check(Corrected(seed))
    assert report.status == "pass"
    (note,) = (f for f in report.findings if f.code == "LDJ403")
    assert note.message == (
        "What is reported is the change of the log-density: the negative of the ldj."
    )
    assert note.evidence == (
        "PolicyThatAdds.forward adds it to the log-density of what goes in",
    )


def test_the_basis_of_that_reading_is_what_the_code_declares() -> None:
    (reading, *_) = ldjcheck.check(Corrected()).to_dict()["results"][0]["readings"]
    assert ("sign", "declared") in [
        (a["what"], a["basis"]) for a in reading["assumptions"]
    ]


def test_one_that_is_wrong_so_is_told_in_that_sign() -> None:
    report = ldjcheck.check(CorrectedTwice())
    first = report.findings[0]
    assert (report.status, first.code) == ("fail", "LDJ114")
    assert first.fix is not None
    assert [edit.after.strip() for edit in first.fix.edits] == [
        "return action, -1 * ldj"
    ]


@pytest.mark.parametrize("layer", [Subtracted, AddedToWhatComesOut])
def test_elsewhere_the_sign_is_wrong(layer: type[_Squash]) -> None:
    report = ldjcheck.check(layer())
    assert (report.status, report.findings[0].code) == ("fail", "LDJ104")


class _Trained(_Squash):
    """Hands back the negative of its ldj, and trains on `loss`."""

    def forward(self, u: Tensor) -> Pair:
        action, ldj = self.squashed(u)
        return action, -ldj


class AddedToLoss(_Trained):
    def loss(self, u: Tensor) -> Tensor:
        action, cost = self(u)
        energy = action.abs().sum(-1)
        return (energy + cost).mean()


class TakenOffLoss(_Trained):
    def loss(self, u: Tensor) -> Tensor:
        action, gain = self(u)
        density = -action.abs().sum(-1)
        total = density + gain
        return -total.mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "status"), [(AddedToLoss, "pass"), (TakenOffLoss, "fail")]
)
def test_what_raises_a_loss_of_its_own_is_the_negative_of_the_ldj(
    layer: type[_Trained], status: str
) -> None:
    for seed in range(2):
        report = ldjcheck.check(layer(seed))
        assert report.status == status, report
        code = {"pass": "LDJ403", "fail": "LDJ104"}[status]
        assert code in {finding.code for finding in report.findings}, report


class TakenOff(_Squash):
    """Its own `log_prob` takes off what its call returns, `times` what it should be."""

    def __init__(
        self, seed: int = 0, *, times: float = -1.0, taken: float = 1.0
    ) -> None:
        super().__init__(seed)
        self.times, self.taken = times, taken

    def forward(self, u: Tensor) -> list[Tensor]:
        z = torch.sinh(u * self.log_gain.exp())
        ldj = torch.log1p(z**2).sum(-1) / 2 + self.log_gain.sum()
        return [z, self.times * ldj]

    def log_prob(self, u: Tensor) -> Tensor:
        z, change = self(u)
        log_z = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
        return log_z - self.taken * change


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_its_own_density_takes_off_is_the_negative_of_the_ldj(seed: int) -> None:
    report = ldjcheck.check(TakenOff(seed), seed=seed)
    assert report.status == "pass", report
    assert report.result.inferred["sign"] == "its log_prob takes it off"
    wrong = ldjcheck.check(TakenOff(seed, times=-0.5), seed=seed)
    assert wrong.status == "fail"
    assert wrong.result.inferred["sign"] == "its log_prob takes it off"


@pytest.mark.slow
@pytest.mark.parametrize("taken", [-1.0, 0.5])
def test_what_it_adds_or_takes_off_by_half_is_none(taken: float) -> None:
    assert ldjcheck.check(TakenOff(taken=taken)).status == "fail"
    assert "sign" not in ldjcheck.check(TakenOff(taken=taken)).result.inferred


@pytest.mark.slow
def test_where_the_call_is_right_the_density_that_takes_it_off_is_wrong() -> None:
    report = ldjcheck.check(TakenOff(times=1.0))
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ104"]
    assert report.findings[0].location.function == "log_prob"


def test_a_function_of_no_telling_name_takes_nothing_off(tmp_path: Path) -> None:
    file = tmp_path / "stretching.py"
    file.write_text(
        "import torch\n"
        "def stretch(x):\n"
        "    y = torch.sinh(x)\n"
        "    return y, -0.5 * torch.log1p(y**2).sum(1)\n"
        "def objective(x):\n"
        "    y, ldj = stretch(x)\n"
        "    return ldj - 0.5 * (y**2).sum(1)\n"
    )
    report = ldjcheck.check(f"{file}:stretch")
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ104"]
