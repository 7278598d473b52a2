"""Experiments come in their order and edit nothing; the first oracle that knows tells."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ldjcheck.conventions import recognise_conventions
from ldjcheck.experiments.order import OF_CALLS, OF_VALUES, examined
from ldjcheck.oracle.oracles.both_directions import (
    OF_ONE,
    OF_ROUNDING,
    OF_THE_WAY_BACK,
    OF_THE_WAY_THERE,
    measure_sides,
)
from ldjcheck.oracle.oracles.other_dims import OF_OTHER_DIMS
from ldjcheck.oracle.question import Oracle, Question, answered
from ldjcheck.records import Domain, Evidence, Further, Layer, Options, Probe, Side
from ldjcheck.records.observed import Noticed
from ldjcheck.records.side import Exact
from ldjcheck.running.bench import Bench

ORACLES = (*OF_ONE, *OF_THE_WAY_BACK, *OF_THE_WAY_THERE, *OF_ROUNDING, *OF_OTHER_DIMS)
REAL = Domain(kind="real")
PROBES = (
    Probe(shape=(3,), batch=4, domain=REAL, draw=1),
    Probe(shape=(3,), batch=5, domain=REAL, draw=2, seed=1),
)


class Affine(torch.nn.Module):
    """Right both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = torch.nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))

    def inverse(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return y * (-self.log_s).exp(), -self.log_s.sum().expand(len(y))


class Forgetful(Affine):
    """Counts its calls, and adds their number."""

    calls = 0.0

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls += 1.0
        y, ldj = super().forward(x)
        return y, ldj + self.calls


def bench_of(layer: torch.nn.Module) -> Bench:
    return Bench(
        layer=Layer(target="layer", name="layer", obj=layer),
        options=Options(),
        promote=True,
        calls=recognise_conventions(layer)[0],
        shape=(3,),
        batch=4,
        domain=REAL,
    )


def question(side: Side, other: Side) -> Question:
    bench = bench_of(Affine())
    runner, _, _ = bench.ready(PROBES[0])
    return Question(bench=bench, probe=PROBES[0], runner=runner, side=side, other=other)


# --- experiments ---------------------------------------------------------------------


def test_an_experiment_comes_behind_those_that_it_reads() -> None:
    seen: set[str] = set()
    for experiment in (*OF_VALUES, *OF_CALLS):
        assert set(experiment.after) <= seen
        assert experiment.name not in seen
        seen.add(experiment.name)


def test_what_experiments_notice_stands_beside_what_was_measured() -> None:
    evidence = examined(bench_of(Forgetful()), PROBES, OF_CALLS).evidence
    noticed = {each.direction: each.behaviour for each in evidence.of(Noticed)}
    assert evidence.sides[0].forward.behaviour == noticed["forward"]
    assert noticed["forward"].state is not None
    assert evidence.measured[0].forward.exact is evidence.sides[0].forward.exact


def test_evidence_keeps_kinds_of_observations_apart() -> None:
    bench = bench_of(Affine())
    sides = measure_sides(bench, PROBES[0])
    evidence = Evidence(probes=PROBES[:1], sides=(sides,))
    further = Further(by="folds", sides=measure_sides(bench, PROBES[1]))
    found = evidence.joined_by(further)
    assert found.of(Further) == (further,)
    assert found.of(Noticed) == ()
    assert found.measured == (sides, further.sides)
    assert found.further_by("orientation") == ()


# --- oracles -------------------------------------------------------------------------


def test_oracles_have_files_of_their_own() -> None:
    assert len({oracle.__module__ for oracle in ORACLES}) == len(ORACLES)
    assert all(oracle.__doc__ for oracle in ORACLES)


def test_the_first_oracle_that_knows_tells() -> None:
    def saying(value: float | None) -> Oracle:
        def known(asked: Question) -> Side | None:
            if value is None:
                return None
            return replace(asked.side, exact=Exact(slack=value))

        return known

    sides = measure_sides(bench_of(Affine()), PROBES[0])
    asked = question(sides.forward, sides.inverse)
    told = answered((saying(None), saying(1.0), saying(2.0)), asked)
    assert told.exact.slack == 1.0
    assert told.said is sides.forward.said
    assert answered((saying(None),), asked) is sides.forward


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.__module__)
def test_of_a_right_layer_no_oracle_knows_better(oracle: Oracle) -> None:
    sides = measure_sides(bench_of(Affine()), PROBES[0])
    for side, other in ((sides.forward, sides.inverse), (sides.inverse, sides.forward)):
        assert oracle(question(side, other)) is None


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.__module__)
def test_an_absent_direction_is_asked_of_none(oracle: Oracle) -> None:
    gone = Side.absent("inverse", "there is no way back")
    there = measure_sides(bench_of(Affine()), PROBES[0]).forward
    assert answered((oracle,), question(gone, there)) is gone


# --- sides ---------------------------------------------------------------------------


def test_a_side_agrees_or_disagrees_unless_something_is_unknown() -> None:
    side = measure_sides(bench_of(Affine()), PROBES[0]).forward
    assert (side.agrees, side.disagrees) == (True, False)
    assert side.said.ldj is not None
    off = replace(side, said=replace(side.said, ldj=side.said.ldj + 1.0))
    assert (off.agrees, off.disagrees) == (False, True)
    lost = replace(side, said=replace(side.said, ldj=side.said.ldj * torch.nan))
    assert (lost.agrees, lost.disagrees) == (False, False)
    unknown = replace(side, exact=Exact())
    assert (unknown.agrees, unknown.disagrees, unknown.difference) == (False,) * 2 + (
        None,
    )


def test_a_sample_without_an_exact_value_says_nothing() -> None:
    side = measure_sides(bench_of(Affine()), PROBES[0]).forward
    assert side.said.ldj is not None
    first = torch.arange(len(side.x)) == 0
    off = replace(side, said=replace(side.said, ldj=side.said.ldj + first))
    assert off.disagrees
    struck = replace(off, exact=off.exact.without(first))
    assert (struck.agrees, struck.disagrees) == (True, False)
    assert not struck.exact.is_finite


def test_an_absent_side_has_no_numbers() -> None:
    side = Side.absent("forward", "it raises ValueError", ("Traceback",))
    assert not side.answered
    assert (side.disagrees, side.exact.is_square, side.exact.is_resizing) == (
        False,
    ) * 3
    with pytest.raises(AssertionError, match="it raises ValueError"):
        side.y  # noqa: B018  # asking is what raises
