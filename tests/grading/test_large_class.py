"""A submission of each kind: every grade as planned, however they are graded.

`class_of_200` grades the whole class.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grading.class_of_200 import (
    Class,
    Traps,
    grade_and_kill,
    grade_otherwise,
    kinds,
    made,
    off,
    results,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="confines by Linux"
    ),
]

COUNT = len(kinds(Traps(Path("secret"), Path("mark"))))


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """Grade a class, killed on the way and resumed; that it reached no trap is seen last."""
    with made(tmp_path_factory.mktemp("large"), COUNT) as found:
        done, again = grade_and_kill(found)
        assert done >= COUNT // 10
        assert again == {}, "what was graded before the kill is not graded again"
        yield found


def test_every_grade_is_as_planned(graded: Class) -> None:
    assert set(results(graded.folder, "grades")) == set(graded.planned)
    assert off(graded, "grades") == {}


@pytest.mark.parametrize("how", ["-j 1", "dask"])
def test_the_same_comes_out_however_it_is_graded(graded: Class, how: str) -> None:
    if how == "dask":
        pytest.importorskip("distributed")
    some = [n for n, kind in graded.planned.items() if not kind.is_slow][::4]
    whole, part = results(graded.folder, "grades"), grade_otherwise(graded, how, some)
    assert set(part) == set(some)
    assert {name: whole[name] for name in part} == part
