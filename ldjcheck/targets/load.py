"""From a target to a layer: run its source, evaluate its expression, build."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Layer, Shape
from ldjcheck.records.asked import Target
from ldjcheck.targets.build import build
from ldjcheck.targets.discovery import Survey, survey
from ldjcheck.targets.expression import evaluate, typed_sizes
from ldjcheck.targets.sources import (
    Source,
    SourceKind,
    file,
    likely_layers,
    module,
    notebook,
    script,
)

SOURCE_KINDS: tuple[SourceKind, ...] = (
    script.KIND,
    file.KIND,
    notebook.KIND,
    module.KIND,
)
"""Every kind of source, in the order of asking."""


def seed_all(seed: int) -> None:
    """Start all random generators at the same point in every run."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def load_layer(target: Target, source: Source | None = None) -> Layer:
    """Return the layer that the target names, its expression evaluated exactly once.

    `source` is the target's source where it has been loaded already.

    Raises:
        CannotCheckError: LDJ001 to LDJ005 and LDJ007, with what to type next.
    """
    source = source or load_source(target)
    if target.expr is None:
        raise _which(source)
    expr = target.expr

    def built(expr: str = expr) -> tuple[Any, str]:
        with _as_a_script(source.name):
            return build(evaluate(expr, source), expr, source)

    def resized(reads: Callable[..., str], others: Shape) -> Any:
        return built(reads(others))[0]

    try:
        obj, name = built()
    except CannotCheckError as error:
        error.evidence += source.notes + _what_to_give(error, source)
        raise
    return Layer(
        target=target.text,
        name=name,
        obj=obj,
        rebuild=lambda: built()[0],
        inferred=(("source", " ".join(source.notes)),) if source.notes else (),
        written=repr(target.text),
        typed=tuple(
            (sizes, partial(resized, reads)) for sizes, reads in typed_sizes(expr)
        ),
    )


def find_layers(source: str) -> Survey:
    """Return what in a source may be a flow layer, and what is none; it is run for that.

    Raises:
        CannotCheckError: LDJ001, when it is missing, raises, or is of no known kind.
    """
    with _as_a_script(source):
        return survey(kind_of(source).explore(source))


def load_source(target: Target, others: Sequence[str] = ()) -> Source:
    """Return the target's source after running it.

    `others` are further expressions that will be evaluated in its names.

    Raises:
        CannotCheckError: LDJ001, when it is missing, raises, or is of no known kind.
    """
    wanted = [] if target.expr is None else [target.expr]
    with _as_a_script(target.source):
        return kind_of(target.source).load(target.source, [*wanted, *others])


@contextmanager
def _as_a_script(source: str) -> Iterator[None]:
    """Let a source find what `PYTORCH_JIT=0 python flows.py` leaves it.

    No arguments, and functions that are Python: what TorchScript compiles does the same,
    and hides in which line.
    """
    import torch

    ours, sys.argv = sys.argv, [source]
    scripting = torch.jit._state._enabled  # what the variable sets, which is read once
    was_on, scripting.enabled = scripting.enabled, False
    try:
        yield
    finally:
        sys.argv, scripting.enabled = ours, was_on


def kind_of(source: str) -> SourceKind:
    """Return what kind of source a name is one of; nothing is run.

    Raises:
        CannotCheckError: LDJ001, when it is of no known kind.
    """
    for kind in SOURCE_KINDS:
        if kind.accepts(source):
            return kind
    raise CannotCheckError(
        "LDJ001",
        f"{source} is neither a Python file, a notebook nor a module.",
        (
            "Put the layer into a .py file, or name a module that can be imported:",
            "  ldjcheck path/to/file.py:Layer",
            "  ldjcheck path/to/notebook.ipynb:Layer",
            "  ldjcheck package.module:Layer",
        ),
    )


def _what_to_give(error: CannotCheckError, source: Source) -> tuple[str, ...]:
    """Return how to give what the layer needs, and only a statement that is not run has."""
    absent = re.search(r"NameError: name '(\w+)' is not defined", error.message)
    if absent is None or absent[1] not in source.known or not source.notes:
        return ()
    end = "line of the file" if source.file else "cell of the notebook"
    return (
        f"Give {absent[1]} in a last {end}, and I need no more:",
        f"  {absent[1]} = ...",
    )


def _which(source: Source) -> CannotCheckError:
    names = likely_layers(source)
    return CannotCheckError(
        "LDJ002",
        f"No layer of {source.name} is named.",
        (
            "Type one of its names, or any expression in them:",
            *(f"  ldjcheck {source.name}:{name}" for name in names or ["NAME"]),
        ),
    )
