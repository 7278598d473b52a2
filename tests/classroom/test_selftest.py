"""What `ldjcheck selftest` plants, catches and leaves alone."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ldjcheck.classroom.bundled import bundled_tests
from ldjcheck.classroom.matrix import draw
from ldjcheck.classroom.selftest import Selftest, plant_all
from ldjcheck.cli.selftest import exit_code
from ldjcheck.records import Layer, Options

ROOT = Path(__file__).parents[2]


class Sinh(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sinh(x), self.slope(x)

    def slope(self, x: Tensor) -> Tensor:
        log_slope = torch.log(torch.cosh(x))
        return log_slope.sum(dim=1)


class WrongSinh(Sinh):
    def slope(self, x: Tensor) -> Tensor:
        return torch.cosh(x).sum(dim=1)


def planted_in(layer: Any, *shape: int) -> Selftest:
    options = Options(shape=((None, shape),))
    return plant_all(Layer(target="it", name="it()", obj=layer), options)


def assert_all_caught(test: Selftest, at_least: int) -> None:
    missed = [each for each in test.planted if not each.caught]
    assert not missed, draw([test])
    assert len(test.planted) >= at_least
    assert exit_code([test]) == 0
    assert max(map(len, draw([test]).splitlines())) <= 80


def test_every_slip_is_caught_and_named_on_its_line() -> None:
    test = planted_in(Sinh(), 3)
    assert_all_caught(test, at_least=5)
    named = {each.slip.what: each.code for each in test.planted}
    assert named["mean for sum"] == "LDJ105"
    assert named["batch summed too"] == "LDJ106"
    assert named["log2 for log"] == "LDJ107"
    assert named["log forgotten"] == "LDJ108"
    assert named["sum forgotten"] == "LDJ202"


@pytest.mark.slow
def test_the_layer_is_as_before_and_no_file_is_touched() -> None:
    layer, file = Sinh(), Path(__file__)
    before = Sinh.slope.__code__, file.read_bytes()
    planted_in(layer, 3)
    assert (Sinh.slope.__code__, file.read_bytes()) == before
    x = torch.tensor([[0.5, -1.0, 2.0]])
    assert torch.equal(layer(x)[1], torch.log(torch.cosh(x)).sum(dim=1))


def test_nothing_is_planted_in_a_layer_that_does_not_pass() -> None:
    test = planted_in(WrongSinh(), 3)
    assert (test.status, test.planted) == ("fail", ())
    assert "does not pass as it stands" in draw([test])
    assert exit_code([test]) == 1


@pytest.mark.slow
def test_a_mistake_that_goes_unnoticed_is_counted_and_fails() -> None:
    test = planted_in(Sinh(), 3)
    missed = replace(test.planted[0], caught=False, is_remark=False, code=None)
    worse = replace(test, planted=(missed, *test.planted[1:]))
    count = len(test.planted)
    assert draw([worse]).endswith(
        f"{count - 1} of {count} planted mistakes would have been caught at these "
        "shapes."
    )
    assert exit_code([worse]) == 1


def example(file: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"selftest_{name}", ROOT / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    return getattr(module, name)()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "name", "shape"),
    [
        ("examples/coupling.py", "make_chunk_coupling", (8,)),
        ("examples/actnorm.py", "ActNorm", (2, 3, 4)),
        ("examples/convolution.py", "Invertible1x1Conv", (3, 4, 5)),
        ("examples/dequantization.py", "Dequantization", (1, 4, 4)),
    ],
)
def test_mistakes_in_the_example_layers_are_caught(
    file: str, name: str, shape: tuple[int, ...]
) -> None:
    assert_all_caught(planted_in(example(file, name), *shape), at_least=8)


@pytest.mark.slow
def test_mistakes_in_a_layer_of_nflows_are_caught() -> None:
    transforms = pytest.importorskip("nflows.transforms")
    torch.manual_seed(0)
    assert_all_caught(planted_in(transforms.NaiveLinear(4), 4), at_least=3)


@pytest.mark.slow
def test_mistakes_in_a_layer_of_normflows_are_caught() -> None:
    flows = pytest.importorskip("normflows.flows")
    torch.manual_seed(0)
    assert_all_caught(planted_in(flows.Planar((4,)), 4), at_least=3)


@pytest.mark.slow
def test_mistakes_in_the_bundled_layers_are_caught() -> None:
    tests = bundled_tests(Options())
    assert all(test.status == "pass" for test in tests)
    for test in tests:
        assert_all_caught(test, at_least=5)


def test_the_command_plants_in_a_file_and_exits_with_0(tmp_path: Path) -> None:
    source = (
        "import torch\n"
        "from torch import nn\n"
        "class Exp(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.exp(x), x.sum(dim=1)\n"
    )
    (tmp_path / "flow.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "ldjcheck", "selftest", "flow.py:Exp", "--shape", "3"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exp(), shape (3,)" in done.stdout
    assert "LDJ105" in done.stdout
    assert (tmp_path / "flow.py").read_text() == source


def test_a_target_that_is_not_there_is_said_and_exits_with_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ldjcheck", "selftest", "nothing.py:Layer"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "LDJ001" in done.stdout
