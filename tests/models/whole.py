"""A whole model as a text, its wrong twins, and how their files are written and built."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from rewrites.loading import loaded
from torch import nn

ZOO = Path(__file__).parent / "zoo"


@dataclass(frozen=True, slots=True)
class Twin:
    """One mistake: a place in the text that stands there once, and what replaces it.

    `codes` are what may name it, the best first. `line` is a part of the line that a
    teacher points at, where that is not one of those that were changed.
    """

    mistake: str
    before: str
    after: str
    codes: tuple[str, ...]
    line: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """A right model: a file of the zoo, an expression there, and how it is checked.

    `off` is the independent check: how far a built model is off, in nats, at most. What is
    less than `close` is right, and what is more is wrong.
    """

    file: str
    target: str
    off: Callable[[Any], float]
    twins: tuple[Twin, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    close: float = 1e-6

    @property
    def name(self) -> str:
        return f"{self.file}:{self.target}"

    @property
    def text(self) -> str:
        return (ZOO / f"{self.file}.py").read_text(encoding="utf-8")

    def rows(self) -> list[Row]:
        """Return the right model, and its twins."""
        return [Row(self, None), *(Row(self, twin) for twin in self.twins)]


@dataclass(frozen=True, slots=True)
class Row:
    """A model to check: a right one, or one of its twins."""

    whole: Whole
    twin: Twin | None

    @property
    def id(self) -> str:
        return f"{self.whole.name}: {self.twin.mistake if self.twin else 'right'}"

    @property
    def number(self) -> int:
        """0 for a right model, and the place of a twin among its model's."""
        return 0 if self.twin is None else 1 + self.whole.twins.index(self.twin)

    @property
    def text(self) -> str:
        """The source that is checked."""
        text = self.whole.text
        if self.twin is None:
            return text
        assert text.count(self.twin.before) == 1, (self.id, self.twin.before)
        return text.replace(self.twin.before, self.twin.after)

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines of the text that a teacher would point at."""
        twin = self.twin
        if twin is None:
            return ()
        wrong = self.text.splitlines()
        if twin.line:
            return tuple(n for n, line in enumerate(wrong, 1) if twin.line in line)
        right = self.whole.text.splitlines()
        blocks = difflib.SequenceMatcher(None, right, wrong, autojunk=False)
        return tuple(
            n
            for tag, _, _, first, last in blocks.get_opcodes()
            if tag in ("replace", "insert")
            for n in range(first + 1, last + 1)
        )

    def written(self, folder: Path) -> Path:
        """Write the text to a file of its own in a folder, and return that."""
        file = folder / self.whole.file / f"{self.whole.file}.py"
        number = 0
        while file.exists():
            number += 1
            file = folder / f"{self.whole.file}_{number}" / f"{self.whole.file}.py"
        file.parent.mkdir(parents=True)
        file.write_text(self.text, encoding="utf-8")
        return file

    def off(self, text: str, folder: Path) -> float:
        """Return by how many nats a text of this model is off, under three seeds."""
        module = loaded(text, folder)
        return max(
            self.whole.off(built(module, self.whole.target, s)) for s in range(3)
        )


def built(module: ModuleType, target: str, seed: int) -> Any:
    """Return a model in double precision whose parameters were moved."""
    torch.manual_seed(seed)
    model = eval(target, vars(module))
    if isinstance(model, nn.Module):
        model.double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
    return model
