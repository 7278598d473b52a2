"""`ldjcheck.assert_ldj`: what it lets pass, what it raises, and what that carries."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import torch
from small_layers import Affine, Coupling, Pair

import ldjcheck
from ldjcheck.records import Options
from ldjcheck.testing.assertion import CheckKeywords

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Flipped(Coupling):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, -ldj


def identity(x: Tensor) -> Pair:
    return x, torch.zeros(len(x))


def cannot(x: Tensor) -> Pair:
    raise ValueError("not today")


def test_a_right_layer_passes_and_its_report_comes_back() -> None:
    report = ldjcheck.assert_ldj(Affine(), shape=(4,))
    assert report.status == "pass"


@pytest.mark.slow
def test_a_mistake_is_an_assertion_error_that_carries_the_report() -> None:
    with pytest.raises(ldjcheck.LdjMismatch) as caught:
        ldjcheck.assert_ldj(Flipped(), shape=(4,))
    assert isinstance(caught.value, AssertionError)
    assert not isinstance(caught.value, ldjcheck.LdjUnproven)
    assert caught.value.report.findings[0].name == "sign-flipped"
    assert str(caught.value).startswith("LDJ104 sign-flipped\n")


def test_what_proves_nothing_does_not_pass_unless_a_reason_is_given() -> None:
    with pytest.raises(ldjcheck.LdjUnproven, match="LDJ401 vacuous-check"):
        ldjcheck.assert_ldj(identity, shape=(4,))
    report = ldjcheck.assert_ldj(identity, shape=(4,), allow_unproven="by design")
    assert report.status == "unproven"


@pytest.mark.slow
def test_a_reason_does_not_excuse_a_mistake() -> None:
    with pytest.raises(ldjcheck.LdjMismatch):
        ldjcheck.assert_ldj(Flipped(), shape=(4,), allow_unproven="by design")


@pytest.mark.parametrize("reason", ["", "  ", True])
def test_an_empty_reason_is_none(reason: Any) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        ldjcheck.assert_ldj(identity, shape=(4,), allow_unproven=reason)


def test_a_layer_that_cannot_be_called_is_no_failed_assertion() -> None:
    with pytest.raises(ldjcheck.LdjError) as caught:
        ldjcheck.assert_ldj(cannot, shape=(4,))
    assert not isinstance(caught.value, AssertionError)
    assert 'raise ValueError("not today")' in str(caught.value)


def test_the_names_are_those_that_users_import() -> None:
    for name in ("LdjMismatch", "LdjUnproven", "LdjError"):
        kind = getattr(ldjcheck, name)
        assert f"{kind.__module__}.{kind.__qualname__}" == f"ldjcheck.{name}"


@pytest.mark.slow
def test_what_is_raised_crosses_to_another_process() -> None:
    with pytest.raises(ldjcheck.LdjMismatch) as caught:
        ldjcheck.assert_ldj(Flipped(), shape=(4,))
    there = pickle.loads(pickle.dumps(caught.value))
    assert type(there) is ldjcheck.LdjMismatch
    assert str(there) == str(caught.value)
    assert there.report.to_dict() == caught.value.report.to_dict()


def keywords(function: Callable[..., Any]) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def test_every_option_is_a_keyword_of_its_own_with_its_default() -> None:
    plain = {f.name: f.default for f in fields(Options)}
    plain |= {
        "shape": None,
        "context": None,
        "kwarg": None,
    }  # friendlier to type
    plain |= {"pictures": True}  # a report in Python can always be drawn
    known = keywords(ldjcheck.check)
    assert {name: known[name] for name in plain} == plain


def test_asserting_takes_what_checking_takes() -> None:
    assert keywords(ldjcheck.assert_ldj) == {
        **keywords(ldjcheck.check),
        "allow_unproven": None,
    }


def test_the_keywords_that_are_handed_on_are_those_of_checking() -> None:
    assert list(CheckKeywords.__annotations__) == list(keywords(ldjcheck.check))
