"""The zoo: all layers whose mistakes, or innocence, are known.

A family is a text in `animals/`. A right layer is a class there, and a wrong one what it has
in the place of lines of its twin: `-` stands before its own, `+` before those of the twin, a
space before lines that only tell where, and `@@` between two places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any

from ldjcheck.classroom.animal import Animal
from ldjcheck.classroom.texts import parts
from ldjcheck.mistakes import RULES
from ldjcheck.mistakes.catalogue.twins import twin


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
