"""The page about the architecture, held against the code that it is about."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

import architecture_drawing as drawing  # noqa: E402  # it stands beside the page

STALE = "draw it again: python docs/architecture_drawing.py"


@pytest.mark.slow
def test_the_picture_shows_the_rooms_as_they_stand() -> None:
    of = drawing.rooms()
    assert drawing.PICTURE.read_text(encoding="utf-8") == drawing.picture(of), STALE


@pytest.mark.slow
def test_the_table_names_every_room_and_what_it_imports() -> None:
    of = drawing.rooms()
    assert drawing.TABLE.read_text(encoding="utf-8") == drawing.table(of), STALE


@pytest.mark.slow
def test_every_room_stands_above_all_that_it_imports() -> None:
    of = drawing.rooms()
    floor = {room: i for i, rooms in enumerate(drawing.floors(of)) for room in rooms}
    assert all(floor[room] > floor[below] for room in of for below in of[room])


def test_rooms_that_import_one_another_have_no_floor() -> None:
    with pytest.raises(ValueError, match="a circle among"):
        drawing.floors({"a": {"b"}, "b": {"c"}, "c": {"b"}})


def test_an_import_that_others_imply_is_not_drawn() -> None:
    of = {"top": {"middle", "ground"}, "middle": {"ground"}, "ground": set()}
    assert set(drawing.needed(of)) == {("top", "middle"), ("middle", "ground")}
