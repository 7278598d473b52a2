"""`--plot FILE`: pictures beside the report, in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Ran = subprocess.CompletedProcess[str]

LAYERS = """
    import torch
    from torch import nn

    class Scale(nn.Module):
        def __init__(self, sign=1):
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.4]))
            self.sign = sign

        def forward(self, x):
            return x * self.log_scale.exp(), self.sign * self.log_scale.sum().expand(len(x))

    class Broken:
        def forward(self, x):
            raise ValueError("no")
"""


@pytest.fixture(autouse=True)
def _layers(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write("flow.py", LAYERS)


@pytest.mark.slow
def test_the_picture_is_a_file_and_the_report_stays_as_it_is(
    ldjcheck: Callable[..., Ran],
) -> None:
    plain = ldjcheck("flow.py:Scale(-1)", "-q")
    ran = ldjcheck("flow.py:Scale(-1)", "-q", "--plot", "flow.svg")
    assert (ran.stdout, ran.returncode) == (plain.stdout, plain.returncode)
    assert ran.stderr == "Wrote flow.svg: flow.py:Scale(-1)\n"
    assert Path("flow.svg").read_text().startswith("<?xml")


@pytest.mark.slow
def test_each_of_several_layers_has_a_file_of_its_own(
    ldjcheck: Callable[..., Ran],
) -> None:
    ran = ldjcheck("flow.py:Scale", "flow.py:Broken()", "-q", "--plot", "flow.png")
    assert sorted(path.name for path in Path().glob("flow*.png")) == ["flow-1.png"]
    assert ran.stderr.splitlines() == [
        "Wrote flow-1.png: flow.py:Scale",
        "Did not write flow-2.png, flow.py:Broken(): There is nothing to draw: no "
        "numbers were compared.",
    ]
    assert ran.returncode == 2


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("flow.jpg", "its name ends in .png, .svg, .pdf"),
        ("flow", "its name ends in .png, .svg, .pdf"),
        ("nowhere/flow.png", "no file 'nowhere/flow.png' can be written"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_anything_runs(
    ldjcheck: Callable[..., Ran], file: str, told: str
) -> None:
    ran = ldjcheck("flow.py:Scale", "--plot", file)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert told in " ".join(ran.stderr.split())


@pytest.mark.slow
def test_the_html_report_holds_the_source_the_ledger_and_the_pictures(
    ldjcheck: Callable[..., Ran],
) -> None:
    plain = ldjcheck("flow.py:Scale(-1)", "-q")
    ran = ldjcheck(
        "flow.py:Scale(-1)", "-q", "--format", "text", "--format", "html=r.html"
    )
    assert (ran.stdout, ran.returncode) == (plain.stdout, plain.returncode)
    page = Path("r.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count("<svg ") >= 8
    assert "def forward(self, x):" in page
    assert 'class="blamed"' in page
    assert "--format html=r.html" in page


@pytest.mark.slow
def test_of_a_layer_that_passes_the_html_report_shows_the_ledger_too(
    ldjcheck: Callable[..., Ran],
) -> None:
    ldjcheck("flow.py:Scale", "--format", "html=r.html")
    page = Path("r.html").read_text(encoding="utf-8")
    said = "The reported log-determinant is the exact one, forward only; at (2,) alone."
    assert said in page
    assert "Line by line" in page
