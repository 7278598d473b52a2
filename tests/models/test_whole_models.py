"""Whole models and their wrong twins are told as they should be, or as they are today.

`python -m tests.models` prints all of them as a table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from models.checking import edited, marks, seen
from models.run import main
from models.tables import WHOLES
from models.today import TODAY, said
from models.whole import Row

ROWS = {row.id: row for whole in WHOLES for row in whole.rows()}
QUICK = (
    "vae_flow:FlowVAE(): right",
    "sampler:Guide(): right",
    "lit_flow:LitFlow(): actnorm forgets the pixels",
    "policy:SquashedGaussianActor(): right",
    "maf:MAF(): batch norm's ldj with the variance, not its root",
    "spline_coupling:NeuralSplineFlow(): mean over the moved dims",
)


def comes_out(row: Row) -> None:
    """Hold a row against the table, or against what is told of it today."""
    found = seen(row)
    if row.id in TODAY and found["late"]:  # which mistake hangs on the processor then
        assert said(found).status == TODAY[row.id].status
    elif row.id in TODAY:
        assert said(found) == TODAY[row.id]
    else:
        assert False not in marks(row, found).values(), found


@pytest.mark.slow
@pytest.mark.parametrize("id_", QUICK)
def test_a_model_is_told_as_it_should_be(id_: str) -> None:
    comes_out(ROWS[id_])


@pytest.mark.slow
@pytest.mark.parametrize("id_", [id_ for id_ in ROWS if id_ not in QUICK])
def test_a_model_is_told_as_it_should_be_or_as_it_is_today(id_: str) -> None:
    comes_out(ROWS[id_])


@pytest.mark.thinned(30)
@pytest.mark.parametrize("id_", ROWS)
def test_the_independent_check_tells_right_from_wrong(id_: str, tmp_path: Path) -> None:
    row = ROWS[id_]
    assert (row.off(row.text, tmp_path) < row.whole.close) == (row.twin is None)


def test_each_twin_has_one_place_of_its_own_and_a_line_to_point_at() -> None:
    assert len(ROWS) == sum(1 + len(whole.twins) for whole in WHOLES)
    assert all(len(whole.twins) >= 4 for whole in WHOLES)
    for row in ROWS.values():
        assert (row.text == row.whole.text) == (row.twin is None)
        assert bool(row.lines) == (row.twin is not None), row.id
    assert TODAY.keys() <= ROWS.keys()


def test_an_edit_is_written_by_its_lines() -> None:
    edits = [[1, "a", "b\nc"], [3, "d", ""]]
    assert edited("a\nx\nd\ny\n", edits, Path()) == "b\nc\nx\ny\n"


def test_the_command_prints_a_row_keeps_it_and_reads_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.jsonl"
    arguments = ["--only", "policy:SquashedGaussianActor(): right", "--keep", str(kept)]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 1
    assert "1 right models: verdict right 1" in capsys.readouterr().out
