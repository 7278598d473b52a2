"""Commands as beginners type them: done as meant, or answered by what to type."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ldjcheck.cli import main
from ldjcheck.targets import as_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLOWS = """
    import torch
    from torch import nn

    class Affine(nn.Module):
        def forward(self, x):
            return 2 * x, x.sum(dim=1)

    class Shift(nn.Module):
        def forward(self, x):
            y = x + 1
            return y, 0 * x.sum(dim=1)
"""


@pytest.fixture(autouse=True)
def folder(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A project: two files with layers, a package, helpers, tests and weights."""
    for name in ("flows.py", "other.py"):
        write(name, FLOWS)
    (tmp_path / "models").mkdir()
    write("models/__init__.py", "")
    write("models/coupling.py", FLOWS.replace("Affine", "Coupling"))
    write("models/helpers.py", "import math")
    write("models/test_coupling.py", FLOWS)
    (tmp_path / "densities").mkdir()
    write("densities/model.py", "class Model:\n    def log_prob(self, x): ...\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "flows.pt").write_bytes(b"")
    (tmp_path / "broken.py").write_text("def forward(self, x:\n    return x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("flows.py::Affine", ["flows.py:Affine"]),
        ("flows.Affine", ["flows:Affine"]),
        ("models.coupling.Coupling", ["models.coupling:Coupling"]),
        ("models.coupling", ["models.coupling"]),
        ("flows.py Affine", ["flows.py:Affine"]),
        ("flows.py Affine()", ["flows.py:Affine()"]),
        ("flows.py Afine", ["flows.py:Afine"]),  # which is answered by a near name
        ("flows.py other.py", ["flows.py", "other.py"]),
        ("flows.py flows:Affine", ["flows.py", "flows:Affine"]),
        ("flows.py:Affine, other.py:Shift", ["flows.py:Affine", "other.py:Shift"]),
        ("models", ["models/coupling.py"]),
        ("models/", ["models/coupling.py"]),
        ("densities", ["densities/model.py"]),
        ("*o*.py", ["broken.py", "flows.py", "other.py"]),
        ("models/*.py:Coupling", ["models/coupling.py:Coupling"]),
        ("flows.py:Affine()[1:]", ["flows.py:Affine()[1:]"]),
    ],
)
def test_a_target_is_taken_as_it_is_meant(typed: str, meant: list[str]) -> None:
    assert list(as_targets(typed.split(" "))) == meant


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("flow.py:Affine", "flows.py"),
        ("flows.py:Afine", "ldjcheck flows.py:Affine"),
        ("flows.py:affine", "ldjcheck flows.py:Affine"),
        ("flows.py Afine", "ldjcheck flows.py:Affine"),
        ("flows.ipynb:Affine", "flows.py"),
        ("flow:Affine", "flows"),
        ("Affine", "ldjcheck 'flows.py:Affine'"),
        ("Affine()", "ldjcheck 'flows.py:Affine()'"),
        ("models:Coupling", "ldjcheck 'models/coupling.py:Coupling'"),
        ("models/coupling:Coupling", "ldjcheck 'models/coupling.py:Coupling'"),
        ("models/coupling", "ldjcheck 'models/coupling.py'"),
        ("empty", "classes with a forward"),
        ("*.pyx", "No Python file or notebook matches *.pyx."),
        ("flows.pt", "ldjcheck FILE.py:LAYER --weights flows.pt"),
        ("4,4", "ldjcheck FILE.py:LAYER --shape 4,4"),
        ("flows.py:Affine(", "ldjcheck 'flows.py:Affine()'"),
        ("broken.py:Affine", "def forward(self, x:"),
        (":Affine", "ldjcheck deq.py:Layer"),
        ("a." * 200 + "b", "There is no module a."),
        ("~no-such-user/flows.py:Affine", "There is no file ~no-such-user/flows.py"),
        ("--shape 4", "ldjcheck flows.py:Affine"),
        ("flows.py:Affine --shape four", "such as 1,4,4"),
        ("flows.py:Affine --domain unti", "unit"),
        ("flows.py:Affine --shpe 4", "--shape"),
        ("flows.py:Affine --select sign", "sign-flipped"),
    ],
)
def test_a_slip_is_answered_by_what_to_type(
    typed: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ldjcheck.api", None)  # nothing here runs a layer
    ran = CliRunner().invoke(main, typed.split(" "))
    assert ran.exit_code == 2, ran.output
    assert answer in ran.output
    assert "Traceback" not in ran.output


@pytest.mark.parametrize("shape", ["2,3", "2x3", "(2, 3)", "[2,3]", "2 3"])
def test_a_shape_is_read_however_it_is_written(shape: str) -> None:
    from ldjcheck.cli.param_types import SHAPE

    assert SHAPE.convert(shape, None, None) == (None, (2, 3))


def test_a_method_is_that_of_a_layer_that_is_built(
    ldjcheck: Callable[..., object],
) -> None:
    of_class, of_layer = (
        json.loads(ldjcheck(f"flows.py:{typed}", "--format", "json").stdout)["results"][
            0
        ]
        for typed in ("Affine.forward", "Affine().forward")
    )
    assert of_class["layer"] == "Affine().forward"
    assert of_class["findings"] == of_layer["findings"] != []


@pytest.mark.parametrize("name", ["stretch", "forward"])
def test_a_method_by_a_name_of_its_own_is_answered_by_the_layers(
    name: str, ldjcheck: Callable[..., object], folder: Path
) -> None:
    with (folder / "flows.py").open("a") as file:
        file.write(f"\n\n{name} = Affine.forward\n")
    ran = ldjcheck(f"flows.py:{name}")
    assert ran.returncode == 2
    assert f"{name} is a method of Affine, and no layer by itself." in ran.stdout
    assert "ldjcheck flows.py:Affine\n" in ran.stdout


def test_folders_that_are_no_packages_lead_to_a_module(
    ldjcheck: Callable[..., object], write: Callable[[str, str], Path], folder: Path
) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    write("deep/er/flow.py", FLOWS)
    ran = ldjcheck("deep.er.flow:Absent")
    assert "It has: Affine, Shift" in ran.stdout, ran.stdout + ran.stderr


def test_an_expression_longer_than_any_file_name_is_no_path() -> None:
    long = f"flows.py:(lambda x: Shift()(x{' + 0' * 90}))"
    assert list(as_targets([long])) == [long]
