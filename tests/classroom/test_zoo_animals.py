"""A layer of the zoo as a file of its own: one class, under its own name or a neutral one."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from ldjcheck.classroom.zoo import ANIMALS, animal_called

if TYPE_CHECKING:
    from ldjcheck.classroom.zoo import Animal

NOT_ONE_CLASS = {
    "Stretch", "StretchOnce", "StretchOneLess", "StretchedExponential",
    "StretchedExponentialInner", "WarpByModeRepeats", "Dithering", "RotationCounts",
    "RotationOne",
}  # fmt: skip


@pytest.mark.thinned(4)
@pytest.mark.parametrize("animal", ANIMALS, ids=lambda animal: animal.name)
def test_a_neutral_file_fits_and_gives_nothing_away(animal: Animal) -> None:
    text = animal.file("Layer")
    assert max(map(len, text.splitlines())) <= 80
    assert "#" not in text
    assert '"""' not in text
    assert "ldjcheck" not in text
    assert animal.whole == (animal.name not in NOT_ONE_CLASS)
    assert animal.name not in {
        node.name for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
    }  # fmt: skip
    if animal.whole:
        assert "super()." not in text.replace("super().__init__", "")


@pytest.mark.thinned(4)
@pytest.mark.parametrize("animal", ANIMALS, ids=lambda animal: animal.name)
def test_a_wrong_layer_is_its_twin_but_for_some_lines(animal: Animal) -> None:
    if animal.twin is not None and not animal.options:
        assert animal.file("Layer") != animal.twin.file("Layer")
        assert animal.family == animal.twin.family


def test_the_lines_of_a_wrong_layer_stand_in_the_place_of_its_twin_s() -> None:
    text = animal_called("ActNormPerChannel").file("Layer")
    assert text.endswith(
        """
    def forward(self, x, logdet, reverse=False):
        if reverse:
            height, width = x.shape[2:]
            dlogdet = self.logs.sum() * height * width
            return x * torch.exp(-self.logs) - self.bias, logdet - dlogdet
        dlogdet = self.logs.sum()
        return (x + self.bias) * torch.exp(self.logs), logdet + dlogdet
"""
    )


def test_only_what_is_used_is_imported() -> None:
    text = animal_called("FixedScalingUnlogged").file()
    assert text.startswith("import math\n\nimport numpy as np\nimport torch\n")
    text = animal_called("Scaling").file()
    assert text.startswith("import torch\nfrom torch import nn\n\n\nclass Scaling(")
