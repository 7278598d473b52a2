"""The layers of the zoo in which `ldjcheck selftest` plants, one of each convention."""

from __future__ import annotations

from dataclasses import replace

from ldjcheck.classroom.judging import built
from ldjcheck.classroom.selftest import Selftest, plant_all
from ldjcheck.classroom.zoo import animal_called
from ldjcheck.records import Layer, Options

BUNDLED: tuple[str, ...] = (
    "Scaling",
    "SequenceNorm",
    "ChunkCoupling",
    "GlowBlock",
    "LearnedKnees",
)


def bundled_tests(options: Options) -> list[Selftest]:
    """Return the selftests of all bundled layers."""
    tests = []
    for name in BUNDLED:
        animal = animal_called(name)
        layer = Layer(target=name, name=f"{name}()", obj=built(animal.layer))
        shape = ((None, animal.shape or ()),)
        tests.append(plant_all(layer, replace(options, shape=shape)))
    return tests
