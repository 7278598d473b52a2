"""The two lines of Python under a failure print the numbers that the report shows."""

from __future__ import annotations

import json
import re
from contextlib import redirect_stdout
from html import unescape
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from command import ldjcheck_in

import ldjcheck
from ldjcheck.report import Style, html

if TYPE_CHECKING:
    from pathlib import Path

FLOWS = """
import torch
from torch import nn

class Affine(nn.Module):
    def __init__(self, d=3):
        super().__init__()
        self.s = nn.Parameter(torch.randn(d))
    def forward(self, x):
        return x * self.s.exp(), -self.s.sum().expand(len(x))
    def inverse(self, y):
        return y / self.s.exp(), self.s.sum().expand(len(y))

def make_flow(d: int = 2):
    return nn.ModuleList([Affine(d), Affine(d)])

class Given(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 3)
    def forward(self, x, context, scale=1.0):
        s = self.net(context)
        return scale * x * s.exp(), s.mean(1) + 3 * torch.tensor(scale).log()

class Noisy(nn.Module):
    def forward(self, x, ldj):
        return (x + torch.rand_like(x)) / 256, ldj - 5.5
"""
TYPED = (
    ("flows.py:Affine",),
    ("flows:Affine(2)", "--seed", "3", "--direction", "inverse"),
    ("flows.py::Affine", "--params", "as-is", "--batch", "2"),
    ("flows.py:make_flow(4)[1]", "--domain", "interval:-0.123456789:1"),
    ("flows.py:Given", "--context", "context=2:positive", "--kwarg", "scale=2.5"),
    ("flows.py:Noisy", "--shape", "1,2,3", "--domain", "int:0:255"),
    ("flows.py:Affine", "--inputs", "x.npy", "--weights", "w.pt"),
    ("flows.py:Affine", "--search", "5"),
    ("cells.ipynb:Affine(3)", "--dtype", "as-written"),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS)
    cell = {"cell_type": "code", "source": FLOWS, "metadata": {}, "outputs": []}
    (tmp_path / "cells.ipynb").write_text(
        json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4})
    )
    np.save(tmp_path / "x.npy", np.arange(6.0).reshape(2, 3))
    torch.save({"s": torch.tensor([0.5, -2.0, 1.0])}, tmp_path / "w.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def printed(lines: str, **names: object) -> list[float]:
    """Return the numbers that pasted lines print, exact before reported."""
    with redirect_stdout(StringIO()) as out:
        exec(lines, names)
    told = re.fullmatch(r"exact (\S+)  reported (\S+)\n", out.getvalue())
    assert told is not None, out.getvalue()
    return [float(number) for number in told.groups()]


def lines_of(text: str) -> str:
    """Return what a reader copies: all of it starts in the first column."""
    found = re.search(r"^from ldjcheck import check\n(?:.+\n)+", text, re.MULTILINE)
    assert found is not None, text
    return found[0].rstrip()


@pytest.mark.slow
@pytest.mark.parametrize("typed", TYPED, ids=" ".join)
def test_pasted_they_print_what_was_found(folder: Path, typed: tuple[str, ...]) -> None:
    ran = ldjcheck_in(folder, *typed, "--format", "text", "--format", "json=out.json")
    (result,) = json.loads((folder / "out.json").read_text())["results"]
    assert result["status"] == "fail", ran.stdout
    shown = [
        [sample["exact"], sample["reported"]]
        for check in result["checks"]
        if (check["name"], check["status"]) == ("ldj", "fail")
        for sample in check["samples"]
    ]
    text = ran.stdout
    if len(text.splitlines()) >= 24 and "from ldjcheck" not in text:  # no room is left
        text = ldjcheck_in(folder, *typed, "-v").stdout
    numbers = printed(lines_of(text))
    assert any(numbers == pytest.approx(each, rel=1e-8) for each in shown)


@pytest.mark.slow
def test_in_python_they_name_the_layer_as_its_caller_does(folder: Path) -> None:
    space: dict[str, object] = {}
    exec(FLOWS, space)
    my_flow = space["Affine"](2)  # type: ignore[operator]
    report = ldjcheck.check(my_flow, shape=(2,), seed=4)
    page = html.render(report.run, Style(color=False, verbosity=0))
    cell = report._repr_mimebundle_()["text/html"]
    for face in (str(report), report.details, page, cell):
        text = unescape(re.sub("</?pre[^>]*>", "\n\n", face))
        numbers = printed(lines_of(text), my_flow=my_flow)
        sample = report.sample("forward", 0)
        assert numbers == pytest.approx([sample.exact, sample.reported])


@pytest.mark.slow
def test_a_long_call_goes_on_in_brackets_and_still_runs(folder: Path) -> None:
    typed = ("flows.py:make_flow(d=3)[0]", "--domain", "interval:-0.5:0.25")
    typed += ("--params-scale", "0.25", "--seed", "11", "--direction", "inverse")
    text = ldjcheck_in(folder, *typed).stdout
    lines = lines_of(text)
    assert lines.count("\n") == 2
    assert max(map(len, lines.splitlines())) <= 80
    printed(lines)


def test_a_text_that_names_no_layer_is_told_as_the_command_line_tells_it(
    folder: Path,
) -> None:
    report = ldjcheck.check("flows.py:Afine")
    assert report.status == "error"
    assert "Affine" in str(report)
    with pytest.raises(ValueError, match=r"inputs='none\.npy'"):
        ldjcheck.check("flows.py:Affine", inputs="none.npy")
    with pytest.raises(LookupError):
        report.sample("forward")
