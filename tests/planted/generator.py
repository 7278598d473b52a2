"""Planted layers and right configurations, the same for the same seed.

Every proposal of every case is tried; what holds is grouped by library and mistake, put
in a seeded order, and taken in turn from each group, with limits per layer and site.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import torch

from .cases import CASES, case_by_id
from .judge import DECIDED, Bench
from .mutations import propose
from .oracle import call, call_again, double
from .planted import Planted, RightConfiguration
from .planting import outermost, short_path
from .slices import slice_ldj
from .source import functions_run_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .case import Case
    from .mutations import Proposal
    from .source import Function

FORWARD = 400  # planted layers wanted in the forward direction
INVERSE = 60  # and in inverse code of the library's own
PER_LAYER = 7
PER_SITE = 2  # one statement, one mistake: in so many layers at most
INSIDE = 24  # slips inside a term: the catalogue has no better name than 120
SHAPES = 15  # of those that only change the shape of the ldj

SHORT = {"not-reduced", "wrong-shape"}


def candidates(case: Case, inverse: bool = False) -> tuple[Planted, ...]:
    """Return every planted mistake that holds in one case, in source order."""
    with double(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bench = Bench(case, inverse)
        found = slice_ldj(*_functions(bench))
        planted, values = [], []
        for proposal in propose(found):
            verdict = bench.try_out(proposal)
            if verdict is not None:
                planted.append(_planted(case, inverse, proposal, verdict.names))
                values.append(torch.cat(verdict.values))
    return tuple(_share_names(planted, values))


def _functions(
    bench: Bench,
) -> tuple[tuple[Function, ...], list[tuple[Function, int | None]]]:
    """Return what one call runs, and the functions that hand out the ldj."""
    case, trial = bench.case, bench.trials[0]

    def run() -> None:
        call(case, trial.layer, trial.x, bench.inverse, trial.seed)
        call_again(case, trial.layer, trial.x)

    functions = functions_run_by(run)
    if case.style == "transform":
        return functions, [
            (f, None) for f in functions if f.name == "log_abs_det_jacobian"
        ]
    separate = case.style == "pair" and bench.inverse
    name = "inverse" if separate else "forward"
    return functions, [(f, 1) for f in functions if f.name == name]


def _planted(
    case: Case, inverse: bool, proposal: Proposal, names: tuple[str, ...]
) -> Planted:
    function = proposal.function
    direction = "inverse" if inverse else "forward"
    places = [f"{e.line}.{e.column}.{e.text}" for e in proposal.edits]
    code = hashlib.sha1("|".join(places).encode()).hexdigest()[:4]
    line = proposal.edits[0].line
    stem = f"{case.id}:{direction}:{proposal.mistake}:{line}:{code}"
    return Planted(
        id=stem,
        case_id=case.id,
        library=case.library,
        direction=direction,
        mistake=proposal.mistake,
        expected=names,
        module=function.module,
        function=outermost(function),
        edits=proposal.edits,
        lines=frozenset((short_path(p), n) for p, n in proposal.lines),
        chain=frozenset((short_path(p), n) for p, n in proposal.chain),
    )


def _share_names(
    planted: list[Planted], values: list[torch.Tensor]
) -> Iterator[Planted]:
    """Accept for each the names of all mistakes that give the very same numbers."""
    for one, value in zip(planted, values, strict=True):
        names = list(one.expected)
        for other, same in zip(planted, values, strict=True):
            if DECIDED & {one.mistake, other.mistake} or value.shape != same.shape:
                continue
            if torch.allclose(value, same, atol=1e-10, rtol=0, equal_nan=True):
                names += other.expected
        yield replace(one, expected=tuple(dict.fromkeys(names)))


def _candidates_of(job: tuple[str, bool]) -> tuple[Planted, ...]:
    torch.set_num_threads(1)
    return candidates(case_by_id(job[0]), job[1])


def all_candidates(workers: int = 2) -> tuple[Planted, ...]:
    """Return every planted mistake that holds in any case, in the order of CASES."""
    jobs = [(case.id, False) for case in CASES]
    jobs += [(c.id, True) for c in CASES if c.inverse and not c.forward_only]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return tuple(p for found in pool.map(_candidates_of, jobs) for p in found)


def choose(
    pool: tuple[Planted, ...], seed: int, without: frozenset[str] = frozenset()
) -> tuple[Planted, ...]:
    """Return the planted layers of one seed, drawn from all candidates."""
    left = [p for p in pool if p.id not in without]
    forward = _take([p for p in left if p.direction == "forward"], FORWARD, seed)
    inverse = _take([p for p in left if p.direction == "inverse"], INVERSE, seed)
    return (*forward, *inverse)


def _take(pool: list[Planted], wanted: int, seed: int) -> list[Planted]:
    order = random.Random(seed)
    groups: dict[tuple[str, str], list[Planted]] = {}
    for planted in pool:
        groups.setdefault((planted.library, planted.mistake), []).append(planted)
    for key in sorted(groups):
        order.shuffle(groups[key])
    keys = sorted(groups)
    order.shuffle(keys)
    rounds = zip_longest(*(groups[key] for key in keys))
    limits = {"inside": INSIDE, "shape": SHAPES}
    layers: dict[str, int] = {}
    sites: dict[tuple[str, str, int], int] = {}
    taken: list[Planted] = []
    for planted in (p for turn in rounds for p in turn if p is not None):
        kind = _kind(planted)
        if len(taken) == wanted or limits.get(kind, 1) == 0:
            continue
        if layers.get(planted.case_id, 0) >= PER_LAYER:
            continue
        if sites.get(planted.site, 0) >= PER_SITE:
            continue
        layers[planted.case_id] = layers.get(planted.case_id, 0) + 1
        sites[planted.site] = sites.get(planted.site, 0) + 1
        if kind in limits:
            limits[kind] -= 1
        taken.append(planted)
    return sorted(taken, key=lambda p: p.id)


def _kind(planted: Planted) -> str:
    if not planted.has_name:
        return "inside"
    return "shape" if planted.expected[0] in SHORT else "value"


def generate(seed: int = 0) -> tuple[Planted, ...]:
    """Return the planted layers of the field test. Takes a minute or two."""
    return choose(all_candidates(), seed)


def held_out(seed: int = 1) -> tuple[Planted, ...]:
    """Return planted layers none of which is among those of seed 0."""
    pool = all_candidates()
    return choose(pool, seed, frozenset(p.id for p in choose(pool, 0)))


def right_configurations(seed: int = 0) -> tuple[RightConfiguration, ...]:
    """Return right layers times shapes times draws, on which nothing may be found."""
    order = random.Random(seed)
    return tuple(
        RightConfiguration(case_id=case.id, shape=shape, seed=order.randrange(10**6))
        for case in CASES
        for shape in case.shapes
    )
