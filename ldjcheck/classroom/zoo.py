"""The zoo: all layers whose mistakes, or innocence, are known before anything is run.

A family is a text in `animals/`. A right layer is a class there, and a wrong one what it has
in the place of lines of its twin: `-` stands before its own, `+` before those of the twin, a
space before lines that only tell where, and `@@` between two places.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ldjcheck.classroom import parts
from ldjcheck.mistakes import RULES
from ldjcheck.mistakes.catalogue.page import twin
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


def _family(texts: Iterable[str]) -> Iterator[Animal]:
    """Yield the layers of a family, whose own heading stands first.

    The twin of a wrong one that tells none is the right one above it.
    """
    common, *entries = map(_read, texts)
    right: dict[str, Animal] = {}
    above = None
    for facts in entries:
        is_wrong = "code" in facts
        named = facts.pop("twin", None)
        base = right[named] if named else above if is_wrong else None
        facts |= {"family": common["name"]}
        facts.setdefault("shape", base.shape if base else common["shape"])
        if base is not None:
            facts["source"] = _written(facts["name"], facts["source"], base)
        if is_wrong:
            yield Animal(**{"twin": base, "direction": "forward", **facts})
        else:
            above = right[facts["name"]] = Animal(**facts)
            yield above


def _read(entry: str) -> dict[str, Any]:
    """Return what an entry says of a layer, by the names that `Animal` has for it.

    Its heading is `## NAME FACT=VALUE...: what it does`. A fact is a field of `Animal`, the
    direction `any` where both will do, or else an option of the check.
    """
    heading, _, source = entry.partition("\n")
    told, _, what = heading.partition(": ")
    words = told.lstrip("# ").split()
    name = " ".join(word for word in words if "=" not in word)
    facts: dict[str, Any] = {"name": name, "what": what, "source": source.strip("\n")}
    for key, value in (word.split("=") for word in words if "=" in word):
        if key == "shape":
            facts[key] = tuple(map(int, value.split(",")))
        elif key in ("ties", "beside", "admits"):
            facts[key] = tuple(value.split(","))
        elif key == "direction":
            facts[key] = None if value == "any" else value
        elif key in Animal.__slots__:
            facts[key] = value
        else:
            facts["options"] = (*facts.get("options", ()), (key, value))
    return facts


def _written(name: str, source: str, base: Animal) -> str:
    """Return the class of a layer that is written against another: as a diff, or after it."""
    if source.startswith(f"class {name}({base.name})"):
        return f"{base.source}\n\n\n{source}"
    if source.startswith("class"):
        return source
    text = re.sub(rf"\b{base.name}\b", name, f"\n{base.source}\n")
    for hunk in source.split("\n@@\n"):
        before, after = (f"\n{twin(hunk, mark)}\n" for mark in ("+", "-"))
        assert text.count(before) == 1, (name, hunk)
        text = text.replace(before, after)
    return text.strip("\n")


FAMILIES: tuple[tuple[Animal, ...], ...] = tuple(
    tuple(_family(parts(f"animals/{file.name}", "## ")))
    for file in sorted((files(__package__) / "animals").iterdir(), key=str)
    if file.name.endswith(".txt")
)

ANIMALS: tuple[Animal, ...] = tuple(animal for kin in FAMILIES for animal in kin)


def wrong_ones() -> tuple[Animal, ...]:
    """Return the layers with a mistake that a rule is about, family by family."""
    known = {rule.code for rule in RULES}
    return tuple(animal for animal in ANIMALS if animal.code in known)


def right_ones() -> tuple[Animal, ...]:
    """Return the layers without one."""
    known = {rule.code for rule in RULES}
    return tuple(
        animal
        for animal in ANIMALS
        if animal.code is None and (animal.near is None or animal.near in known)
    )


def animal_called(name: str) -> Animal:
    """Return the wrong layer of this name, or else the right one."""
    found = [animal for animal in ANIMALS if animal.name == name]
    return max(found, key=lambda animal: animal.code is not None)
