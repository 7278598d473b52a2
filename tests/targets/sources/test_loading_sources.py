from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets import load_layer, parse_target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ldjcheck.records import Layer

    Write = Callable[[str, str], Path]

LAYER = """
class Layer:
    def forward(self, z, ldj):
        return z, ldj
"""


def load(text: str) -> Layer:
    return load_layer(parse_target(text))


def refused(text: str) -> CannotCheckError:
    with pytest.raises(CannotCheckError) as caught:
        load(text)
    return caught.value


def told(error: CannotCheckError) -> str:
    return "\n".join((error.message, *error.evidence))


def test_a_script_that_reads_its_command_line_finds_none_of_ours(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=5)
args = parser.parse_args()
def make():
    return lambda x: (x, parser.parse_args().seed)
"""
    write("flows.py", script)
    ours = ["ldjcheck", "flows.py:make()", "--seed", "3"]
    monkeypatch.setattr(sys, "argv", ours)
    layer = load("flows.py:(args, make)[1]()")
    assert callable(layer.obj)
    assert sys.modules["flows"].args.seed == 5
    assert sys.argv == ours


@pytest.mark.parametrize("source", ["flows", "flows.py", "./flows.py"])
def test_a_module_or_file_of_the_current_folder_loads(
    write: Write, source: str
) -> None:
    write("flows.py", LAYER)
    layer = load(f"{source}:Layer")
    assert type(layer.obj).__name__ == "Layer"
    assert layer.name == "Layer()"
    assert layer.target == f"{source}:Layer"


def test_a_file_loads_from_elsewhere_with_its_neighbours(write: Write) -> None:
    write("far/away/nets.py", "width = 7")
    write("far/away/my-flows.py", f"import nets{LAYER}\n    width = nets.width")
    assert load("far/away/my-flows.py:Layer").obj.width == 7


def test_a_file_may_import_from_the_current_folder(write: Write) -> None:
    write("shapes.py", "width = 5")
    write("src/flows.py", "from shapes import width")
    assert "width is an int" in refused("src/flows.py:width").message


def test_a_file_of_a_package_may_use_relative_imports(write: Write) -> None:
    write("lib/kit/__init__.py", "")
    write("lib/kit/nets.py", "width = 3")
    write("lib/kit/flows/__init__.py", "")
    write("lib/kit/flows/maf.py", f"from ..nets import width{LAYER}")
    layer = load("lib/kit/flows/maf.py:Layer")
    assert type(layer.obj).__module__ == "kit.flows.maf"


def test_relative_imports_work_without_init_files(write: Write) -> None:
    write("kit/nets.py", "width = 3")
    write("kit/flows/maf.py", f"from ..nets import width{LAYER}")
    assert load("kit/flows/maf.py:Layer").obj is not None


def test_a_folder_between_two_packages_is_one(write: Write) -> None:
    write("deep/nets.py", "width = 3")
    write("deep/__init__.py", "")
    write("deep/parts/flows/__init__.py", "from ...nets import width")
    write("deep/parts/flows/maf.py", f"from . import width{LAYER}")
    assert load("deep/parts/flows/maf.py:Layer").obj is not None


def test_a_file_finds_modules_of_a_folder_above_it(write: Write) -> None:
    write("project/src/nets.py", "width = 3")
    write("project/src/flows/maf.py", f"from src.nets import width{LAYER}")
    assert load("project/src/flows/maf.py:Layer").obj is not None


def test_a_package_whose_init_raises_is_entered_without_it(write: Write) -> None:
    write("zoo_a/__init__.py", "import numpy\nnumpy.long_gone_name\n")
    write("zoo_a/parts/__init__.py", "")
    write("zoo_a/parts/base.py", LAYER)
    write("zoo_a/parts/flows.py", "from zoo_a.parts.base import Layer\n")
    layer = load("zoo_a/parts/flows.py:Layer")
    said = dict(layer.inferred)["source"]
    assert "zoo_a raises when it is imported (AttributeError" in said


def test_what_a_sibling_asks_for_and_nobody_has_is_left_out(write: Write) -> None:
    write("zoo_b/__init__.py", "from .plots import show\n")
    write("zoo_b/plots.py", "from no_such_plots.kinds import Show\nshow = Show\n")
    write("zoo_b/flows.py", LAYER)
    layer = load("zoo_b/flows.py:Layer")
    assert "no_such_plots is not installed" in dict(layer.inferred)["source"]
    assert "no_such_plots" not in sys.modules  # nobody else is told that it is there


def test_what_a_sibling_of_a_lone_file_asks_for_is_left_out(write: Write) -> None:
    write(
        "helpers_e.py",
        "import no_such_sound\ndef mel(x):\n    return no_such_sound(x)\n",
    )
    write("flows_e.py", f"import helpers_e\n{LAYER}")
    assert "no_such_sound is not" in dict(load("flows_e.py:Layer").inferred)["source"]


def test_so_is_what_a_lone_file_asks_for_and_its_layer_does_not_use(
    write: Write,
) -> None:
    write("flows_f.py", f"import no_such_images.kinds as kinds\n{LAYER}")
    assert "no_such_images is not" in dict(load("flows_f.py:Layer").inferred)["source"]
    write("flows_g.py", f"from no_such_images import kinds\n{LAYER}\nx = kinds.All()\n")
    assert "No module named 'no_such_images'" in refused("flows_g.py:Layer").message


def test_what_is_missing_raises_as_ever_where_it_is_used(write: Write) -> None:
    write("zoo_c/__init__.py", "")
    write(
        "zoo_c/flows.py", f"import no_such_jit\n{LAYER}\nx = no_such_jit.jit(Layer)\n"
    )
    assert "No module named 'no_such_jit'" in refused("zoo_c/flows.py:Layer").message
    text = f"import no_such_jit\n{LAYER}\ndef make():\n    return no_such_jit.make()\n"
    write("zoo_c/made.py", text)
    assert "No module named 'no_such_jit'" in refused("zoo_c/made.py:make()").message


def test_a_file_that_needs_what_its_package_defines_is_refused(write: Write) -> None:
    write("zoo_d/__init__.py", "size = 1 // 0\n")
    write("zoo_d/flows.py", f"from zoo_d import size\n{LAYER}")
    assert "ZeroDivisionError" in refused("zoo_d/flows.py:Layer").message


def test_a_file_named_like_a_standard_module_does_not_replace_it(write: Write) -> None:
    import types

    write("types.py", LAYER)
    assert type(load("types.py:Layer").obj).__module__ == "types_py"
    assert sys.modules["types"] is types


# --- LDJ001 ---------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["flow.py", "flow"])
def test_a_missing_source_is_told_with_near_misses(write: Write, source: str) -> None:
    write("flows.py", LAYER)
    error = refused(f"{source}:Layer")
    assert error.code == "LDJ001"
    assert source in error.message
    assert "Did you mean:" in error.evidence
    assert "  flows" in told(error)


def test_a_missing_folder_is_told(folder: Path) -> None:
    assert "nor folder nowhere" in refused("nowhere/flows.py:Layer").message


def test_a_missing_part_of_a_package_is_told_with_near_misses(write: Write) -> None:
    write("kit/__init__.py", "")
    write("kit/flows.py", LAYER)
    error = refused("kit.flow:Layer")
    assert error.code == "LDJ001"
    assert error.message == "There is no module kit.flow."
    assert "  kit.flows" in error.evidence


def test_a_folder_is_no_file(folder: Path) -> None:
    (folder / "flows.py").mkdir()
    assert refused("flows.py:Layer").message == "flows.py is a folder, not a file."


@pytest.mark.parametrize("source", ["flows", "flows.py"])
@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "import torhc; torhc.nn.Module()",
            "ModuleNotFoundError: No module named 'torhc'",
        ),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def (", "SyntaxError"),
        ("import sys; sys.exit(3)", "sys.exit(3)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_a_source_that_raises_shows_its_own_frames_only(
    write: Write, source: str, text: str, what: str
) -> None:
    write("flows.py", f"x = 1\n{text}\n")
    error = refused(f"{source}:Layer")
    assert error.code == "LDJ001"
    assert what in error.message
    frames = [line for line in error.evidence if line.startswith("  File ")]
    assert len(frames) == 1
    assert 'flows.py", line 2' in frames[0]


def test_a_module_that_imports_what_is_missing_is_not_itself_missing(
    write: Write,
) -> None:
    write("kit/__init__.py", "import kit.nets")
    write("kit/flows.py", LAYER)
    error = refused("kit.flows:Layer")
    assert "No module named 'kit.nets'" in error.message
    assert "__init__.py" in told(error)


def test_running_out_of_memory_is_a_limit(write: Write) -> None:
    write("flows.py", "raise MemoryError('too big')")
    assert refused("flows.py:Layer").code == "LDJ007"


@pytest.mark.parametrize("source", ["flows.txt/x", "my-flows"])
def test_a_source_of_no_known_kind_is_told_what_to_type(source: str) -> None:
    error = refused(f"{source}:Layer")
    assert error.code == "LDJ001"
    assert "  ldjcheck path/to/file.py:Layer" in error.evidence
