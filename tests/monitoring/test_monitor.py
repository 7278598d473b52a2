"""A flow is looked at while it trains: what is wrong is found, and nothing is touched."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from monitoring.flows import (
    Coupling,
    Dropped,
    Flow,
    Labelled,
    Mirrored,
    Normalised,
    OfTheBatch,
    of_a_task,
    of_likelihood,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ldjcheck.monitoring.listeners import Look


def looks_at(
    flow: nn.Module, x: Tensor, **context: Any
) -> tuple[ldjcheck.Look, dict[str, ldjcheck.Look]]:
    """Return the graver look, and the look in each mode."""
    heard: list[ldjcheck.Look] = []
    monitor = ldjcheck.Monitor(flow, every=1, on=heard.append)
    graver = monitor.step(x, **context)
    assert graver is not None
    return graver, {look.mode: look for look in heard}


def trained(
    flow: nn.Module,
    steps: int,
    monitor: ldjcheck.Monitor | None = None,
    loss: Callable[[nn.Module, Tensor], Tensor] = of_likelihood,
) -> Iterator[ldjcheck.Look]:
    """Train, and yield the looks that are taken."""
    optimiser = torch.optim.Adam(flow.parameters(), lr=1e-2)
    for _ in range(steps):
        x = torch.randn(64, 6)
        value = loss(flow, x)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        look = None if monitor is None else monitor.step(x)
        if look is not None:
            yield look


def test_the_numbers_are_those_of_the_flow_at_the_batch_at_hand() -> None:
    flow, x = Flow(Coupling(), Coupling()), torch.randn(64, 6)
    look, _ = looks_at(flow, x)
    assert look.status == "pass"
    assert look.why is None
    # the samples are the first of the batch, in some order
    reported = flow(x[:4])[1]
    assert sorted(look.reported) == pytest.approx(sorted(reported.tolist()), abs=1e-5)
    _, exact = ldjcheck.exact_ldj(lambda v: flow(v)[0], x[:4])
    assert sorted(look.exact) == pytest.approx(sorted(exact.tolist()), abs=1e-5)
    assert look.worst is not None
    assert look.allowed is not None
    assert look.worst < look.allowed


def jacobians_of(flow: nn.Module, x: Tensor) -> Tensor:
    one = torch.func.jacrev(lambda v: flow(v[None])[0][0])
    return torch.func.vmap(one)(x).detach()


def test_the_condition_is_that_of_the_worst_sample() -> None:
    flow, x = Flow(Coupling(), Coupling()), torch.randn(4, 6)
    jacobians = jacobians_of(flow, x)
    look, _ = looks_at(flow, x)
    assert look.condition == pytest.approx(
        float(torch.linalg.cond(jacobians).max()), rel=1e-3
    )


def test_of_many_dims_all_is_known_by_products() -> None:
    flow, x = Flow(Coupling(192), Coupling(192)), torch.randn(4, 192)
    jacobians = jacobians_of(flow, x)
    condition = float(torch.linalg.cond(jacobians).max())
    look, _ = looks_at(flow, x)
    assert look.status == "pass"
    assert look.report.checks[0].method in ("products", "composition")
    assert look.condition is not None
    assert 0.5 * condition < look.condition <= 1.001 * condition


@pytest.mark.thinned(2)
@pytest.mark.parametrize("every", [1, 3, 5])
def test_it_looks_at_each_so_many_calls(every: int) -> None:
    monitor = ldjcheck.Monitor(Coupling(), every=every, on=[], share=None)
    taken = [monitor.step(torch.randn(8, 6)) for _ in range(10)]
    steps = [look.step for look in taken if look is not None]
    assert steps == list(range(every, 11, every))


def test_a_sign_that_is_wrong_is_off_by_twice_the_exact_value() -> None:
    look, _ = looks_at(Flow(Mirrored()), torch.randn(8, 6))
    assert look.status == "fail"
    assert look.worst == pytest.approx(2 * max(map(abs, look.exact)), rel=1e-3)


def test_a_flow_that_is_wrong_in_training_alone_is_found() -> None:
    look, by_mode = looks_at(Dropped(), torch.randn(8, 6))
    assert (look.mode, look.status) == ("train", "fail")
    assert by_mode["eval"].status == "pass"


def warmed_up(flow: nn.Module) -> nn.Module:
    for _ in range(20):
        flow(3 * torch.randn(64, 6))
    return flow


def test_a_flow_that_is_wrong_in_evaluation_alone_is_found() -> None:
    look, by_mode = looks_at(warmed_up(OfTheBatch()), torch.randn(8, 6))
    assert (look.mode, look.status) == ("eval", "fail")
    assert by_mode["train"].status == "unproven"  # its samples meet


def test_a_batch_norm_that_is_right_is_left_alone() -> None:
    look, by_mode = looks_at(warmed_up(Normalised()), torch.randn(8, 6))
    assert look.status == "unproven"
    assert by_mode["train"].condition is None
    assert by_mode["eval"].status == "pass"


def test_where_both_modes_are_one_it_looks_once() -> None:
    _, by_mode = looks_at(Coupling().eval(), torch.randn(8, 6))
    assert [*by_mode] == ["eval"]


@pytest.mark.slow
def test_an_inverse_that_explodes_is_found_while_the_ldj_is_right() -> None:
    flow = Flow(*(Coupling() for _ in range(4)))
    monitor = ldjcheck.Monitor(flow, every=100, on=[], share=None)
    first, *_, last = trained(flow, 500, monitor, of_a_task)
    assert first.status == "pass"
    assert last.status == "fail"
    assert last.why is not None
    assert "half of the digits of float32" in last.why
    assert last.report.checks[0].status == "pass"
    assert first.round_trip is not None
    assert last.round_trip is not None
    assert last.round_trip > 10 * first.round_trip
    assert first.condition is not None
    assert last.condition is not None
    assert last.condition > 10 * first.condition


def test_in_double_precision_the_same_map_keeps_its_digits() -> None:
    flow = Flow(*(Coupling() for _ in range(4)))
    assert not [*trained(flow, 300, None, of_a_task)]
    x = torch.randn(8, 6)
    single, _ = looks_at(flow, x)
    double, _ = looks_at(flow.double(), x.double())
    assert (single.status, double.status) == ("fail", "pass")
    assert double.condition == pytest.approx(single.condition, rel=0.05)


def test_training_goes_on_as_if_nobody_had_looked() -> None:
    after = []
    for watched in (False, True):
        torch.manual_seed(3)
        flow = Flow(Coupling(), Normalised(), Dropped())
        monitor = ldjcheck.Monitor(flow, every=5, on=[], share=None)
        [*trained(flow, 20, monitor if watched else None)]
        assert all(module.training for module in flow.modules())
        after.append(
            (flow.state_dict(), flow.layers[0].net[0].bias.grad, torch.rand(3))
        )
    (alone, grad_alone, drawn_alone), (state, grad, drawn) = after
    assert all(torch.equal(alone[name], state[name]) for name in alone)
    assert torch.equal(grad_alone, grad)
    assert torch.equal(drawn_alone, drawn)


def test_each_look_is_at_the_weights_of_its_time() -> None:
    flow, x = Coupling(), torch.randn(4, 6)
    monitor = ldjcheck.Monitor(flow, every=1, on=[], share=None)
    for shift in (0.0, 0.5, 1.0):
        with torch.no_grad():
            flow.net[2].bias += shift
        look = monitor.step(x)
        assert look is not None
        reported = flow(x)[1].tolist()
        assert sorted(look.reported) == pytest.approx(sorted(reported), abs=1e-5)


@pytest.mark.parametrize(("counts", "status"), [(1.0, "pass"), (0.5, "fail")])
def test_labels_and_settings_go_beside_the_batch(counts: float, status: str) -> None:
    flow, x, y = Labelled(counts), torch.randn(4, 6), torch.tensor([3, 9, 0, 7])
    look, _ = looks_at(flow, x, y=y, temperature=0.7)
    assert look.status == status
    reported = flow(x, y, temperature=0.7)[1].tolist()
    assert sorted(look.reported) == pytest.approx(sorted(reported), abs=1e-5)


def test_batches_may_change_their_size() -> None:
    class Scale(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return 2 * x, torch.full((len(x),), x[0].numel() * 0.6931472)

    monitor = ldjcheck.Monitor(Scale(), every=1, on=[], share=None)
    for shape in ((8, 6), (3, 6), (8, 4), (8, 2, 3)):
        look = monitor.step(torch.randn(shape))
        assert look is not None
        assert look.status == "pass", shape


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (torch.full((4, 6), float("nan")), "nan or inf"),
        (torch.randn(4, 5), "RuntimeError"),
        (torch.tensor(1.0), "no batch axis"),
        ("text", "a str"),
    ],
    ids=["nan", "another size", "a number", "text"],
)
def test_a_batch_that_cannot_be_fed_is_told_and_not_raised(x: Any, why: str) -> None:
    monitor = ldjcheck.Monitor(Coupling(), every=1, on=[], share=None)
    look = monitor.step(x)
    assert look is not None
    assert look.status == "error"
    assert look.why is not None
    assert why in look.why
    again = monitor.step(torch.randn(4, 6))
    assert again is not None
    assert again.status == "pass"


def test_a_fault_of_ours_ends_no_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise LookupError("a slip")

    monitor = ldjcheck.Monitor(Coupling(), every=1, on=[], share=None)
    with monkeypatch.context() as patched:
        patched.setattr("ldjcheck.monitoring.glance_at", fails)
        look = monitor.step(torch.randn(4, 6))
    assert look is not None
    assert look.status == "error"
    assert look.why == "ldjcheck itself failed: LookupError: a slip"
    assert "Traceback" in caplog.text
    again = monitor.step(torch.randn(4, 6))
    assert again is not None
    assert again.status == "pass"


def test_weights_that_are_lost_are_found() -> None:
    flow = Coupling()
    with torch.no_grad():
        flow.net[0].weight.fill_(float("nan"))
    look, _ = looks_at(flow, torch.randn(4, 6))
    assert look.status == "fail"
    assert look.why is not None
    assert "NaN" in look.why


@pytest.mark.slow
def test_between_two_looks_no_copy_of_the_flow_is_kept() -> None:
    import gc

    class Counted(Coupling):
        pass

    monitor = ldjcheck.Monitor(Counted(), every=1, on=[], share=None)
    for _ in range(3):
        monitor.step(torch.randn(4, 6))
        gc.collect()
        alive = [item for item in gc.get_objects() if type(item) is Counted]
        assert len(alive) == 1


def test_a_look_is_put_off_that_would_take_more_than_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("ldjcheck.monitoring.perf_counter", lambda: now[0])

    class Slow(Coupling):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            now[0] += 0.1  # a second or two of each look
            return super().forward(x)

    monitor = ldjcheck.Monitor(Slow(), every=10, on=[], share=0.01)
    spent, taken = [], []
    for step in range(1, 2001):
        now[0] += 1.0
        before = now[0]
        if monitor.step(torch.randn(4, 6)) is not None:
            taken.append(step)
            spent.append(now[0] - before)
    assert taken[0] == 10
    assert sum(spent[1:]) <= 0.01 * 2000
    assert len(taken) > 5


@pytest.mark.parametrize(("timeout", "status"), [(10.0, "error"), (1e3, "pass")])
def test_a_step_takes_no_longer_than_it_may(
    timeout: float, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("ldjcheck.records.asked.thread_time", lambda: now[0])

    class Slow(Coupling):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            now[0] += 1.0
            return super().forward(x)

    looks: list[Look] = []
    look = ldjcheck.Monitor(
        Slow(), every=1, on=looks.append, share=None, timeout=timeout
    ).step(torch.randn(4, 6))
    assert look is not None
    assert look.status == status
    assert now[0] <= timeout
    assert [each.mode for each in looks] == ["train"]  # the other is not begun


@pytest.mark.slow
def test_it_costs_at_most_a_hundredth_of_the_steps_between() -> None:
    flow = Flow(*(Coupling() for _ in range(4)))
    optimiser = torch.optim.Adam(flow.parameters(), lr=1e-3)
    monitor = ldjcheck.Monitor(flow, every=100, on=[])
    begun, spent = [], []  # when a look began, and how long the call took
    while len(begun) < 3:
        x = torch.randn(64, 6)
        value = of_likelihood(flow, x)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        started = perf_counter()
        if monitor.step(x) is not None:
            begun.append(started)
            spent.append(perf_counter() - started)
    between = begun[2] - begun[1] - spent[1]
    assert spent[1] <= 0.0101 * between


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"every": 0}, "every"),
        ({"every": True}, "every"),
        ({"share": 0.0}, "share"),
        ({"share": 2.0}, "share"),
        ({"samples": 0}, "samples"),
        ({"timeout": -1.0}, "timeout"),
        ({"convention": "f(("}, "convention"),
        ({"on": "shout"}, "on"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_at_once(given: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        ldjcheck.Monitor(Coupling(), **given)
