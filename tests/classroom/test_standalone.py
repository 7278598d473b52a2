"""A layer of the zoo as a file of its own: the same layer, in one class."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
import torch

from ldjcheck.classroom.standalone import WIDTH, fitted, load, standalone
from ldjcheck.classroom.zoo import ANIMALS, animal_called

if TYPE_CHECKING:
    from ldjcheck.classroom.animal import Animal

NOT_ONE_CLASS = {
    "Stretch", "StretchOnce", "StretchOneLess", "StretchedExponential",
    "StretchedExponentialInner", "WarpByModeRepeats", "Dithering", "RotationCounts",
    "RotationOne",
}  # fmt: skip


@pytest.mark.thinned(12)
@pytest.mark.parametrize("animal", ANIMALS, ids=lambda animal: animal.name)
def test_the_file_holds_the_same_layer(animal: Animal) -> None:
    written = standalone(animal.layer, "Layer", remarks=False)
    assert written.whole == (animal.name not in NOT_ONE_CLASS)
    torch.manual_seed(0)
    ours = load(written.text, "Layer")()
    torch.manual_seed(0)
    theirs = animal.layer()
    if isinstance(theirs, torch.nn.Module):
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        for name, tensor in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], tensor)


@pytest.mark.thinned(8)
@pytest.mark.parametrize("animal", ANIMALS, ids=lambda animal: animal.name)
def test_a_neutral_file_fits_and_gives_nothing_away(animal: Animal) -> None:
    text = standalone(animal.layer, "Layer", remarks=False).text
    assert max(map(len, text.splitlines())) <= 80
    assert "#" not in text
    assert '"""' not in text
    assert "ldjcheck" not in text
    if animal.name not in NOT_ONE_CLASS:
        assert animal.name not in {
            node.name for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ClassDef)
        }  # fmt: skip
        assert "super()." not in text.replace("super().__init__", "")


def test_a_case_that_is_handed_to_the_base_is_written_out() -> None:
    text = standalone(animal_called("ActNormPerChannel").layer, "Layer").layer
    assert text.endswith(
        """
    def forward(self, x, logdet, reverse=False):
        if reverse:
            height, width = x.shape[2:]
            dlogdet = self.logs.sum() * height * width
            return x * torch.exp(-self.logs) - self.bias, logdet - dlogdet
        dlogdet = self.logs.sum()
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet"""
    )


def test_only_what_is_used_is_imported() -> None:
    text = standalone(animal_called("FixedScalingUnlogged").layer).text
    assert text.startswith("import math\n\nimport numpy as np\nimport torch\n")
    text = standalone(animal_called("Scaling").layer).text
    assert text.startswith("import torch\nfrom torch import nn\n\n\nclass Scaling(")


def test_long_lines_are_broken_and_mean_the_same() -> None:
    long = "x = f(" + ", ".join(f"argument_{n}[{n}, {n}]" for n in range(20)) + ")\n"
    short = fitted(long)
    assert max(map(len, short.splitlines())) <= WIDTH
    assert ast.dump(ast.parse(short)) == ast.dump(ast.parse(long))
    string = "x = f('" + "a, " * 50 + "')\n"
    assert fitted(string) == string
