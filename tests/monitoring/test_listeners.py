"""Who hears of a look: the log, a warning, an exception, a function, TensorBoard."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import torch

import ldjcheck
from monitoring.flows import Coupling, Mirrored

if TYPE_CHECKING:
    from pathlib import Path

    from ldjcheck.monitoring.listeners import On

X = torch.linspace(-1, 1, 48).reshape(8, 6)


def looked(flow: Any, on: On) -> ldjcheck.Look | None:
    return ldjcheck.Monitor(flow, every=1, on=on).step(X)


def test_the_log_hears_of_each_look(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ldjcheck")
    looked(Coupling(), "log")
    looked(Mirrored(), "log")
    right, wrong = caplog.records
    assert (right.levelname, wrong.levelname) == ("INFO", "WARNING")
    assert right.getMessage().startswith("step 1 (train): pass, ldj off by ")
    assert "The ldj is wrong" in wrong.getMessage()


@pytest.mark.filterwarnings("error")
def test_a_warning_is_of_the_line_that_steps() -> None:
    looked(Coupling(), "warn")
    with pytest.warns(RuntimeWarning, match="fail, ldj off by") as caught:
        looked(Mirrored(), "warn")
    assert caught[0].filename == __file__


def test_what_is_wrong_raises_with_its_report() -> None:
    looked(Coupling(), "raise")
    with pytest.raises(ldjcheck.LdjMismatch, match="fail, ldj off by") as wrong:
        looked(Mirrored(), "raise")
    assert wrong.value.report.status == "fail"
    with pytest.raises(ldjcheck.LdjError, match="error"):
        ldjcheck.Monitor(Coupling(), every=1, on="raise").step(X[:, :5])


def test_all_of_a_list_hear_in_turn() -> None:
    heard: list[str] = []
    first = lambda look: heard.append(f"first {look.step}")  # noqa: E731  # any callable
    with pytest.raises(ldjcheck.LdjMismatch):
        looked(Mirrored(), [first, heard.append, "raise"])
    assert heard[0] == "first 1"
    assert len(heard) == 2


def test_the_metrics_are_numbers_by_name_and_mode() -> None:
    look = looked(Coupling(), [])
    assert look is not None
    assert look.metrics == {
        "ldj/worst_train": look.worst,
        "ldj/round_trip_train": look.round_trip,
        "ldj/condition_train": look.condition,
    }


def test_a_look_can_be_pickled() -> None:
    look = looked(Mirrored(), [])
    again = pickle.loads(pickle.dumps(look))
    assert str(again) == str(look)


def test_tensorboard_has_the_numbers_by_step(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        monitor = ldjcheck.Monitor(Coupling(), every=2, on=writer, share=None)
        looks = [look for _ in range(4) if (look := monitor.step(X)) is not None]
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    written = events.Scalars("ldj/condition_train")
    assert [each.step for each in written] == [2, 4]
    assert [each.value for each in written] == pytest.approx(
        [look.condition for look in looks]
    )
