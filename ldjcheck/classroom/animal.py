"""What is known about one layer of the zoo, before anything is run."""

from __future__ import annotations

import ast
import linecache
import re
import sys
import types
from dataclasses import dataclass
from typing import Any

from ldjcheck.records import Direction, Shape

_IMPORTS = {
    "math": "import math\n",  # what is not installed stands apart
    "np": "import numpy as np",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "nn": "from torch import nn",
    "constraints": "from torch.distributions import Transform, constraints",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Animal:
    """A layer that is built without arguments, and what a check must say about it.

    `source` is its class, with what that needs above it; `what` says in one line what the
    layer does, or gets wrong.
    `code` is the first finding that a wrong layer gets, None for a right one; where the
    page of that rule admits another name for the same numbers, it is among `ties`.
    `yet` is the name that it still gets where that is not the right one.
    `beside` are findings that must stand beside the first, `admits` notes that may. `near`
    is, of a right layer, the rule whose mistake it looks like; `twin`, of a wrong one, the
    same layer without the mistake.
    """

    name: str
    what: str
    source: str
    code: str | None = None
    direction: Direction | None = None
    near: str | None = None
    twin: Animal | None = None
    ties: tuple[str, ...] = ()
    yet: str | None = None
    beside: tuple[str, ...] = ()
    admits: tuple[str, ...] = ()
    shape: Shape | None = None
    options: tuple[tuple[str, Any], ...] = ()
    family: str = ""

    def layer(self) -> Any:
        """Return a new layer."""
        return load(self.file(), self.name, f"{self.name}.py")()

    def file(self, name: str | None = None) -> str:
        """Return the text of a file of its own, under its own name or another."""
        source = re.sub(rf"\b{self.name}\b", name or self.name, self.source)
        used = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
        imports = [line for known, line in _IMPORTS.items() if known in used]
        return "\n".join([*imports, "", "", source, ""])

    @property
    def first(self) -> int:
        """The line of its file in which its class begins, or a base that it extends."""
        return self._kin[-1].lineno

    @property
    def whole(self) -> bool:
        """Whether it is one class; else its base stands before it."""
        return len(self._kin) == 1

    @property
    def _kin(self) -> list[ast.ClassDef]:
        """Its class, and those of its file that this extends."""
        body = ast.parse(self.file()).body
        classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
        kin = [classes[self.name]]
        while (base := ast.unparse(kin[-1].bases[0])) in classes:
            kin.append(classes[base])
        return kin


def load(text: str, name: str, file: str = "layer.py") -> Any:
    """Return what a file's text calls `name`, without a file.

    Python is given the lines, for tracebacks and for whoever asks for the source.
    """
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module = types.ModuleType(f"{file} of a lesson")  # it hides none of the user's
    module.__file__ = file
    sys.modules[module.__name__] = module  # where a class is looked for
    exec(compile(text, file, "exec"), vars(module))
    return getattr(module, name)
