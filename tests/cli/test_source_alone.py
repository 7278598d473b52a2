"""`ldjcheck SOURCE`: every flow layer of it, and a list of the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    Run = Callable[..., CompletedProcess[str]]

NETWORK = """
from torch import nn

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 4)

    def forward(self, x):
        return self.net(x)

class Coupling(nn.Module):
    def __init__(self, network):
        super().__init__()

    def forward(self, z, ldj):
        return z, ldj
"""
LAYERS = """
class Right(nn.Module):
    def forward(self, z, ldj):
        return 2 * z, ldj + 0.6931471805599453 * z[0].numel()

wrong = Right()
wrong.forward = lambda z, ldj: (2 * z, ldj - 0.6931471805599453 * z[0].numel())
"""


@pytest.mark.slow
def test_layers_are_results_and_the_rest_is_listed(
    ldjcheck: Run, write: Callable[[str, str], Path]
) -> None:
    write("flows.py", NETWORK + LAYERS)
    ran = ldjcheck("flows.py", "--format", "json")
    document = json.loads(ran.stdout)
    assert [(r["target"], r["status"]) for r in document["results"]] == [
        ("flows.py:Right", "pass"),
        ("flows.py:wrong", "fail"),
    ]
    assert document["skipped"] == [
        {
            "target": "flows.py:Coupling",
            "why": "needs network: ldjcheck 'flows.py:Coupling(network=...)'",
        },
        {
            "target": "flows.py:Network",
            "why": "no flow layer: it returns no pair of output and ldj",
        },
    ]
    assert ran.returncode == document["run"]["exit_code"] == 1


def test_when_all_is_skipped_nothing_was_checked(
    ldjcheck: Run, write: Callable[[str, str], Path]
) -> None:
    write("flows.py", NETWORK)
    ran = ldjcheck("flows.py")
    assert ran.returncode == 2
    assert ran.stdout.splitlines()[:4] == [
        "skipped flows.py:Coupling: needs network: ldjcheck",
        "  'flows.py:Coupling(network=...)'",
        "skipped flows.py:Network: no flow layer: it returns no pair of output and ldj",
        "",
    ]


def test_a_source_without_anything_is_said_to_hold_no_layer(
    ldjcheck: Run, write: Callable[[str, str], Path]
) -> None:
    write("flows.py", "n = 1")
    ran = ldjcheck("flows.py")
    assert ran.returncode == 2
    assert "There is no flow layer in flows.py." in ran.stdout


LOSS = """
class Likelihood(nn.Module):
    def forward(self, z, logdet):
        return (0.5 * z.pow(2).flatten(1).sum(1) - logdet).mean()
"""


@pytest.mark.slow
def test_a_loss_that_takes_a_log_det_is_no_flow_layer(
    ldjcheck: Run, write: Callable[[str, str], Path]
) -> None:
    write("flows.py", NETWORK + LOSS + LAYERS.partition("wrong")[0])
    ran = ldjcheck("flows.py", "--format", "json")
    document = json.loads(ran.stdout)
    assert [(r["target"], r["status"]) for r in document["results"]] == [
        ("flows.py:Right", "pass")
    ]
    skipped = {each["target"]: each["why"] for each in document["skipped"]}
    assert skipped["flows.py:Likelihood"] == "no flow layer: it returns one number"
    assert ran.returncode == 0
