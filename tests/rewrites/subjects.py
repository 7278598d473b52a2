"""What is rewritten: the zoo, the layers of the pages, and the examples."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistakes.diagnosis.mistakes import MISTAKES
from mistakes.diagnosis.written import _HEADER

from ldjcheck.classroom.zoo import ANIMALS
from ldjcheck.mistakes import RULES

from .layers import HEADER, LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
TARGETS = {
    "actnorm": ("ActNorm", {"shape": (3, 4, 4)}),
    "convolution": ("InvertibleConvolution", {"shape": (3, 4, 4)}),
    "dequantization": ("Dequantization", {}),
    "dequantization_mistakes": ("NoDimsFactor", {}),
    "transforms": ("Increasing", {}),
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A file, what of it is built without arguments, and what the check of it is told.

    Each simple statement of `text` is one line, and there are no comments.
    """

    name: str
    text: str
    target: str
    options: dict[str, Any] = field(default_factory=dict)


@cache
def subjects() -> tuple[Subject, ...]:
    """Return all of them, in one order."""
    return (*_animals(), *_pages(), *_examples(), *_twins(), *_layers())


def _plain(text: str) -> str:
    return ast.unparse(ast.parse(text)) + "\n"


def _animals() -> Iterator[Subject]:
    for number, animal in enumerate(ANIMALS):
        yield Subject(
            name=f"zoo {number} {animal.name}",
            text=_plain(animal.file()),
            target=animal.name,
            options={"shape": animal.shape, **dict(animal.options)},
        )


def _pages() -> Iterator[Subject]:
    for rule in RULES:
        for which in ("wrong", "right"):
            if source := getattr(rule.page, which):
                yield Subject(
                    name=f"page {rule.name} {which}",
                    text=_plain(source),
                    target=re.findall(r"^class (\w+)", source, re.MULTILINE)[-1],
                    options={"shape": rule.page.shape},
                )


def _examples() -> Iterator[Subject]:
    for file, (target, options) in TARGETS.items():
        source = (EXAMPLES / f"{file}.py").read_text(encoding="utf-8")
        yield Subject(
            name=f"example {file}", text=_plain(source), target=target, options=options
        )


def _twins() -> Iterator[Subject]:
    for written in MISTAKES:
        for mark in ("-", "+"):
            yield Subject(
                name=f"twin {mark} {written.title}",
                text=_plain(_HEADER + "\n".join(written.lines(mark))),
                target="Layer",
                options={"shape": written.shape, "domain": written.domain},
            )


def _layers() -> Iterator[Subject]:
    for name, (shape, right, (old, new)) in LAYERS.items():
        assert right.count(old), name
        for which, text in (("right", right), ("wrong", right.replace(old, new))):
            yield Subject(
                name=f"layer {which}, {name}",
                text=_plain(HEADER + text),
                target="Layer",
                options={"shape": shape},
            )
