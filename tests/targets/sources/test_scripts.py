"""Python files whose top level trains, downloads or draws."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from ldjcheck.targets import find_layers, load_layer, parse_target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str, str], Path]

HEAD = """
import math
rounds = []
class Layer:
    width = 2
    def forward(self, x):
        return x, math.log(rate)
rate = 3
flow = Layer()
"""
NEVER = "    loss.backward()\n    raise RuntimeError('it ran')\n"


@pytest.mark.parametrize(
    "harm",
    [
        "for epoch in range(10**9):\n" + NEVER,
        "def train():\n" + NEVER + "train()\n",
        "import plots.matplotlib.pyplot as plt\nplt.show()\n",
        "data = absent.MNIST('.', download=True)\n",
        "import subprocess\nsubprocess.run(['rm', 'data'])\nraise RuntimeError\n",
    ],
)
@pytest.mark.parametrize("expr", ["Layer", "Layer()", "flow"])
def test_only_what_the_target_needs_is_run(write: Write, harm: str, expr: str) -> None:
    harm = harm.replace("plots.matplotlib", "matplotlib")
    if "matplotlib" in harm:
        pytest.importorskip("matplotlib")
        harm += "raise RuntimeError\n"
    write("trains.py", HEAD + harm)
    layer = load_layer(parse_target(f"trains.py:{expr}"))
    assert layer.obj.forward(1) == (1, pytest.approx(1.0986122886681098))
    assert type(layer.obj).__module__ == "trains"
    assert sys.modules["trains"].Layer is type(layer.obj)
    assert "skipped the rest" in layer.inferred[0][1]


@pytest.mark.parametrize("name", ["trains", "kit.trains", "bare.trains"])
def test_a_module_is_run_as_its_file_is(write: Write, name: str) -> None:
    text = HEAD
    if "." in name:
        text = text.replace("rate = 3", "from .sizes import rate")
        write(name.replace("trains", "sizes").replace(".", "/") + ".py", "rate = 3")
    if "kit" in name:
        write("kit/__init__.py", "")
    write(name.replace(".", "/") + ".py", text + "for epoch in range(10**9):\n" + NEVER)
    layer = load_layer(parse_target(f"{name}:flow"))
    assert layer.obj.forward(1) == (1, pytest.approx(1.0986122886681098))
    assert type(layer.obj).__module__ == name
    assert sys.modules[name].flow is layer.obj
    assert find_layers(name).candidates == ("Layer", "flow")


def test_a_module_that_its_package_imports_is_run_with_it(write: Write) -> None:
    write("whole/__init__.py", "from whole.trains import flow")
    write("whole/trains.py", HEAD + "def train():\n" + NEVER + "rounds.append(train)\n")
    layer = load_layer(parse_target("whole.trains:flow"))
    assert layer.obj is sys.modules["whole"].flow


def test_a_source_alone_that_trains_is_looked_through(write: Write) -> None:
    write("trains.py", HEAD + "for epoch in range(10**9):\n" + NEVER)
    assert find_layers("trains.py").candidates == ("Layer", "flow")


def test_what_is_trained_is_taken_as_it_was_before(write: Write) -> None:
    script = HEAD + "def train(flow):\n    flow.width = 3\n" + NEVER + "train(flow)\n"
    write("trains.py", script)
    layer = load_layer(parse_target("trains.py:flow"))
    assert layer.obj.width == 2
    assert "Not run: line 14, for flow: it trains." in layer.inferred[0][1]


def test_a_name_that_only_a_training_binds_makes_the_whole_file_run(
    write: Write,
) -> None:
    train = "def train(f):\n    if f is None:\n        loss.backward()\n    return f\n"
    write("trains.py", HEAD + train + "rounds.append(1)\nbest = train(flow)\n")
    layer = load_layer(parse_target("trains.py:best"))
    assert sys.modules["trains"].rounds == [1]
    assert layer.inferred == ()


@pytest.mark.parametrize(
    "text",
    [
        "rounds.append(1)\n",
        "def train():\n" + NEVER,
        "if __name__ == '__main__':\n" + NEVER,
    ],
)
def test_a_file_that_does_no_harm_is_imported(write: Write, text: str) -> None:
    write("flows.py", HEAD + "rounds.append(0)\n" + text)
    assert load_layer(parse_target("flows.py:Layer")).inferred == ()
    assert sys.modules["flows"].rounds
