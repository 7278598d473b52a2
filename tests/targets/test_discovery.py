"""What is looked at in a source that is named alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from notebook_cells import NEVER, cell

from ldjcheck.targets import find_layers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str, str], Path]

HEAD = """
import abc
import enum
from collections import OrderedDict as Imported
from torch import nn
from torch.distributions.transforms import ExpTransform, Transform
from small import Elsewhere, elsewhere

class Layer(nn.Module):
    def forward(self, x):
        return x, x.sum()

    def inverse(self, y):
        return y
"""
SMALL = "class Elsewhere:\n    def forward(self, x): 0\nelsewhere = Elsewhere()\n"


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("", "Layer", None),
        ("layer = Layer()", "layer", None),
        ("exp = ExpTransform()", "exp", None),
        ("if True:\n    deep = Layer()", "deep", None),
        ("def make(): return Layer()", "make", None),
        ("def make(n=1):\n    f = nn.Sequential(Layer())\n    return f.eval()", "make", None),
        ("def make(): return inner()\ndef inner(): return Layer()", "make", None),
        ("def affine(x): return 2 * x, 0", "affine", None),
        ("row = nn.ModuleList([Layer(), Layer()])", "row", None),
        ("class T(Transform):\n    def _call(self, x): return x", "T", None),
        ("class T:\n    def forward_and_log_det(self, x): return x, 0", "T", None),
        (
            "class Needs(Layer):\n    def __init__(self, net, *, mask, n=1): 0",
            "Needs",
            "needs net and mask: ldjcheck 'flows.py:Needs(net=..., mask=...)'",
        ),
        (
            "class Base(nn.Module):\n    def forward(self, x):\n        'Map.'\n        pass",
            "Base",
            "a base class: its forward is left to its subclasses",
        ),
        (
            "class Base:\n    def forward(self, x):\n        raise NotImplementedError",
            "Base",
            "a base class: its forward is left to its subclasses",
        ),
        (
            "class Base(abc.ABC):\n    @abc.abstractmethod\n    def forward(self, x): 0",
            "Base",
            "a base class: forward is left to its subclasses",
        ),
        (
            "class Base:\n    def forward(self, x): return self.there(x)\n"
            "class Kind(Base):\n    def there(self, x): return x, 0",
            "Base",
            "a base class: there is left to its subclasses",
        ),
        (
            "class Base:\n    def forward(self, x): return self.there(x)\n"
            "class Kind(Base):\n    def back(self, x): return x, 0",
            "Base",
            None,
        ),
        (
            "class Config:\n    n = 1",
            "Config",
            "no flow layer: it has no forward, and no method named like an ldj",
        ),
        (
            "class Coder:\n    def encode(self, x): return x, 0\n"
            "    def decode(self, z): return z, 0",
            "Coder",
            None,
        ),
        (
            "class Coder:\n    def encode(self, x): return x, 0",
            "Coder",
            "no flow layer: it has no forward, and no method named like an ldj",
        ),
        (
            "class Holder(nn.Module):\n    n = 1",
            "Holder",
            "no flow layer: it has no forward, and no method named like an ldj",
        ),
        (
            "class Model(nn.Module):\n    def log_prob(self, x): return x.sum(1)",
            "Model",
            None,
        ),
        (
            "class Model:\n    def nll(self, x): return x.sum(1)\nmodel = Model()",
            "model",
            None,
        ),
        (
            "class Model:\n    def __init__(self, d): 0\n    def bpd(self, x): return x",
            "Model",
            "needs d: ldjcheck 'flows.py:Model(d=...)'",
        ),
    ],
)  # fmt: skip
def test_a_name_is_a_candidate_or_is_skipped_for_a_reason(
    write: Write, text: str, name: str, why: str | None
) -> None:
    write("small.py", SMALL)
    write("flows.py", f"{HEAD}\n{text}")
    found = find_layers("flows.py")
    reasons = {each.target: each.why for each in found.skipped}
    assert (name in found.candidates) == (why is None)
    assert reasons.get(f"flows.py:{name}") == why


@pytest.mark.parametrize(
    "text",
    [
        "_hidden = Layer()\nclass _Hidden(Layer): 0\ndef _make(): return Layer()",
        "n, names, table = 3, ['a'], {}",
        "Other = Elsewhere\nagain = Layer",
        "def train():\n    Layer()(1).backward()\n    return Layer()",
        "def train():\n    f = Layer()\n    f.fit()\n    return f",
        "def main(): print(Layer())",
        "def size(): return len('abc')",
        "def mask(h, w): return h, w",
        "def plot(data): show(data)",
        "def make(*, n): return Layer()",
        "def loop(): return loop()",
        "import torch\nprior = torch.distributions.Normal(0.0, 1.0)",
    ],
)
def test_all_else_is_passed_over_in_silence(write: Write, text: str) -> None:
    write("small.py", SMALL)
    write("flows.py", f"{HEAD}\n{text}")
    found = find_layers("flows.py")
    assert (found.candidates, found.skipped) == (("Layer",), ())


def test_a_package_offers_what_it_takes_from_its_own_modules(write: Write) -> None:
    write("kit/__init__.py", "from kit.inner import Mine\nfrom other import Theirs")
    write("kit/inner.py", "class Mine:\n    def forward(self, x): return x, 0")
    write("other.py", "class Theirs:\n    def forward(self, x): return x, 0")
    assert find_layers("kit").candidates == ("Mine",)


def test_a_notebook_is_run_as_far_as_it_may_hold_layers(folder: Path) -> None:
    import json

    cells = [
        "import nope\nfrom torch import nn",
        NEVER,
        "class Layer(nn.Module):\n    def forward(self, x): return x, 0",
        "class Lost(nope.Module):\n    def forward(self, x): return x, 0",
        "flow = Layer()\ndata = print(1 / 0)",
        "def train(f):\n    f.loss.backward()\n    return f\n",
        "trained = train(flow)",
    ]
    content = {"cells": [cell(text) for text in cells]}
    (folder / "flows.ipynb").write_text(json.dumps(content))
    found = find_layers("flows.ipynb")
    assert found.candidates == ("Layer", "flow")
    assert [(each.target, each.why) for each in found.skipped] == [
        (
            "flows.ipynb:Lost",
            "cell 4, line 1 raised NameError: name 'nope' is not defined",
        ),
        ("flows.ipynb:trained", "not run: cell 7, line 1 trains"),
    ]
