"""The field test's generator does what it says: checked on a few cases by default."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import pytest
import torch

pytest.importorskip("nflows")
pytest.importorskip("normflows")
pytest.importorskip("FrEIA")
pytest.importorskip("zuko")

from .cases import CASES, LIBRARIES, case_by_id
from .generator import all_candidates, candidates, choose, right_configurations
from .oracle import call, double, draw_inputs, exact_ldj, per_sample, prepare
from .planting import edited, module_file, short_path

FEW = (
    "nflows-batchnorm",
    "normflows-conv-1x1",
    "FrEIA-haar",
    "zuko-signed-power",
    "torch-compose-three",
    "examples-chunk-coupling",
)


@cache
def candidates_of(case_id):
    return candidates(case_by_id(case_id))


@pytest.fixture(autouse=True)
def in_double():
    with double(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def reported(case, layer, x, seed=0):
    y, ldj = call(case, layer, x, seed=seed)
    return y.detach(), per_sample(ldj, len(x), case.elementwise).detach()


def assert_right(case, shape, seed):
    layer = prepare(case, shape, seed)
    x = draw_inputs(case, shape, 3, seed)
    y, ldj = reported(case, layer, x, seed)
    exact = exact_ldj(case, layer, x, seed=seed)
    torch.testing.assert_close(ldj, exact, atol=case.tolerance, rtol=0, msg=case.id)
    if case.inverse and not case.forward_only and "dequantization" not in case.id:
        back, ldj = call(case, layer, y, True, seed)
        exact = exact_ldj(case, layer, y, True, seed)
        ldj = per_sample(ldj, len(x), case.elementwise).detach()
        allowed = max(case.tolerance, 1e-7)
        torch.testing.assert_close(ldj, exact, atol=allowed, rtol=0, msg=case.id)
        assert back.shape == x.shape


def test_there_are_layers_of_every_library_and_no_two_of_one_name():
    assert {case.library for case in CASES} == set(LIBRARIES)
    assert len({case.id for case in CASES}) == len(CASES) >= 60
    assert len({case.expression for case in CASES}) >= 60


@pytest.mark.parametrize("case_id", FEW)
def test_a_right_layer_is_right(case_id):
    case = case_by_id(case_id)
    assert_right(case, case.shapes[0], seed=0)


def test_the_oracle_sees_a_wrong_layer():
    case = case_by_id("normflows-conv-1x1")
    layer = prepare(case, case.shapes[0], 0)
    x = draw_inputs(case, case.shapes[0], 3, 0)
    exact = exact_ldj(case, layer, x)
    planted = next(p for p in candidates_of(case.id) if p.mistake == "flip-sign")
    with edited(planted.module, planted.function, planted.edits):
        assert not torch.allclose(reported(case, layer, x)[1], exact)


@pytest.mark.slow
@pytest.mark.parametrize("case_id", FEW)
def test_planting_changes_the_ldj_and_leaves_the_map(case_id):
    case = case_by_id(case_id)
    found = candidates_of(case_id)
    assert found
    for planted in found:
        differs = False
        for seed in range(3):
            layer = prepare(case, case.shapes[0], seed)
            x = draw_inputs(case, case.shapes[0], 3, seed)
            y, right = reported(case, layer, x, seed)
            with edited(planted.module, planted.function, planted.edits):
                wrong_y, ldj = call(case, layer, x, seed=seed)
            torch.testing.assert_close(wrong_y.detach(), y, msg=planted.id)
            if planted.expected[0] not in {"not-reduced", "wrong-shape"}:
                wrong = per_sample(ldj, len(x), case.elementwise).detach()
                differs |= not bool(((wrong - right).abs() <= 1e-6).all())
        assert differs or planted.expected[0] == "not-reduced", planted.id


@pytest.mark.thinned(6)
@pytest.mark.parametrize("case_id", FEW)
def test_the_edited_line_is_the_line_said_and_no_line_moves(case_id):
    for planted in candidates_of(case_id):
        file = module_file(planted.module)
        before, after = planted.before_and_after()
        assert before != after
        with edited(planted.module, planted.function, planted.edits) as path:
            wrong = Path(path).read_bytes().splitlines(keepends=True)
        assert len(wrong) == len(file.lines)
        changed = [n for n, row in enumerate(wrong, 1) if row != file.lines[n - 1]]
        assert {(short_path(path), n) for n in changed} <= planted.lines
        assert planted.lines <= planted.chain


def test_a_traceback_of_a_planted_layer_shows_the_edited_copy():
    case = case_by_id("normflows-conv-1x1")
    planted = candidates_of(case.id)[0]
    with planted.layer() as layer:
        path = type(layer).forward.__code__.co_filename
        with pytest.raises(RuntimeError) as raised:
            layer(torch.zeros(1, 7, 2, 2))
    assert "planted-" in path
    assert path.endswith("normflows/flows/mixing.py")
    assert any(str(entry.path) == path for entry in raised.traceback)


def test_the_library_is_right_again_afterwards():
    case = case_by_id("torch-compose-three")
    for planted in candidates_of(case.id):
        with planted.layer():
            pass
    assert_right(case, case.shapes[0], seed=1)


def test_the_same_candidates_come_twice():
    case = case_by_id("nflows-batchnorm")
    assert candidates(case) == candidates_of(case.id)


def test_right_configurations_are_many_and_reproducible():
    configurations = right_configurations()
    assert len(configurations) >= 300
    assert configurations == right_configurations()
    assert configurations != right_configurations(seed=1)


@pytest.mark.slow
def test_every_right_layer_is_right_at_every_shape():
    for case in CASES:
        for shape in case.shapes:
            for seed in range(2):
                assert_right(case, shape, seed)


@pytest.mark.slow
def test_the_field_test_is_as_large_and_as_wide_as_it_claims():
    pool = all_candidates()
    chosen, held_out = choose(pool, 0), ()
    forward = [p for p in chosen if p.direction == "forward"]
    assert len([p for p in forward if p.has_name]) >= 330
    assert len({p.id for p in chosen}) == len(chosen)
    assert {p.library for p in forward} == set(LIBRARIES)
    assert len({p.case_id for p in forward}) >= 60
    assert chosen == choose(pool, 0)
    held_out = choose(pool, 1, frozenset(p.id for p in chosen))
    assert not {p.id for p in held_out} & {p.id for p in chosen}
    assert len(held_out) >= 300
