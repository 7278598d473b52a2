"""Each layer and flow gets the verdict that it should, whichever build of it is checked.

`python -m tests.steady` checks ten builds of each and prints them; here each is built
once, under one seed after the other.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("field.tables", reason="the libraries are not installed")

from .measuring import BUILDS, check_seed, measure
from .page import problems, told
from .subject import GROUPS
from .subjects import subjects

SUBJECTS = subjects()


def pairs_of(*groups: str, first: int = 0) -> dict[str, Any]:
    """Return the subjects of some groups, each with one seed of ten, from `first` on.

    From there on, those that run by default are cheap.
    """
    own = [id_ for id_, subject in SUBJECTS.items() if subject.group in groups]
    pairs = [(id_, BUILDS[n % len(BUILDS)]) for n, id_ in enumerate(own)]
    pairs = pairs[first:] + pairs[:first]
    return {"argvalues": pairs, "ids": [f"{id_}, seed {seed}" for id_, seed in pairs]}


def comes_out_as_it_should(id_: str, seed: int) -> None:
    row = measure(id_, seed)
    assert not problems(row), told(row)


@pytest.mark.thinned(273)
@pytest.mark.parametrize(("id_", "seed"), **pairs_of("zoo", "field"))
def test_a_layer_is_judged_as_it_is_known_to_be(id_: str, seed: int) -> None:
    comes_out_as_it_should(id_, seed)


@pytest.mark.slow
@pytest.mark.parametrize(("id_", "seed"), **pairs_of("flows", first=8))
def test_a_whole_flow_passes(id_: str, seed: int) -> None:
    comes_out_as_it_should(id_, seed)


@pytest.mark.slow
@pytest.mark.parametrize(("id_", "seed"), **pairs_of("twins", first=20))
def test_a_planted_mistake_is_named_at_its_line(id_: str, seed: int) -> None:
    comes_out_as_it_should(id_, seed)


def test_it_is_as_wide_as_it_claims_to_be() -> None:
    flows = [s for s in SUBJECTS.values() if s.group == "flows"]
    twins = [s for s in SUBJECTS.values() if s.group == "twins"]
    assert len(flows) >= 40
    assert len({flow.name.partition(",")[0] for flow in flows}) >= 6
    assert [twin.name for twin in twins] == [flow.name for flow in flows]
    assert len({twin.code for twin in twins}) >= 8
    assert {subject.group for subject in SUBJECTS.values()} == set(GROUPS)
    assert {check_seed(seed) for seed in BUILDS}.isdisjoint(BUILDS)
