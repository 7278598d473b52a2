"""The steps that a recorded call is taken apart into, each with a log|det| of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from ldjcheck.conventions import recognise_conventions
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.oracle.recording import record
from ldjcheck.records import Domain, Layer, Options, Probe
from ldjcheck.running.bench import Bench

if TYPE_CHECKING:
    from ldjcheck.tape import Step

DIMS = 6
REAL = Domain(kind="real")


class EntryByEntryAndNot(nn.Module):
    """Doubles the entries, shifts each by the one that mirrors it, and leaves half alone."""

    leak = 0.5

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        doubled = 2 * x
        shifted = doubled + self.leak * doubled.flip(1)
        scale = torch.ones(DIMS)
        scale[: DIMS // 2] = 3.0
        return shifted * scale, torch.ones(len(x))


class LeaksALittle(EntryByEntryAndNot):
    leak = 1e-5


def steps_of(layer: nn.Module) -> tuple[Step, ...]:
    probe = Probe(shape=(DIMS,), batch=4, domain=REAL)
    bench = Bench(
        layer=Layer(target="layer", name="layer", obj=layer),
        options=Options(),
        promote=True,
        calls=recognise_conventions(layer)[0],
        shape=(DIMS,),
        batch=4,
        domain=REAL,
    )
    runner, _, _ = bench.ready(probe)
    trace = record(runner, probe, measure_sides(bench, probe).forward)
    assert trace is not None
    return trace.steps


def assert_are(steps: tuple[Step, ...], logdets: list[float]) -> None:
    told = torch.stack([step.logdet for step in steps])
    wanted = torch.tensor(logdets, dtype=torch.float64)[:, None].expand_as(told)
    torch.testing.assert_close(told, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("layer", [EntryByEntryAndNot, LeaksALittle])
def test_each_step_has_the_log_det_of_its_own_jacobian(
    layer: type[EntryByEntryAndNot],
) -> None:
    mixed = DIMS / 2 * math.log1p(-(layer.leak**2))  # by pairs
    expected = [DIMS * math.log(2), mixed, DIMS / 2 * math.log(3)]
    assert_are(steps_of(layer()), expected)


def test_dims_that_come_out_of_a_step_as_they_went_in_are_idle() -> None:
    last = steps_of(EntryByEntryAndNot())[-1]
    assert last.idle.tolist() == [False] * (DIMS // 2) + [True] * (DIMS // 2)
