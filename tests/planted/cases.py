"""All right layers: third-party ones and the project's own examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .layers import examples, freia, nflows, normflows, torch_, zuko

if TYPE_CHECKING:
    from .case import Case

CASES: tuple[Case, ...] = (
    *nflows.layers(),
    *normflows.layers(),
    *freia.layers(),
    *zuko.layers(),
    *torch_.layers(),
    *examples.layers(),
)
LIBRARIES: tuple[str, ...] = (
    "nflows",
    "normflows",
    "FrEIA",
    "zuko",
    "torch",
    "examples",
)


def case_by_id(case_id: str) -> Case:
    """Return the case of that name."""
    return next(case for case in CASES if case.id == case_id)
