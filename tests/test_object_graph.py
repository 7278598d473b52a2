"""What an object holds is written as its user would reach it, and found where it is written."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from ldjcheck.object_graph import at_path, is_alike, paths, reachable


class Flow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Sequential(nn.Tanh())])
        self.layers2 = nn.ModuleDict({"first": nn.Linear(2, 2)})
        self.base = torch.distributions.Normal(torch.zeros(2), 1.0)
        self.notes = {"of one": [SimpleNamespace(inside=nn.ReLU())], 3: (nn.ELU(),)}


def test_what_stands_at_a_path_is_what_has_that_path() -> None:
    flow = Flow()
    written = paths(flow)
    held = [item for item in reachable(flow) if id(item) in written]
    assert len(held) > 10
    for item in held:
        assert at_path(flow, written[id(item)]) is item


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".layers[1][0]", nn.Tanh),
        (".layers2.first", nn.Linear),
        (".base", torch.distributions.Normal),
        (".notes['of one'][0].inside", nn.ReLU),
        (".notes[3][0]", nn.ELU),
    ],
)
def test_paths_are_written_as_one_would_reach_them(path: str, kind: type) -> None:
    flow = Flow()
    found = at_path(flow, path)
    assert isinstance(found, kind)
    assert paths(flow)[id(found)] == path


@pytest.mark.parametrize("path", [".layers[2]", ".layer", ".layers3", ".base.nothing"])
def test_nothing_stands_at_other_paths(path: str) -> None:
    assert at_path(Flow(), path) is None


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh()), True),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), False),
        (nn.Sequential(nn.Linear(2, 2)), False),
        (nn.ModuleList([nn.Linear(2, 2), nn.Tanh()]), False),
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh()).eval(), False),
    ],
    ids=["other numbers", "other child", "one less", "other type", "other mode"],
)
def test_alike_are_those_that_run_the_same_code(other: nn.Module, alike: bool) -> None:
    assert is_alike(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), other) is alike
