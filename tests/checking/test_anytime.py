"""A check whose time is limited: the verdict first, then why, then how to mend it.

Time passes only while the layer runs, so that no test hangs on how busy the machine is.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
import torch
from busy import busy, compute, needs_one_processor
from torch import Tensor, nn

import ldjcheck
from ldjcheck import checking, search
from ldjcheck.records import Deadline, Layer, Options, Result, TimeIsUpError, asked

if TYPE_CHECKING:
    from collections.abc import Iterator

NAP = 0.05  # seconds that a call takes
VERDICT = 45  # calls within which both directions are known at one configuration
ENOUGH = 500  # calls for all of it


class Clock:
    """Time that passes only where it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls = 0

    def __call__(self) -> float:
        return self.now

    def nap(self) -> None:
        self.now += NAP
        self.calls += 1


CLOCK = Clock()


class Coupling(nn.Module):
    """A right layer, both ways, that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        CLOCK.nap()
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        return torch.cat([a, b * s.exp() + t], dim=1), s.sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        CLOCK.nap()
        a, b = y.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        return torch.cat([a, (b - t) * (-s).exp()], dim=1), -s.sum(1)


class WrongThere(Coupling):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        CLOCK.nap()
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        return torch.cat([a, b * s.exp() + t], dim=1), s.mean(1)


class WrongBack(Coupling):
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        CLOCK.nap()
        a, b = y.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        return torch.cat([a, (b - t) * (-s).exp()], dim=1), s.sum(1)


class WrongFlow(nn.Module):
    """A flow, one of whose layers is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Coupling(), WrongThere(), Coupling()])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x)
            total = total + ldj
        return x, total


class Scale(nn.Module):
    """Any number of dims; its ldj is wrong only where there are more than 6."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        CLOCK.nap()
        ldj = (self.log_scale * x.shape[1]).expand(len(x))
        return x * self.log_scale.exp(), ldj


RIGHT = (Coupling, Scale)
WRONG = (WrongThere, WrongBack, WrongFlow)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    for module in (checking, search):
        monkeypatch.setattr(module, "perf_counter", CLOCK)
    monkeypatch.setattr(asked, "thread_time", CLOCK)
    CLOCK.now, CLOCK.calls = 100.0, 0
    return CLOCK


def checked(layer: nn.Module, calls: int) -> ldjcheck.Report:
    """Return the report of a check that has time for about so many calls."""
    return ldjcheck.check(layer, timeout=calls * NAP / 0.9, pictures=False)


def not_done(report: ldjcheck.Report) -> list[str]:
    found: list[str] = report.to_dict()["results"][0]["not_done"]
    return found


@pytest.mark.thinned(6)
@pytest.mark.parametrize("calls", [50, 70, 100, 140, 200, ENOUGH])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_that_was_seen_fails_however_the_time_ran_out(
    wrong: type[nn.Module], calls: int
) -> None:
    calls *= 3 if wrong is WrongFlow else 1  # each of its calls is three of its layers
    report = checked(wrong(), calls)
    assert report.status == "fail"
    named = report.findings[0].code != "LDJ199"
    assert named or "which mistake it is, and its line" in not_done(report)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("wrong", WRONG)
def test_with_time_it_is_named_and_mended(wrong: type[nn.Module]) -> None:
    report = checked(wrong(), 6 * ENOUGH)
    assert report.status == "fail"
    assert report.findings[0].fix is not None
    assert not not_done(report)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("calls", [5, 20, 30, 40, 60, 80, 100, ENOUGH])
@pytest.mark.parametrize("right", RIGHT)
def test_what_is_right_is_never_wrong_and_passes_only_where_all_was_measured(
    right: type[nn.Module], calls: int
) -> None:
    report = checked(right(), calls)
    left_out = not_done(report)
    if report.status == "error":
        assert [f.code for f in report.findings] == ["LDJ007"]
    elif report.status == "unproven":
        assert left_out
    else:
        assert report.status == "pass"
        assert all(each.startswith("calling it otherwise") for each in left_out)


def test_with_time_what_is_right_passes_and_nothing_is_left_out() -> None:
    report = checked(Coupling(), ENOUGH)
    assert report.status == "pass"
    assert not not_done(report)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("layer", [Coupling, *WRONG])
def test_time_that_suffices_changes_nothing(layer: type[nn.Module]) -> None:
    def told(report: ldjcheck.Report) -> object:
        result = report.to_dict()["results"][0]
        return {**result, "seconds": 0}

    unhurried = ldjcheck.check(layer(), pictures=False)
    assert told(checked(layer(), 10 * ENOUGH)) == told(unhurried)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("calls", [10, 33, 77, 150])
@pytest.mark.parametrize("layer", [Coupling, *WRONG])
def test_no_call_is_begun_once_the_time_is_up(
    layer: type[nn.Module], calls: int
) -> None:
    checked(layer(), calls)
    assert (
        CLOCK.calls <= calls + 2 * 3
    )  # a call of the flow is one of each of its layers


@pytest.mark.thinned(4)
@pytest.mark.parametrize("layer", [Coupling, *WRONG])
def test_there_is_a_verdict_within_a_fifth_of_the_time(layer: type[nn.Module]) -> None:
    times: list[tuple[float, str]] = []

    def tell(known: object) -> None:
        if isinstance(known, Result):
            times.append((CLOCK.now - 100.0, known.status))

    calls = VERDICT * (3 if layer is WrongFlow else 1)
    limit = Deadline(seconds=5 * calls * NAP)
    target = Layer(target="layer", name="layer", obj=layer())
    result = checking.check_layer(target, Options(timeout=limit), tell=tell)
    by_then = [status for at, status in times if at <= limit.seconds / 5]
    wanted = "unproven" if layer is Coupling else "fail"  # so far
    assert by_then[-1:] == [wanted]
    assert result.status in ("pass", "fail")


def test_time_that_runs_out_while_shapes_are_tried_says_so_and_blames_no_shape() -> (
    None
):
    class Picky(Coupling):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            CLOCK.nap()
            if x.shape[1:] != (2, 30, 2):
                raise ValueError("not this shape")
            return 2 * x, x.new_zeros(len(x))

    (finding,) = checked(Picky(), 4).findings
    assert finding.code == "LDJ007"
    assert "while I was finding out how it is called" in finding.message
    assert "Nothing is known yet" in " ".join(finding.evidence)
    assert "not this shape" in " ".join(finding.evidence)


def test_time_that_runs_out_before_a_verdict_is_no_verdict() -> None:
    report = checked(Coupling(), 21)
    assert report.status == "error"
    assert "comparing reported and exact" in report.findings[0].message


def test_what_was_left_out_stands_under_the_verdict() -> None:
    lines = str(checked(WrongBack(), 60)).splitlines()
    assert "FAIL" in lines[0]
    assert "Time did not allow: " in lines[1]


@pytest.mark.slow
def test_a_search_stops_when_the_time_is_up() -> None:
    layer = Coupling()
    report = ldjcheck.check(
        layer, timeout=300 * NAP, search=1000, shape=6, pictures=False
    )
    assert CLOCK.calls <= 300
    assert report.status == "pass"
    assert not_done(report) == ["some of the search"]


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "soon"])
def test_a_limit_is_a_number_of_seconds(seconds: object) -> None:
    with pytest.raises(ValueError, match="timeout="):
        ldjcheck.check(Coupling(), timeout=seconds)  # type: ignore[arg-type]


def test_time_is_what_the_thread_of_the_check_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    limit = Deadline(seconds=0.1).started()
    time.sleep(0.2)  # as it does while others have the processor
    beside = threading.Thread(target=compute, args=(0.2,))  # as a thread of torch
    beside.start()
    beside.join()
    limit.check()
    compute(0.1)
    with pytest.raises(TimeIsUpError):
        limit.check()


@pytest.mark.slow
@needs_one_processor
def test_a_busy_machine_changes_nothing_that_a_limit_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()

    def told() -> tuple[object, float]:
        result = ldjcheck.check(WrongThere(), timeout=limit, pictures=False).to_dict()
        (only,) = result["results"]
        assert only["findings"][0]["fix"] is not None
        return {**only, "seconds": 0}, only["seconds"]

    limit = 1000.0
    told()  # what is loaded now need not be loaded again
    began = time.thread_time()
    quiet, _ = told()
    limit = 3 * (time.thread_time() - began)
    with busy():
        among_others, by_the_clock = told()
    assert among_others == quiet
    assert by_the_clock > limit, "it was not busy enough to tell"


def test_a_part_of_a_stage_has_the_time_of_that_stage() -> None:
    whole = Deadline(seconds=100.0).started()
    naming = whole.of(asked.NAMING, wrong=True)
    assert naming.left == pytest.approx(0.85 * 90)
    assert naming.of(asked.CONFIGURATIONS, wrong=True) == naming


class Slowly(torch.autograd.Function):
    """The identity, whose derivative takes its time."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]  # one input
        compute(0.015)
        return grad.clone()


class Dense(nn.Module):
    """All dims into all others: no structure, and every entry of its Jacobian counts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(400, 400)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        CLOCK.nap()
        ldj = torch.linalg.slogdet(torch.eye(400) + self.linear.weight)[1]
        return x + Slowly.apply(self.linear(x)), ldj.expand(len(x))


class Napping(torch.autograd.Function):
    """The identity, of which each derivative counts as a call."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]  # one input
        CLOCK.nap()
        return grad.clone()


class DenseSteps(nn.Module):
    """A flow of many steps, of each of which all of the Jacobian is needed."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.steps = nn.ModuleList(nn.Linear(130, 130) for _ in range(12))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = torch.zeros(len(x))
        for step in self.steps:
            x = torch.tanh(x + Napping.apply(step(x)))
            ldj = ldj + step.weight.sum()
        return x, ldj


def test_one_part_after_another_is_worked_out_until_the_time_is_up() -> None:
    limit = 40 * NAP
    monitor = ldjcheck.Monitor(DenseSteps(), 1, [], share=None, timeout=limit)
    look = monitor.step(torch.randn(4, 130))
    assert look is not None
    assert look.status == "error"
    assert CLOCK.now - 100 < limit + 4.0  # one part, at most, is ended: of 12


@pytest.mark.slow
def test_what_all_of_a_jacobian_would_take_is_told_before_it_is_begun() -> None:
    report = ldjcheck.check(Dense(), timeout=1.2, shape=400, pictures=False)
    (finding,) = report.findings
    assert finding.code == "LDJ007"
    assert "do not suffice for a layer of this size" in finding.message
    told = " ".join(finding.evidence)
    assert "400 backward passes, about" in told
    assert "build the layer for a smaller one" in told
