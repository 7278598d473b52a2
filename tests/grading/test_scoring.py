"""Points by layer and by cause: each cause once, the handout's never."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldjcheck.grading.records import Cause, Marked, Outcome, Place
from ldjcheck.grading.rubric import Exercise, Given, Rubric
from ldjcheck.grading.scoring import grade_class
from ldjcheck.records.result import from_plain

PLACE = Place(file="f.py", line=7, function="Scale.ldj", text="return self.a.mean()")
MEAN = Cause(
    code="LDJ105", name="mean-not-sum", severity="error", message="a mean.", place=PLACE
)
NOTE = Cause(code="LDJ205", name="incoming-ldj-mutated", severity="note", message="!")


def exercise(name: str, points: float = 2, **costs: float) -> Exercise:
    return Exercise(name=name, expr=name, points=points, shape=(2,), costs=costs)


def outcome(name: str, *causes: Cause, standing: Any = None) -> Outcome:
    usual = "wrong" if any(c.severity == "error" for c in causes) else "right"
    return Outcome(
        exercise=name, standing=standing or usual, causes=causes, file="f.py"
    )


def marked(name: str, *outcomes: Outcome, **more: Any) -> Marked:
    return Marked(
        submission=name, fingerprint=name, rubric="r", outcomes=outcomes, **more
    )


def points(rubric: Rubric, *submissions: Marked) -> list[list[float]]:
    grades = grade_class(submissions, rubric).grades
    return [[each.points for each in grade.exercises] for grade in grades]


ONE = Rubric(name="one", exercises=(exercise("A"),))
TWO = Rubric(name="two", exercises=(exercise("A"), exercise("B", 3)))


def test_what_is_right_has_all_points() -> None:
    assert points(ONE, marked("anna", outcome("A"))) == [[2]]


@pytest.mark.parametrize(
    "standing", ["unproven", "absent", "broken", "stopped", "held"]
)
def test_what_is_not_shown_has_none(standing: str) -> None:
    assert points(ONE, marked("anna", outcome("A", standing=standing))) == [[0]]


def test_a_mistake_costs_what_the_rubric_says_else_all() -> None:
    assert points(ONE, marked("anna", outcome("A", MEAN))) == [[0]]
    priced = replace(ONE, exercises=(exercise("A", LDJ105=0.5),))
    assert points(priced, marked("anna", outcome("A", MEAN))) == [[1.5]]


def test_a_note_costs_only_where_the_rubric_says() -> None:
    assert points(ONE, marked("anna", outcome("A", NOTE))) == [[2]]
    priced = replace(ONE, exercises=(exercise("A", LDJ205=0.5),))
    assert points(priced, marked("anna", outcome("A", NOTE))) == [[1.5]]


def test_a_mistake_of_one_cause_costs_once() -> None:
    assert points(TWO, marked("anna", outcome("A", MEAN), outcome("B", MEAN))) == [
        [0, 3]
    ]


def test_the_same_slip_in_two_places_costs_twice() -> None:
    other = replace(MEAN, place=replace(PLACE, line=20))
    both = marked("anna", outcome("A", MEAN), outcome("B", other))
    assert points(TWO, both) == [[0, 0]]


def test_a_wrong_layer_whose_mistake_nobody_names_has_no_points() -> None:
    assert points(ONE, marked("anna", outcome("A", standing="wrong"))) == [[0]]


def test_no_name_is_cheaper_where_the_source_reaches_into_the_check() -> None:
    priced = Rubric(
        name="x", exercises=(exercise("A", LDJ105=0.5), exercise("B", 3, LDJ105=0.5))
    )
    both = outcome("A", MEAN), outcome("B", MEAN)
    assert points(priced, marked("anna", *both)) == [[1.5, 3]]
    odd = marked("bert", *both, odd=("f.py, line 1: imports ldjcheck",))
    assert points(priced, odd) == [[0, 0]]
    (grade,) = grade_class([odd], priced).grades
    assert "imports ldjcheck" in grade.review[0]


# --- the handout -------------------------------------------------------------------------

HANDOUT = Given(name="handout.py", data=b"")


def a_class(cause: Cause, wrong: int, right: int) -> list[Marked]:
    return [
        marked(
            f"student {n}", *([outcome("A", cause)] if n < wrong else [outcome("A")])
        )
        for n in range(wrong + right)
    ]


def test_what_all_share_is_the_handouts_and_costs_nobody() -> None:
    assert points(ONE, *a_class(MEAN, 5, 0)) == [[2]] * 5
    (fault,) = grade_class(a_class(MEAN, 5, 0), ONE).faults
    assert (fault.exercise, fault.count, fault.of) == ("A", 5, 5)
    assert fault.where == "Scale.ldj: return self.a.mean()"


def test_what_many_but_not_all_share_is_their_own() -> None:
    assert points(ONE, *a_class(MEAN, 4, 1)) == [[0]] * 4 + [[2]]


def test_two_alone_are_no_class() -> None:
    assert points(ONE, *a_class(MEAN, 2, 0)) == [[0]] * 2


def test_a_mistake_of_a_whole_class_is_not_excused_where_the_handout_is_known() -> None:
    known = replace(ONE, handout=HANDOUT)
    assert points(known, *a_class(MEAN, 5, 0)) == [[0]] * 5
    given = replace(MEAN, place=replace(PLACE, from_handout=True))
    assert points(known, *a_class(given, 5, 0)) == [[2]] * 5


def test_a_mistake_of_ones_own_counts_beside_the_handouts() -> None:
    own = replace(MEAN, code="LDJ104", place=replace(PLACE, line=9, text="-ldj"))
    others = a_class(MEAN, 4, 0)
    both = marked("zoe", outcome("A", MEAN, own))
    assert points(ONE, *others, both) == [[2]] * 4 + [[0]]


def test_what_keeps_everybody_from_running_costs_nobody() -> None:
    broken = Outcome(
        exercise="A", standing="broken", why="flows.py raised ImportError."
    )
    everybody = [marked(f"student {n}", broken) for n in range(4)]
    assert points(ONE, *everybody) == [[2]] * 4
    assert points(ONE, *everybody[:3], marked("anna", outcome("A"))) == [[0]] * 3 + [
        [2]
    ]


def test_a_name_that_nobody_defines_is_told_to_the_teacher() -> None:
    absent = Outcome(exercise="A", standing="absent", why="no A is defined")
    grades = grade_class([marked("anna", absent), marked("bert", absent)], ONE)
    assert grades.asked_in_vain == ("A",)


# --- laws --------------------------------------------------------------------------------

causes = st.builds(
    Cause,
    code=st.sampled_from(["LDJ101", "LDJ104", "LDJ105", "LDJ205"]),
    name=st.just("a name"),
    severity=st.sampled_from(["error", "note"]),
    message=st.just("."),
    place=st.one_of(
        st.none(),
        st.builds(
            Place,
            file=st.just("f.py"),
            line=st.integers(1, 3),
            function=st.just("A.f"),
            text=st.sampled_from(["a", "b"]),
        ),
    ),
)
standings = st.sampled_from(["right", "wrong", "unproven", "absent", "broken", "held"])
submissions = st.lists(
    st.tuples(
        *(
            st.builds(
                Outcome,
                exercise=st.just(name),
                standing=standings,
                causes=st.lists(causes, max_size=3).map(tuple),
            )
            for name in ("A", "B")
        )
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(submissions)
def test_points_lie_between_none_and_all_and_facts_survive_the_disk(
    outcomes: list[tuple[Outcome, ...]],
) -> None:
    everybody = [marked(f"s{n}", *each) for n, each in enumerate(outcomes)]
    for grade in grade_class(everybody, TWO).grades:
        assert 0 <= grade.points <= grade.possible == 5
    assert [from_plain(Marked, asdict(each)) for each in everybody] == everybody


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(submissions)
def test_the_order_of_submissions_changes_no_grade(
    outcomes: list[tuple[Outcome, ...]],
) -> None:
    everybody = [marked(f"s{n}", *each) for n, each in enumerate(outcomes)]
    there = {g.submission: g.points for g in grade_class(everybody, TWO).grades}
    back = {g.submission: g.points for g in grade_class(everybody[::-1], TWO).grades}
    assert there == back
