"""`%ldjcheck` in a real IPython."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from busy import busy, needs_one_processor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Magic = Callable[[str], Any]

CELL = """
import torch
from torch import nn

class Scale(nn.Module):
    def __init__(self, dims=3):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(dims))

    def forward(self, x):
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

class Forgotten(Scale):
    def forward(self, x):
        return x * self.log_scale.exp(), torch.zeros(len(x))

class Needs(Scale):
    def __init__(self, dims):
        super().__init__(dims)
"""


@pytest.fixture
def magic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Magic]:
    """Run a line in an IPython that has loaded the extension and run the cell above."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = shells.InteractiveShell.instance()
    shell.run_line_magic("load_ext", "ldjcheck")
    assert shell.run_cell(CELL).success
    yield lambda line: shell.run_line_magic("ldjcheck", line)
    shell.run_line_magic("unload_ext", "ldjcheck")
    shells.InteractiveShell.clear_instance()


@pytest.mark.slow
def test_a_layer_of_the_session_is_checked(magic: Magic) -> None:
    assert magic("Scale").status == "pass"
    assert magic("Scale( 4 ) --shape 4 --direction forward").result.checks[0].dims == 4
    report = magic("'Forgotten()' --seed 3")
    assert [f.code for f in report.findings] == ["LDJ119"]
    assert report.run.seed == 3
    assert "torch.zeros(len(x))" in report._repr_mimebundle_()["text/html"]


@pytest.mark.slow
@needs_one_processor
def test_a_busy_machine_says_the_same_in_a_notebook(magic: Magic) -> None:
    def told() -> dict[str, object]:
        (only,) = magic("Forgotten()").to_dict()["results"]
        assert only["findings"][0]["fix"] is not None
        return {**only, "seconds": 0}

    quiet = told()
    with busy():
        assert told() == quiet


def test_a_place_is_told_by_the_number_of_its_cell(magic: Magic) -> None:
    from IPython import get_ipython

    shell = get_ipython()  # type: ignore[no-untyped-call]
    assert shell is not None
    half = CELL.replace("self.log_scale.sum()", "self.log_scale.mean()")
    shell.run_cell(half, store_history=True)
    told = f"In [{shell.execution_count - 1}], line 10, in forward"
    report = magic("Scale(4) --shape 4 --seed 1")
    assert f"--> {told}" in str(report)
    assert told in report._repr_mimebundle_()["text/html"]
    assert "print(check(Scale(4), shape=(4,), seed=1).sample('forward', 0))" in str(
        report
    )
    assert ".py" not in report.findings[0].location.file


def test_a_comment_of_a_cell_ignores_what_is_found_in_its_line(
    magic: Magic, capsys: pytest.CaptureFixture[str]
) -> None:
    from IPython import get_ipython

    line = "        return 2 * x, 0 * x.sum(1)  # ldjcheck: ignore[LDJ119]"
    head = "class Twice(nn.Module):\n    def forward(self, x):\n"
    shell = get_ipython()  # type: ignore[no-untyped-call]
    assert shell is not None
    shell.run_cell(f"{head}{line} why")
    assert magic("Twice --shape 3").status == "pass"
    shell.run_cell(head + line)
    capsys.readouterr()
    assert magic("Twice --shape 3") is None
    assert "line 3: ignore[LDJ119]: give the reason: " in capsys.readouterr().out


def test_who_waits_in_a_notebook_sees_a_line_that_goes_away(
    magic: Magic, monkeypatch: pytest.MonkeyPatch
) -> None:
    from IPython import get_ipython
    from IPython.utils.capture import capture_output

    def shown() -> list[str]:
        with capture_output() as seen:  # type: ignore[no-untyped-call]
            magic("Scale --shape 3 --direction forward")
        return [each.data["text/html"] for each in seen.outputs]

    monkeypatch.setattr("ldjcheck.report_hooks.SILENT", 0.0)
    assert shown() == []  # a terminal is no notebook
    monkeypatch.setattr(get_ipython(), "kernel", object(), raising=False)  # type: ignore[no-untyped-call]
    *told, last = shown()
    assert told
    assert all(re.fullmatch(r"<small>[a-z ]+, \d s</small>", each) for each in told)
    assert last == ""


def test_what_cannot_be_built_is_answered_by_what_to_type(magic: Magic) -> None:
    needs, missing = magic("Needs"), magic("Scal()")
    assert "%ldjcheck Needs(dims=...)" in str(needs)
    assert "There is no Scal in this session." in str(missing)
    assert "%ldjcheck Scale()" in str(missing)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "name one layer"),
        ("Scale --shap 3", "No such option"),
        ("Scale --fix", "--fix is for the command line"),
        ("Scale --context c=3", "c"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_in_a_line(
    magic: Magic, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    assert magic(line) is None
    assert said in capsys.readouterr().out
