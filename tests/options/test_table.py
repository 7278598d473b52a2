"""The table of options: what Python spells out for editors is what the table says."""

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_args

import pytest

import ldjcheck
from ldjcheck.options.project import keywords_of
from ldjcheck.options.table import KEYWORDS, OF_TESTS, OPTIONS, TYPED, Takes
from ldjcheck.records import Options
from ldjcheck.testing.assertion import CheckKeywords

SPELLED = {
    "check": inspect.get_annotations(ldjcheck.check),
    "derive": inspect.get_annotations(ldjcheck.derive),
    "assert_ldj": inspect.get_annotations(ldjcheck.assert_ldj),
    "keywords that are handed on": {
        name: each.__forward_arg__
        for name, each in CheckKeywords.__annotations__.items()
    },
}
WORDS = [
    pytest.param(spelled[option.name], option.choices, id=f"{where}-{option.name}")
    for where, spelled in SPELLED.items()
    for option in OPTIONS
    if option.takes == "word" and option.name in spelled
]


def literals(annotation: str) -> tuple[str, ...]:
    return tuple(map(ast.literal_eval, re.findall(r"\"[^\"]+\"|'[^']+'", annotation)))


@pytest.mark.parametrize(("spelled", "choices"), WORDS)
def test_editors_offer_the_words_that_an_option_takes(
    spelled: str, choices: tuple[str, ...]
) -> None:
    assert literals(spelled) == choices


@pytest.mark.parametrize("function", [ldjcheck.check, ldjcheck.assert_ldj])
def test_a_check_takes_what_the_table_says(function: Callable[..., Any]) -> None:
    taken = inspect.signature(function).parameters.keys()
    assert taken - {"layer", "allow_unproven"} == KEYWORDS.keys()


def test_a_check_knows_no_option_beside_the_table() -> None:
    assert {each.name for each in fields(Options)} <= KEYWORDS.keys()
    assert {option.takes for option in OPTIONS} == set(get_args(Takes))


def test_what_is_typed_has_help() -> None:
    assert all(option.help.endswith(".") for option in TYPED)


def test_a_project_may_set_whatever_is_typed_and_its_tests_what_concerns_them() -> None:
    table = {option.typed: 1 for option in TYPED if option.name not in OF_TESTS}
    assert keywords_of({**table, "batch": 2, "dims-limit": 9}) == {
        "batch": 2,
        "dims_limit": 9,
    }
    with pytest.raises(ValueError, match="ledger: there is no such setting"):
        keywords_of({"ledger": True})  # it is a keyword of Python alone
