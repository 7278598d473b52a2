from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from ldjcheck.cli import param_types as types
from ldjcheck.records import Context, Domain

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (types.SHAPE, "4", (None, (4,))),
        (types.SHAPE, "1,4,4", (None, (1, 4, 4))),
        (types.SHAPE, "(1, 4, 4)", (None, (1, 4, 4))),
        (types.SHAPE, "(4,)", (None, (4,))),
        (types.SHAPE, "()", (None, ())),
        (types.SHAPE, "x=1,4,4", ("x", (1, 4, 4))),
        (types.CONTEXT, "context=5", Context("context", (5,))),
        (types.CONTEXT, "t=4:unit", Context("t", (4,), Domain(kind="unit"))),
        (types.KWARG, "scale=2.0", ("scale", "2.0")),
        (types.KWARG, "f=lambda x: x == 1", ("f", "lambda x: x == 1")),
        (types.DOMAIN, "auto", None),
        (types.DOMAIN, "unit", Domain(kind="unit")),
        (types.DOMAIN, "int:0:255", Domain(kind="int", low=0, high=255)),
        (types.DOMAIN, "interval:-1:1", Domain(kind="interval", low=-1, high=1)),
        (types.TOLERANCE, "0", 0.0),
        (types.TOLERANCE, "1e-9", 1e-9),
        (types.POSITIVE, "2.5", 2.5),
        (types.CONVENTION, "auto", "auto"),
        (types.CONVENTION, "accumulator", "accumulator"),
    ],
)
def test_text_becomes_a_value(kind: types.Text, text: str, value: Any) -> None:
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (types.SHAPE, "1,x", "an event shape such as 1,4,4"),
        (types.SHAPE, "1,0", "an event shape"),
        (types.SHAPE, "1,,4", "an event shape"),
        (types.SHAPE, "", "an event shape"),
        (types.SHAPE, "2x=3", "'2x' is no name"),
        (types.CONTEXT, "5", "NAME=SHAPE, such as context=5"),
        (types.KWARG, "scale", "NAME=EXPR"),
        (types.KWARG, "scale=1 +", "'1 +' is no expression"),
        (types.KWARG, "a b=1", "'a b' is no name"),
        (types.DOMAIN, "untit", "real, unit, positive, int:LOW:HIGH"),
        (types.DOMAIN, "int:5:1", "int:LOW:HIGH"),
        (types.TOLERANCE, "inf", "a finite number of at least 0"),
        (types.TOLERANCE, "nan", "a finite number of at least 0"),
        (types.TOLERANCE, "-1", "a finite number of at least 0"),
        (types.POSITIVE, "0", "a finite number above 0"),
        (types.POSITIVE, "soon", "a finite number above 0"),
        (types.CONVENTION, "accumulater", "did you mean accumulator?"),
        (types.CONVENTION, "x", "known are auto, "),
        (types.FORMAT, "jsn", "did you mean json?"),
        (types.FORMAT, "json=nowhere/x.json", "no file 'nowhere/x.json' can be"),
        (types.FORMAT, "json=", "no file '' can be written"),
    ],
)
def test_a_wrong_text_is_told_what_was_expected(
    kind: types.Text, text: str, told: str
) -> None:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert(text, None, None)
    assert repr(text) in caught.value.message
    assert told in caught.value.message


def test_a_format_may_have_a_file(tmp_path: Path) -> None:
    found, path = types.FORMAT.convert(f"json={tmp_path}/out.json", None, None)
    assert (found.name, path) == ("json", tmp_path / "out.json")
    found, path = types.FORMAT.convert("text", None, None)
    assert (found.name, path) == ("text", None)
