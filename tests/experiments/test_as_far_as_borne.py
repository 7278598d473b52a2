"""Parameters are moved as far as a layer bears: where its numbers tell something."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from experiments.test_experiments_and_oracles import PROBES, Affine, bench_of
from ldjcheck.experiments.perturbation import where_borne
from ldjcheck.oracle.oracles.both_directions import measure_sides


@pytest.mark.parametrize(
    ("off", "looks_nearer"),
    [(1e-9, False), (5e-5, True), (1.0, False)],
    ids=["right", "neither", "wrong"],
)
def test_where_a_number_is_neither_right_nor_wrong_it_is_asked_nearer_by(
    off: float, looks_nearer: bool
) -> None:
    bench = bench_of(Affine())
    first, other = (measure_sides(bench, probe) for probe in PROBES)
    ldj = other.forward.exact.ldj
    assert ldj is not None
    exact = replace(
        other.forward.exact, ldj=ldj + off, allowed=torch.full_like(ldj, 1e-5)
    )
    seen = other.changed(replace(other.forward, exact=exact))
    _, borne = where_borne(bench, (first, seen))
    assert (borne.probe.scale < PROBES[1].scale) is looks_nearer
    assert borne.forward.agrees is not (off == 1.0)
