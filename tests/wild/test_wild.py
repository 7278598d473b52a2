"""The runner over public projects, on a checkout that is made up here.

The run over clones that a reader has is `python -m tests.wild CHECKOUTS/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .pages import page
from .runner import judged, main, opinion_of
from .targets import Target, read

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FLOWS = """\
import torch
from torch import nn


class Scale(nn.Module):
    sign = 1.0

    def __init__(self, dims):
        super().__init__()
        self.a = nn.Parameter(torch.linspace(-0.5, 0.8, dims))

    def forward(self, x, ldj):
        return x * self.a.exp(), ldj + self.sign * self.a.sum()


class Flipped(Scale):
    sign = -1.0


class Absent(nn.Module):
    def __init__(self, size):
        super().__init__()
        raise RuntimeError("no such size")
"""
TABLE = """\
[[project]]
address = "https://github.com/some/flows"
revision = "0123456789abcdef0123456789abcdef01234567"
call = "f(x, zero)"

[[project.layers]]
at = "parts/scales.py:Scale(4)"
shape = [4]
why = "the sum of log-scales"

[[project.layers]]
at = "parts/scales.py:Flipped(4)"
shape = [4]
truth = "LDJ104"
why = "minus the sum of log-scales"

[[project.layers]]
at = "parts/scales.py:Absent(4)"
shape = [4]
why = "is never built"

[[project]]
address = "https://github.com/some/others"
revision = "0123456789abcdef0123456789abcdef01234567"
layers = []
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "made_up.toml").write_text(TABLE)
    (tmp_path / "clones" / "some+flows" / "parts").mkdir(parents=True)
    (tmp_path / "clones" / "some+flows" / "parts" / "scales.py").write_text(FLOWS)
    return tmp_path / "tables"


@pytest.mark.slow
def test_a_run_tells_right_from_wrong_and_what_could_not_be_run(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tables.parent / "kept.jsonl"
    arguments = [str(tables.parent / "clones"), "--tables", str(tables)]
    assert main([*arguments, "--keep", str(kept)]) == 1  # one could not be run
    said = capsys.readouterr().out
    assert "3 layers of 1 projects, 3 of them with no flag" in said
    assert "\n1 named\n1 needless error\n1 right\n0 pass against" in said
    rows = [line.split() for line in said.splitlines() if "scales.py" in line]
    assert [row[-1] for row in rows] == ["right", "named", "error"]
    assert [row[-2] for row in rows[:2]] == ["right", "wrong"]  # the second opinion
    kept.write_text(kept.read_text().replace('"fail"', '"pass"'))
    assert main([*arguments, "--keep", str(kept)]) == 1
    assert "1 false pass" in capsys.readouterr().out  # nothing was run again


def seen(status: str, *codes: str, **second: Any) -> dict[str, Any]:
    return {
        "status": status,
        "codes": [*codes],
        "name": "",
        "direction": "",
        "worst": 0.0,
        "second": {"dtype": "float64", **second},
    }


def target(truth: str) -> Target:
    return Target(
        project="some/flows", revision="0" * 40, kind="made up", root=".",
        at="flows.py:Scale(4)", shape=(4,), why="", call="f(x)", truth=truth,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("truth", "status", "codes", "so"),
    [
        ("right", "pass", [], "right"),
        ("right", "fail", ["LDJ104"], "false alarm"),
        ("right", "unproven", ["LDJ402"], "needless doubt"),
        ("right", "error", ["LDJ006"], "needless error"),
        ("LDJ104", "fail", ["LDJ104"], "named"),
        ("LDJ104", "fail", ["LDJ199"], "found"),
        ("LDJ104", "pass", [], "false pass"),
        ("open", "error", ["LDJ004"], "open"),
    ],
)
def test_a_verdict_is_judged_by_what_is_true(
    truth: str, status: str, codes: list[str], so: str
) -> None:
    assert judged(target(truth), seen(status, *codes)) == so


def test_the_second_opinion_counts_both_directions_and_the_round_trip() -> None:
    assert opinion_of(seen("pass", forward=1e-9, back=None, trip=1e-12)) is True
    assert opinion_of(seen("pass", forward=1e-9, back=0.2, trip=1e-12)) is False
    assert opinion_of(seen("pass", forward=1e-9, trip=3.0)) is False
    assert opinion_of(seen("pass", error="it did not run")) is None


def test_the_page_lists_what_is_wrong_with_its_numbers() -> None:
    text = page([(target("LDJ104"), seen("fail", "LDJ104", forward=0.25))], judged)
    assert "| `flows.py:Scale(4)` | LDJ104 | 0.25 |" in text


def test_the_tables_are_as_wide_as_they_promise_to_be() -> None:
    targets = read()
    assert len({each.project for each in targets}) >= 60
    assert len(targets) >= 400
    assert sum(not each.flags for each in targets) >= 0.9 * len(targets)
    assert all(each.why and len(each.revision) == 40 for each in targets)
    assert len({(each.project, each.at) for each in targets}) == len(targets)
