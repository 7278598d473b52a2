"""What `ldjcheck selftest` plants, catches and leaves alone."""

from __future__ import annotations

import importlib.util
import inspect
import linecache
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command import ldjcheck_in
from torch import Tensor, nn

from ldjcheck.classroom.selftest import (
    Planted,
    Selftest,
    bundled_tests,
    draw,
    plant_all,
)
from ldjcheck.classroom.slips import Slip, slips
from ldjcheck.cli.commands.selftest import exit_status
from ldjcheck.mistakes.rewriting.sites import Site
from ldjcheck.records import Layer, Options
from ldjcheck.revision import read_source

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


class Exp(nn.Module):
    """The ldj is made where it is returned, beside y."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.exp(x)
        return y, x.sum(dim=1)


class Flip(nn.Module):
    """Nothing of its own is added to the total."""

    def forward(self, x: Tensor, ldj: Tensor) -> tuple[Tensor, Tensor]:
        return x.flip(1), ldj


class TwoExps(nn.Module):
    """The ldj is made in another function than the one that adds it up."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Exp(), Exp()])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x / 4)
            total = total + ldj - math.log(4) * x[0].numel()
        return x, total


def planted_in(layer: Any, *shape: int) -> Selftest:
    options = Options(shape=((None, shape),))
    return plant_all(Layer(target="it", name="it()", obj=layer), options)


def slips_of(source: str, what: str) -> list[str]:
    """Return the texts of the slips of one kind in the last statement of a source."""
    file = "<slips>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    text = read_source(file)
    assert text is not None
    (statement,) = text.statements[source.count("\n")]
    return [s.text for s in slips(Site(text, statement, 0.0)) if s.what == what]


def assert_all_caught(test: Selftest, at_least: int) -> None:
    missed = [each for each in test.planted if not each.caught]
    assert not missed, draw([test])
    assert len(test.planted) >= at_least
    assert exit_status([test]) == 0
    assert max(map(len, draw([test]).splitlines())) <= 80


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_ldj_that_is_made_where_it_is_returned_has_all_its_slips() -> None:
    test = planted_in(Exp(), 3)
    assert {each.slip.what: each.code for each in test.planted} == {
        "sign turned": "LDJ104",
        "counted twice": "LDJ114",
        "one too many": "LDJ118",
        "term forgotten": "LDJ119",
        "mean for sum": "LDJ105",
        "batch summed too": "LDJ106",
        "sum forgotten": "LDJ202",
        "column kept": "LDJ201",
        "at the output": "LDJ108",  # exp(x) is the scale itself
    }


@pytest.mark.slow
def test_what_a_layer_does_with_the_total_of_others_is_planted_too() -> None:
    test = planted_in(Flip(), 3)
    named = {each.slip.what: each.code for each in test.planted}
    assert named["term forgotten"] == named["counted twice"] == "LDJ204"
    assert named["one too many"] == "LDJ118"


@pytest.mark.slow
def test_the_sum_of_a_flow_is_planted_in_beside_its_layers() -> None:
    test = planted_in(TwoExps(), 3)
    assert_all_caught(test, at_least=12)
    lines, first = inspect.getsourcelines(TwoExps.forward)
    summed = first + next(n for n, text in enumerate(lines) if "total +" in text)
    here = {each.slip.what for each in test.planted if each.slip.line == summed}
    assert {"sign turned", "total overwritten", "factor forgotten"} <= here


def test_a_product_loses_one_factor_at_a_time() -> None:
    tree = "def f(a, b, c):\n    return a * b * c\n"
    assert sorted(slips_of(tree, "factor forgotten")) == [
        "(a * b)",
        "(a * c)",
        "(b * c)",
    ]


@pytest.mark.slow
def test_slips_that_change_no_number_at_one_dim_are_said_and_not_counted() -> None:
    class Halved(nn.Module):
        """It takes one number a sample, and no more."""

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = x.reshape(len(x), 1)
            ldj = -math.log(2) * torch.ones_like(x)
            return x / 2, ldj.mean(dim=1) * x.shape[1]

    test = planted_in(Halved(), 1)
    silent = {slip.what for slip in test.silent}
    assert "factor forgotten" in silent
    drawn = " ".join(draw([test]).split())
    assert f"{len(test.silent)} slips more change no number at these shapes" in drawn
    assert exit_status([test]) == 0


def test_slips_of_two_files_stand_under_their_file() -> None:
    made = [Slip("sign turned", 3, "-s", (), (file, 3, 0)) for file in ("a.py", "b.py")]
    planted = tuple(
        Planted(
            slip=slip, status="fail", caught=True, code="LDJ104",
            place=("b.py", 3),
        )
        for slip in made
    )  # fmt: skip
    test = Selftest(layer="it", shape="(3,)", status="pass", planted=planted)
    assert draw([test]).splitlines()[1:-2] == [
        "  line  planted      as  caught  named   points at",
        "  a.py",
        "  3     sign turned  -s  yes     LDJ104  b.py:3",
        "  b.py",
        "  3     sign turned  -s  yes     LDJ104  that line",
    ]


def test_where_nothing_is_planted_nothing_is_proved() -> None:
    test = Selftest(layer="it", shape="(3,)", status="pass", why="no statement")
    assert exit_status([test]) == 3


def test_nothing_is_planted_in_a_layer_that_does_not_pass() -> None:
    test = planted_in(WrongSinh(), 3)
    assert (test.status, test.planted) == ("fail", ())
    assert "does not pass as it stands" in draw([test])
    assert exit_status([test]) == 1


@pytest.mark.slow
def test_a_mistake_that_goes_unnoticed_is_counted_and_fails() -> None:
    test = planted_in(Sinh(), 3)
    missed = replace(test.planted[0], status="pass", caught=False, code=None)
    worse = replace(test, planted=(missed, *test.planted[1:]))
    count = len(test.planted)
    assert draw([worse]).endswith(
        f"{count - 1} of {count} planted mistakes would have been caught at these "
        "shapes."
    )
    assert exit_status([worse]) == 1


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
        ("examples/convolution.py", "InvertibleConvolution", (4, 5, 6)),
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
    assert_all_caught(planted_in(transforms.LULinear(4), 4), at_least=3)


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


@pytest.mark.slow
def test_the_command_plants_in_a_file_and_exits_with_0(tmp_path: Path) -> None:
    source = (
        "import torch\n"
        "from torch import nn\n"
        "class Exp(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.exp(x), x.sum(dim=1)\n"
    )
    (tmp_path / "flow.py").write_text(source)
    done = ldjcheck_in(tmp_path, "selftest", "flow.py:Exp", "--shape", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exp(), shape (3,)" in done.stdout
    assert "LDJ105" in done.stdout
    assert (tmp_path / "flow.py").read_text() == source


def test_a_target_that_is_not_there_is_said_and_exits_with_2(tmp_path: Path) -> None:
    done = ldjcheck_in(tmp_path, "selftest", "nothing.py:Layer")
    assert done.returncode == 2
    assert "LDJ001" in done.stdout
