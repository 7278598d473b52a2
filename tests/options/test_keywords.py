"""What is said of options in Python: by their keywords."""

from __future__ import annotations

import pytest

from ldjcheck.options.keywords import in_python


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("of one sample? --shape 1,4,4", "of one sample? shape=(1, 4, 4)"),
        ("--shape 5, or --timeout 120.", "shape=5, or timeout=120."),
        ("--context cond=4", "context={'cond': 4}"),
        ("--context 'y=():int:0:9'", "context={'y': '():int:0:9'}"),
        ("--kwarg flag=True", "kwarg={'flag': True}"),
        ("--convention 'f(x) -> y, -ldj'", "convention='f(x) -> y, -ldj'"),
        ("drop --params as-is: then", "drop params='as-is': then"),
        ("say so with --domain, or", "say so with domain=, or"),
        ("--weights FILE, or --weights alone", "weights=FILE, or weights= alone"),
        ("only --shape names one", "only shape= names one"),
        ("--fix and a--shape stay", "--fix and a--shape stay"),
        ("  ldjcheck 'F.py:A' --shape 4", "  ldjcheck 'F.py:A' --shape 4"),
    ],
)
def test_an_option_becomes_its_keyword(typed: str, meant: str) -> None:
    assert in_python(typed) == meant
