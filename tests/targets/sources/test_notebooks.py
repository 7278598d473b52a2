"""What of a notebook is run, and what is said about the rest."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from notebook_cells import NEVER, cell

from ldjcheck.checking import check_layer
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Options
from ldjcheck.targets import load_layer, load_source, parse_target
from ldjcheck.targets.sources.notebook.document import without_magics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Notebook = Callable[..., Path]


@pytest.fixture
def notebook(folder: Path) -> Notebook:
    """Write `flows.ipynb` with these code cells, after a title."""

    def write(*cells: str) -> Path:
        content = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"language": "python", "name": "python3"}},
            "cells": [cell("# Flows", "markdown"), *map(cell, cells)],
        }
        path = folder / "flows.ipynb"
        path.write_text(json.dumps(content))
        return path

    return write


def value(expr: str) -> Any:
    """Return an expression's value in the notebook, run as far as it needs."""
    source = load_source(parse_target(f"flows.ipynb:{expr}"))
    return eval(expr, source.namespace)


def notes(expr: str) -> str:
    return " ".join(load_source(parse_target(f"flows.ipynb:{expr}")).notes)


def refused(expr: str, code: str) -> str:
    with pytest.raises(CannotCheckError) as caught:
        load_layer(parse_target(f"flows.ipynb:{expr}"))
    assert caught.value.code == code
    return "\n".join((caught.value.message, *caught.value.evidence))


ARGPARSE = "import argparse\np = argparse.ArgumentParser()\n"

# --- the values are those of a run from the top -------------------------------------


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("cells", "expr", "expected"),
    [
        (["x = 1", "x = 2", "y = x", "x = 3"], "y", 2),
        (["x = 1\nx += 1", "x += 1"], "x", 3),
        (["x = [1]", "x.append(2)", "print(x)"], "x", [1, 2]),
        (["c = {}", "def f(): return c['n']", "c['n'] = 3"], "f()", 3),
        (["class A: n = 1", "A.n = 2"], "A().n", 2),
        (["class A: n = 1", "class A: n = 2"], "A.n", 2),
        (["class A: n = 1", "class A(A): m = 2"], "A.n + A.m", 3),
        (["class A: n = 1", "class B(A): pass", "A.n = 5"], "B.n", 5),
        (["class A: pass", "setattr(A, 'n', 4)"], "A.n", 4),
        (["def f(): return g()", "def g(): return k", "k = 7"], "f()", 7),
        (["k = 1", "def f(n=k): return n", "k = 2"], "f()", 1),
        (["k = 1\ndef f(): return k", "v = f()", "k = 2"], "(v, f())", (1, 2)),
        (["k = 3", "v = [k * i for i in range(3)]"], "v", [0, 3, 6]),
        (["i = 5", "v = [i for i in range(3)]"], "i", 5),
        (["k = 2", "f = lambda x: x * k"], "f(4)", 8),
        (["fs = [lambda: k]", "k = 3"], "[f() for f in fs]", [3]),
        (["R = {}", "def reg(f):\n    R[f.__name__] = 1", "@reg\ndef a(): 0"], "R", {"a": 1}),
        (["a = []", "b = a", "for i in range(2):\n    b.append(i)"], "a", [0, 1]),
        (["a = b = []", "b.append(1)", "k = a", "k.append(2)"], "a", [1, 2]),
        (["class R(dict):\n    def put(self, f): self[f.__name__] = 1", "r = R()",
          "@r.put\ndef a(): 0"], "r", {"a": 1}),
        (["n = []", "def note(l): l.append(1)", "note(n)"], "n", [1]),
        (["def f():\n    global k\n    k = 6", "f()"], "k", 6),
        (["if True:\n    k = 1\nelse:\n    k = 2"], "k", 1),
        (["k = 0", "for i in range(3):\n    k += i\n    print(k)"], "k", 3),
        (["try:\n    import nope\n    k = 1\nexcept ImportError:\n    k = 2"], "k", 2),
        (["from math import *"], "sqrt(4)", 2),
        (["import math as m, os"], "m.pi > 3", True),
        (["%time k = 3"], "k", 3),
        (["%%time\nk = 3\n", "%%bash\nk = 4", "%%writefile k.py\nk = 5"], "k", 3),
        (["k = 1 if __name__ == '__main__' else 2"], "k", 1),
        (["if __name__ == '__main__':\n    k = 1"], "k", 1),
        (["(k := 4)"], "k", 4),
        (["a, *b = 1, 2, 3"], "b", [2, 3]),
        (["from __future__ import annotations", "def f(x: Unknown): return 1"], "f(0)", 1),
        (["class A:\n    def __init_subclass__(cls): A.n = 2", "class B(A): 0"], "A.n", 2),
        (["import nope, math, os.path as p"], "math.sqrt(4)", 2),
        (["if 1:\n    import math, nope"], "math.sqrt(4)", 2),
        ([f"{ARGPARSE}p.add_argument('-k', type=int, default=3)", "a = p.parse_args()"],
         "a.k", 3),
        ([f"{ARGPARSE}g = p.add_argument_group()", "g.add_argument('-k', default=3)",
          "a = p.parse_args()"], "a.k", 3),
    ],
)  # fmt: skip
def test_a_name_has_the_value_of_a_run_from_the_top(
    notebook: Notebook, cells: list[str], expr: str, expected: object
) -> None:
    notebook(NEVER, *cells, NEVER)
    assert value(expr) == expected


PATCH = """
def patch(function):
    kind = next(iter(function.__annotations__.values()))
    setattr(kind, function.__name__, function)

def add_to(kind):
    return lambda function: setattr(kind, function.__name__, function)
"""


@pytest.mark.parametrize(
    "maker", ["import beside", "from beside import *", "import beside as b"]
)
def test_methods_that_a_decorator_adds_to_a_class_are_its_own(
    notebook: Notebook, maker: str
) -> None:
    home = {"import beside": "beside.", "import beside as b": "b."}.get(maker, "")
    path = notebook(
        maker,
        "class A: k = 2",
        f"@{home}patch\ndef f(self: A): return self.k",
        f"@{home}add_to(A)\ndef g(self): return self.f()",
        "@nope.cached\ndef train(model: A): model.fit()",
    )
    path.with_name("beside.py").write_text(PATCH)
    assert value("A().g()") == 2


def test_a_decorator_of_the_notebook_adds_methods_too(notebook: Notebook) -> None:
    notebook("class A: k = 2", PATCH, "@patch\ndef f(self: A): return self.k")
    assert value("A().f()") == 2


# --- what never runs ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["flow = 1", "def t(f):\n    f.backward()\n    return f", "flow = t(flow)"], "trains"),
        (["class M:\n    def go(s):\n        s.loss.backward()", "flow = M().go()"], "trains"),
        (["flow = trainer.fit(1)"], "trains"),
        (["flow = 0\nfor i in x:\n    loss.backward()\n    flow += 1"], "trains"),
        (["import urllib.request as u", "flow = u.urlopen('http://a.b')"], "downloads"),
        (["flow = MNIST('.', download=True)"], "downloads"),
        (["data = MNIST('.', download=True)", "flow = len(data)"], "downloads"),
        (["flow = !ls"], "runs a shell command"),
        (["import subprocess as s", "flow = s.run(['ls'])"], "runs a shell command"),
        (["import matplotlib.pyplot as plt", "fig, flow = plt.subplots()"], "draws"),
        (["flow = input()"], "waits for the user"),
    ],
)  # fmt: skip
def test_a_name_that_only_such_a_statement_gives_is_refused(
    notebook: Notebook, cells: list[str], reason: str
) -> None:
    notebook(*cells)
    text = refused("flow", "LDJ002")
    assert text.startswith(f"flow exists only after cell {len(cells) + 1}, line ")
    assert reason in text


def test_a_way_back_called_backward_is_no_training(notebook: Notebook) -> None:
    notebook("class F:\n    def backward(self, z): return z", "x = F().backward(3)")
    assert value("x") == 3


def test_locals_of_a_function_are_no_names_of_the_notebook(notebook: Notebook) -> None:
    notebook(
        "def t(f): f.backward()",
        "ldj = t(1)",
        "class A:\n    def f(self, ldj):\n        ldj += 1\n        z = 1\n        del z",
        "class B:\n    z = 1\n    z += 1\n    del z",
    )
    assert value("(A().f(1), B)")[0] is None
    assert "Not run" not in notes("A")


def test_a_download_in_disguise_meets_a_closed_door(notebook: Notebook) -> None:
    notebook(
        "import http.client",
        """
        def innocent():
            http.client.HTTPConnection("127.0.0.1", 9).request("GET", "/")

        data = innocent()
        """,
    )
    assert "does not use the network" in refused("data", "LDJ001")


def test_a_change_that_trains_is_left_out_and_said(notebook: Notebook) -> None:
    notebook("def t(f): f.fit()", "flows = {'a': 1}", "flows['a'] = t(flows)")
    assert value("flows['a']") == 1
    assert "Not run: cell 4, line 1, for flows: it trains." in notes("flows")


def test_a_missing_import_is_skipped_unless_it_is_needed(notebook: Notebook) -> None:
    notebook("import nope", "def used(): return 1\ndef other(): return nope.x")
    assert value("used()") == 1
    assert value("other").__name__ == "other"
    assert "raised ModuleNotFoundError: No module named 'nope'" in notes("other")
    notebook("import nope", "class Layer(nope.Base): pass")
    text = refused("Layer", "LDJ001")
    assert "ModuleNotFoundError" in text
    assert 'flows.ipynb, cell 2", line 1' in text


# --- what is said -------------------------------------------------------------------

LAYER = """
class Layer:
    def __init__(self, net, mask):
        self.net = net

    def forward(self, z, ldj):
        return z, ldj
"""


def test_arguments_are_asked_for_with_the_cell_and_what_was_run(
    notebook: Notebook,
) -> None:
    notebook("import math\nimport sys", "x = 1", f"import os\n{LAYER}\n    o = os.sep")
    assert refused("Layer", "LDJ003").splitlines() == [
        "I can't build Layer: it needs net and mask.",
        "  Layer(net, mask)",
        "  defined in flows.ipynb, cell 4, line 3",
        "Write the call with its arguments; any name of flows.ipynb works:",
        "  ldjcheck 'flows.ipynb:Layer(net=..., mask=...)'",
        "I ran 2 statements of the notebook (imports, Layer) and skipped the rest: no",
        "data was downloaded, nothing was trained.",
    ]


def test_what_only_the_data_would_give_is_asked_for(notebook: Notebook) -> None:
    notebook(
        "d = MNIST('.', download=True)\ncount = len(d)",
        "class Layer:\n    def __init__(self): self.n = count",
    )
    text = refused("Layer", "LDJ005")
    assert "Not run: cell 2, line 2, for count: it needs cell 2, line 1" in text
    assert text.splitlines()[-2:] == [
        "Give count in a last cell of the notebook, and I need no more:",
        "  count = ...",
    ]


def test_a_name_that_is_nearly_right_is_offered(notebook: Notebook) -> None:
    notebook(LAYER, NEVER)
    assert refused("Leyer(1, 2)", "LDJ002").splitlines() == [
        "There is no Leyer in flows.ipynb.",
        "Did you mean:",
        "  ldjcheck 'flows.ipynb:Layer(1, 2)'",
    ]


def test_a_deleted_name_and_a_broken_cell_are_told(notebook: Notebook) -> None:
    notebook("x = 1", "\ndel x", "y = (\nz = 2")
    assert "cell 3, line 2 deletes it." in refused("x", "LDJ002")
    assert "cell 4 seems to have it, but is no Python:" in refused("z", "LDJ002")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("no json", "flows.ipynb is no Python notebook: it holds no notebook's JSON."),
        ("[]", "flows.ipynb is no Python notebook: it holds no notebook's JSON."),
        (
            '{"cells": [], "metadata": {"kernelspec": {"language": "julia"}}}',
            "flows.ipynb is no Python notebook: its language is julia, not Python.",
        ),
    ],
)
def test_what_is_no_notebook_is_said_to_be_none(
    folder: Path, content: str, told: str
) -> None:
    (folder / "flows.ipynb").write_text(content)
    assert refused("Layer", "LDJ001") == told


def test_a_missing_notebook_offers_its_neighbour(notebook: Notebook) -> None:
    notebook()
    with pytest.raises(CannotCheckError) as caught:
        load_layer(parse_target("flow.ipynb:Layer"))
    assert caught.value.evidence == ("Did you mean:", "  flows.ipynb")


def test_notebooks_of_format_3_are_read(folder: Path) -> None:
    sheet = {"cells": [{"cell_type": "code", "input": ["k = 1\n", "k += 1"]}]}
    (folder / "flows.ipynb").write_text(json.dumps({"worksheets": [sheet]}))
    assert value("k") == 2


# --- what others ask of the code ----------------------------------------------------


def test_python_finds_the_source_of_what_a_notebook_defines(notebook: Notebook) -> None:
    notebook("x = 1", "# first\nclass A:\n    def f(self):\n        return 1 / 0\n")
    made = value("A")
    assert inspect.getsource(made).startswith("class A:\n    def f(self):")
    assert inspect.getsource(made.f) == "    def f(self):\n        return 1 / 0\n"
    with pytest.raises(ZeroDivisionError) as caught:
        made().f()
    last = traceback.extract_tb(caught.tb)[-1]
    assert last.filename.endswith("flows.ipynb, cell 3")
    assert (last.lineno, last.line) == (4, "return 1 / 0")


def test_objects_of_a_notebook_can_be_copied_and_pickled(notebook: Notebook) -> None:
    notebook("class A:\n    n = 1")
    made = value("A()")
    assert copy.deepcopy(made).n == pickle.loads(pickle.dumps(made)).n == 1


def test_imports_and_paths_start_at_the_notebooks_folder(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook("import nets_beside", "text = open('k.txt').read()")
    path.with_name("nets_beside.py").write_text("width = 3")
    path.with_name("k.txt").write_text("k")
    (path.parent / "other").mkdir()
    monkeypatch.chdir(path.parent / "other")
    source = load_source(parse_target("../flows.ipynb:(nets_beside, text)"))
    assert source.namespace["text"] == "k"
    assert source.namespace["nets_beside"].width == 3


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1\n"),
        ("if 1:\n    !pip install a \\\n      b\n    x = 1", "if 1:\n    pass\n\n    x = 1\n"),
        ("x = (3\n% 2)", "x = (3\n% 2)"),
        ("s = '''\n%no\n!no\n'''\n?x", "s = '''\n%no\n!no\n'''\npass\n"),
        ("s = 'a\"'  # '''\nx?\ny??", "s = 'a\"'  # '''\npass\npass\n"),
        ("x = [\n!ls\n]\n%y", "x = [\n!ls\n]\npass\n"),
        ("fs = !ls -l", "fs = __magic__('ls -l')\n"),
        ("fs = %env HOME\nx = 5 % 3", "fs = __magic__('env HOME')\nx = 5 % 3\n"),
        ("%%time\nx = 1", "pass\nx = 1"),
        ("%%html\n<b>", None),
    ],
)  # fmt: skip
def test_magics_are_taken_out_line_by_line(text: str, python: str | None) -> None:
    assert without_magics(text) == python


# --- what calls a layer ---------------------------------------------------------------

BY_ENTRY = """
import torch
from torch import nn
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(4))
    def forward(self, x):
        return x * self.s.exp(), self.s.expand_as(x)
"""
CALLS = "  def make(self):\n    return Scale()\n"
CALLER = """
class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList([Scale(), Scale()])
    def forward(self, x):
        total = torch.zeros(len(x))
        for step in self.steps:
            x, ldj = step(x)
            total = total + ldj.sum(1)
        return x, total
"""


def test_a_caller_in_another_cell_says_how_an_ldj_is_meant(notebook: Notebook) -> None:
    notebook(BY_ENTRY, CALLER, NEVER)
    result = check_layer(load_layer(parse_target("flows.ipynb:Scale")), Options())
    assert result.status == "pass", result.findings
    assert [(f.code, f.severity) for f in result.findings] == [("LDJ202", "note")]
    notebook(BY_ENTRY, NEVER)
    alone = check_layer(load_layer(parse_target("flows.ipynb:Scale")), Options())
    assert alone.status == "fail"


def test_nothing_is_missed_for_the_sake_of_a_caller(notebook: Notebook) -> None:
    """A class that cannot be defined without data calls it too, and is left out."""
    data = "import torchvision\ndata = torchvision.datasets.MNIST('.', download=True)"
    notebook(BY_ENTRY, data, "class Flow(nn.Module):\n  n = len(data)\n" + CALLS)
    assert "Not run" not in notes("Scale")
