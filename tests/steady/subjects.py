"""All that is checked: the zoo, the field's tables, whole flows, and their wrong twins."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from .subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .subject import Whole


AT_A_HAIR = frozenset({"normflows: residual"})
"""Wrong by so little, 2e-4 where 1e-4 is allowed, that other builds are not proved wrong."""


@cache
def subjects() -> dict[str, Subject]:
    """Return everything under its id, in the order of the page."""
    made = [*_animals(), *_layers(), *_flows(), *_twins()]
    return {subject.id: subject for subject in made}


def _animals() -> Iterator[Subject]:
    from ldjcheck.classroom.zoo import right_ones, wrong_ones

    for animal in (*right_ones(), *wrong_ones()):
        yield Subject(
            group="zoo",
            name=f"{animal.code or 'right'}, {animal.family}, {animal.name}",
            build=animal.layer,
            options={"shape": animal.shape, **dict(animal.options)},
            code=animal.yet or animal.code,
            ties=animal.ties,
        )


def _layers() -> Iterator[Subject]:
    from field.tables import LAYERS

    for name, entry in LAYERS.items():
        if name in AT_A_HAIR:
            continue
        yield Subject(
            group="field",
            name=name,
            build=entry.build,
            options=entry.flags,
            code=entry.known,
        )


def _flows() -> Iterator[Subject]:
    for name, whole in _wholes():
        yield Subject(
            group="flows", name=name, build=whole.build, options=whole.options
        )


def _twins() -> Iterator[Subject]:
    for name, whole in _wholes():
        yield Subject(
            group="twins",
            name=name,
            build=partial(_twin, whole),
            options=whole.options,
            code=whole.code,
            place=whole.place,
        )


def _twin(whole: Whole) -> Any:
    return whole.build(whole.wrong())


def _wholes() -> list[tuple[str, Whole]]:
    from . import (
        of_flowtorch,
        of_freia,
        of_nflows,
        of_normflows,
        of_pyro,
        of_torch,
        of_torchflows,
        of_zuko,
    )

    tables = {
        "zuko": of_zuko,
        "nflows": of_nflows,
        "FrEIA": of_freia,
        "normflows": of_normflows,
        "torchflows": of_torchflows,
        "pyro": of_pyro,
        "flowtorch": of_flowtorch,
        "torch": of_torch,
    }
    return [
        (f"{library}, {name}", whole)
        for library, table in tables.items()
        for name, whole in table.FLOWS.items()
    ]
