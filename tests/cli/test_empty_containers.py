"""Containers that are built of nothing are skipped; those that a notebook fills are found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ldjcheck.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


_HEAD = """
import torch
from torch import nn

class Scale(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.s = nn.Parameter(torch.linspace(-0.5, 0.7, dims))

    def forward(self, x):
        return x * self.s.exp(), self.s.{reduced}().expand(len(x))

class Chain(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x)
            total = total + ldj
        return x, total
"""


def told(file: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    try:
        main([str(file), "--format", "json"])
    except SystemExit as ended:
        code = ended.code
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return {**document, "code": code}


def test_a_container_of_nothing_is_skipped_with_its_signature(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flows.py"
    file.write_text(
        _HEAD.format(reduced="sum") + "\nflow = Chain(Scale(3), Scale(3))\n"
    )
    document = told(file, capsys)
    (result,) = document["results"]  # type: ignore[misc]  # one layer is left
    assert (result["layer"], result["status"]) == ("flow", "pass")
    skipped = {s["target"]: s["why"] for s in document["skipped"]}  # type: ignore[attr-defined]  # a list of them
    assert "Chain(*layers)" in skipped[f"{file}:Chain"]
    assert "dims=..." in skipped[f"{file}:Scale"]


@pytest.mark.slow
def test_a_flow_that_a_notebook_names_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [_HEAD.format(reduced="mean"), "flow = Chain(Scale(3), Scale(3))"]
    file = tmp_path / "lesson.ipynb"
    file.write_text(
        json.dumps(
            {
                "nbformat": 4,
                "nbformat_minor": 5,
                "metadata": {},
                "cells": [
                    {
                        "cell_type": "code",
                        "metadata": {},
                        "outputs": [],
                        "id": str(i),
                        "execution_count": None,
                        "source": source,
                    }
                    for i, source in enumerate(cells)
                ],
            }
        )
    )
    document = told(file, capsys)
    (result,) = document["results"]  # type: ignore[misc]  # one layer is left
    assert result["layer"] == "flow"
    assert result["findings"][0]["code"] == "LDJ105"
