"""A source gets smaller while something stays true of it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from ldjcheck.bug_report import reduced


def prints(text: str) -> list[object]:
    """Return what a source prints."""
    printed: list[object] = []
    exec(text, {"print": printed.append})
    return printed


def smallest(text: str, wanted: list[object]) -> str:
    def keeps(candidate: str) -> bool:
        try:
            return prints(candidate) == wanted
        except Exception:  # a smaller source may lack anything
            return False

    return reduced(dedent(text), keeps)


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("a = 1\nb = 2  # why\n\nprint(a)\n", "a = 1\nprint(a)\n"),
        ('"""Doc."""\nfrom __future__ import annotations\nprint(1)\n', "print(1)\n"),
        ("if 1 < 2:\n    print(1)\nelse:\n    print(2)\n", "print(1)\n"),
        ("try:\n    x = 1\nfinally:\n    x = 2\nprint(1)\n", "print(1)\n"),
        ("for i in range(1):\n    i += 1\n    print(1)\n", "print(1)\n"),
        (
            """
            class Base:
                def used(self):
                    '''Doc.'''
                    many = 3
                    return 1

                def unused(self):
                    return 2

            class Unused:
                pass

            print(Base().used())
            """,
            """\
            class Base:

                def used(self):
                    return 1
            print(Base().used())
            """,
        ),
        (
            "for i in range(3):\n    j = i\n    if i == 1:\n        print(i)\n",
            "for i in range(3):\n    if i == 1:\n        print(i)\n",
        ),
    ],
    ids=["statement", "head", "branch", "try", "loop", "class", "a branch that tells"],
)
def test_what_is_not_needed_is_left_out(text: str, small: str) -> None:
    wanted: list[object] = [1]
    assert smallest(text, wanted) == dedent(small)


def test_no_statement_is_left_that_could_be_left_out() -> None:
    text = "\n".join([*(f"a{i} = {i}" for i in range(40)), "print(a7 + a31)"])
    assert smallest(text, [38]).splitlines() == [
        "a7 = 7",
        "a31 = 31",
        "print(a7 + a31)",
    ]


def test_each_smaller_source_is_asked_about_once() -> None:
    asked: list[str] = []

    def keeps(candidate: str) -> bool:
        asked.append(candidate)
        return "print" in candidate

    reduced("a = 1\nb = 2\nc = 3\nprint(a)\n", keeps)
    assert len(asked) == len({*asked})


@pytest.mark.parametrize("text", ["a = 1  # only a comment\n", "def broken(:\n"])
def test_what_does_not_stay_without_comments_comes_back_whole(text: str) -> None:
    assert reduced(text, lambda _: False) == text
