"""What a confined process says of mistakes is foreign: nothing of it is believed."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldjcheck.grading.confined import BrokenChannelError, read, written
from ldjcheck.grading.marking import opened
from ldjcheck.grading.records import Written, as_line, causes_in

FUNCTION = Written(
    name="Scale.ldj", file="f.py", line=6, last=7, form="",
    text="    def ldj(self, x):\n        return self.a.mean()  # mine",
)  # fmt: skip
EDIT = {"file": "f.py", "line": 7, "before": "a", "after": "b", "cell": None}
FOUND = {
    "code": "LDJ105",
    "severity": "error",
    "message": "It is averaged.",
    "direction": "forward",
    "location": {"file": "f.py", "line": 7, "cell": None, "text": "a lie"},
    "fix": {"applicability": "verified", "edits": [EDIT]},
}


def test_a_line_is_as_it_was_handed_in_whatever_is_said_of_it() -> None:
    handout = frozenset({as_line("return self.a.mean()")})
    (cause,) = causes_in([FOUND], [FUNCTION], handout)
    assert cause.place is not None
    assert cause.place.text == "return self.a.mean()  # mine"
    assert cause.place.function == "Scale.ldj"
    assert cause.place.from_handout
    assert [edit.after for edit in cause.edits] == ["b"]


def test_one_slip_both_ways_is_one_cause() -> None:
    back = {**FOUND, "direction": "inverse"}
    back["fix"] = {"applicability": "verified", "edits": [{**EDIT, "line": 9}]}
    (cause,) = causes_in([FOUND, back], [], frozenset())
    assert cause.direction is None
    assert [edit.line for edit in cause.edits] == [7, 9]


@pytest.mark.parametrize(
    "edits",
    [
        [{**EDIT, "after": "x" * 1000}],  # a whole solution is no edit of a slip
        [EDIT] * 10,
        [{**EDIT, "line": "7"}],
        [{"file": "f.py"}],
        "edits",
    ],
)
def test_what_is_no_small_edit_is_none(edits: Any) -> None:
    fix = {"applicability": "verified", "edits": edits}
    (cause,) = causes_in([{**FOUND, "fix": fix}], [], frozenset())
    assert cause.edits == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["code", "severity", "location", "fix", "edits", "line", "file"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(json_values)
def test_nonsense_never_raises(value: Any) -> None:
    causes_in(value, [FUNCTION], frozenset())
    causes_in([value], [FUNCTION], frozenset())
    causes_in(
        [{**FOUND, "location": value, "fix": value, "message": value}], [], frozenset()
    )
    with contextlib.suppress(BrokenChannelError):
        opened(value)


@settings(max_examples=40, deadline=None)
@given(json_values)
def test_a_message_comes_back_as_it_was_sent(value: Any) -> None:
    assert repr(read("word", written("word", value))) == repr(value)


@pytest.mark.parametrize(
    "line",
    [b"", b"{}\n", b"other {}\n", b"word {\n", b"word 1", b"word " + b"[" * 9**6],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(BrokenChannelError):
        read("word", line)
