"""Layers that are written down with the mistake and without it, as on the pages of rules.

Besides the marks that pages have, `!` marks a line of both layers: the one to be blamed
where that is not the (first) `-` line, of a term that is missing, for instance.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ldjcheck.mistakes.catalogue.page import twin

if TYPE_CHECKING:
    from pathlib import Path

_HEADER = """\
import math
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Transform, constraints
"""
_numbers = itertools.count()


@dataclass(frozen=True)
class Written:
    """A layer in both versions, and how it is checked.

    `code` is the finding that the wrong one gets first; `Layer()` is what is built.
    """

    code: str
    title: str
    text: str
    shape: tuple[int, ...] = (5,)
    direction: str = "forward"
    domain: str | None = None
    names: str | None = None  # what the message must contain

    def lines(self, mark: Literal["-", "+"]) -> list[str]:
        body = re.sub("^!", " ", textwrap.dedent(self.text), flags=re.MULTILINE)
        return twin(body.strip("\n"), mark).splitlines()

    @property
    def blamed(self) -> str:
        """The source line to be blamed, stripped."""
        body = textwrap.dedent(self.text).strip("\n").splitlines()
        for mark in "!-":
            found = [line[1:].strip() for line in body if line.startswith(mark)]
            if found:
                return found[0]
        raise AssertionError(f"{self.title} marks no line")

    def wrong(self, folder: Path) -> Any:
        return build(self.lines("-"), folder)

    def right(self, folder: Path) -> Any:
        return build(self.lines("+"), folder)


def build(lines: list[str], folder: Path) -> Any:
    """Return `Layer()` of a module that is written to a folder and imported."""
    name = f"written_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(_HEADER + "\n".join(lines) + "\n")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.Layer()
