"""What runs inside of a transform of `torch.func` does not outlive it, and is not recorded."""

from __future__ import annotations

import torch
from torch import Tensor

import ldjcheck
from ldjcheck.tape.recorder import Recorder


def of_one(x: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sinh(x), torch.log(torch.cosh(x)).real


def by_entries(x: Tensor) -> tuple[Tensor, Tensor]:
    y, slopes = torch.func.vmap(torch.func.vmap(of_one))(x)
    return y, slopes.mean(-1)


def test_nothing_of_it_is_on_the_tape() -> None:
    recorder = Recorder()
    x = torch.randn(2, 3)
    recorder.source(x, "input")
    with recorder:
        by_entries(x)
    assert not {"sinh", "log", "cosh", "real"} & {node.name for node in recorder.nodes}
    assert "mean" in {node.name for node in recorder.nodes}


def test_a_mistake_in_it_is_told_without_a_fault_of_ours() -> None:
    report = ldjcheck.check(by_entries, shape=(3,))
    assert report.status == "fail"
