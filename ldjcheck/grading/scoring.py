"""From facts to points: by layer and by cause, each cause once.

A mistake of the handout costs nobody. A layer has its points where it was shown to be right,
less what the rubric asks for the mistakes in it; whatever is not shown has none.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ldjcheck.grading.records import Cause, Marked, Outcome, Place, Standing, as_line
from ldjcheck.grading.rubric import Exercise, Rubric

_SHARED = 0.9  # the share of a class that makes a mistake which is the handout's
_FEWEST = 3  # submissions of which one can say that all have it

_Identity = tuple[str, str, str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One mistake, and what it costs here; `why` says why it costs nothing."""

    cause: Cause
    points: float
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseGrade:
    """The points for one layer."""

    exercise: str
    points: float
    possible: float
    outcome: Outcome
    charges: tuple[Charge, ...] = ()
    excused: bool = False

    @property
    def standing(self) -> Standing:
        """How the layer stands."""
        return self.outcome.standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The points of one submission; `review` is for the teacher to look at."""

    submission: str
    exercises: tuple[ExerciseGrade, ...]
    review: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def points(self) -> float:
        """All points that it has."""
        return sum(each.points for each in self.exercises)

    @property
    def possible(self) -> float:
        """All points that it could have."""
        return sum(each.possible for each in self.exercises)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoutFault:
    """What all submissions share, and nobody wrote."""

    exercise: str
    what: str
    where: str
    count: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassGrades:
    """The grades of a class."""

    rubric: Rubric
    grades: tuple[Grade, ...]
    faults: tuple[HandoutFault, ...] = ()
    asked_in_vain: tuple[str, ...] = ()  # exercises whose name nobody defines


def grade_class(marked: Sequence[Marked], rubric: Rubric) -> ClassGrades:
    """Return the grades of all submissions, in their order."""
    shared = _shared_causes(marked, rubric)
    broken = _shared_faults(marked)
    return ClassGrades(
        rubric=rubric,
        grades=tuple(_grade(each, rubric, set(shared), set(broken)) for each in marked),
        faults=(*shared.values(), *broken.values()),
        asked_in_vain=tuple(_in_vain(marked)),
    )


# --- faults of the handout --------------------------------------------------------------


def _identity(exercise: str, cause: Cause) -> _Identity | None:
    """Return what makes a mistake the same in two submissions: its name and its line."""
    place = cause.place
    if place is None or place.text is None or cause.severity != "error":
        return None
    return exercise, cause.code, place.function, as_line(place.text)


def _shared_causes(
    marked: Sequence[Marked], rubric: Rubric
) -> dict[_Identity, HandoutFault]:
    """Return the mistakes that nearly all submissions share, line for line.

    Where the handout is known, the line must be its own: a mistake that a whole class
    makes is not excused.
    """
    judged: Counter[str] = Counter()
    made: dict[_Identity, list[tuple[Cause, Place]]] = {}
    for each in marked:
        for outcome in each.outcomes:
            judged[outcome.exercise] += outcome.standing in ("right", "wrong", "held")
            for cause in outcome.causes:
                identity, place = _identity(outcome.exercise, cause), cause.place
                if identity is None or place is None:
                    continue
                if place.from_handout or rubric.handout is None:
                    made.setdefault(identity, []).append((cause, place))
    found = {}
    for identity, all_of_it in made.items():
        of = judged[identity[0]]
        if of >= _FEWEST and len(all_of_it) >= _SHARED * of:
            cause, place = all_of_it[0]
            found[identity] = HandoutFault(
                exercise=identity[0],
                what=f"{cause.code} {cause.name}: {cause.message}",
                where=f"{place.function or place.file}: {place.text}",
                count=len(all_of_it),
                of=of,
            )
    return found


def _shared_faults(marked: Sequence[Marked]) -> dict[tuple[str, str], HandoutFault]:
    """Return what keeps nearly all submissions from being run, word for word."""
    present = [each for each in marked if each.problem is None]
    counts = Counter(
        (outcome.exercise, outcome.why)
        for each in present
        for outcome in each.outcomes
        if outcome.standing == "broken"
    )
    return {
        (exercise, why): HandoutFault(
            exercise=exercise, what=why, where="", count=count, of=len(present)
        )
        for (exercise, why), count in counts.items()
        if len(present) >= _FEWEST and count >= _SHARED * len(present)
    }


def _in_vain(marked: Sequence[Marked]) -> list[str]:
    """Return the exercises whose name no submission defines, by a slip of the rubric."""
    present = [each for each in marked if each.problem is None]
    found: dict[str, bool] = {}
    for each in present:
        for outcome in each.outcomes:
            is_absent = outcome.standing == "absent" and outcome.file is None
            found[outcome.exercise] = found.get(outcome.exercise, True) and is_absent
    return [name for name, absent in found.items() if absent and len(present) > 1]


# --- points -----------------------------------------------------------------------------


def _grade(
    marked: Marked, rubric: Rubric, shared: set[_Identity], broken: set[tuple[str, str]]
) -> Grade:
    paid: dict[tuple[object, ...], str] = {}
    exercises, review = [], []
    by_name = {outcome.exercise: outcome for outcome in marked.outcomes}
    for exercise in rubric.exercises:
        outcome = by_name[exercise.name]
        if (exercise.name, outcome.why) in broken:
            exercises.append(_exercise(exercise, outcome, exercise.points))
            continue
        charges = _charges(exercise, outcome, shared, paid, trusted=not marked.odd)
        exercises.append(_points(exercise, outcome, charges))
        if outcome.standing == "held":
            review.append(f"{exercise.name}: {outcome.why}")
    if marked.odd and any(g.standing in ("wrong", "held") for g in exercises):
        told = "; ".join(marked.odd[:5]) + "; ..." * (len(marked.odd) > 5)
        review.append(f"its source does what a layer has no need of: {told}")
    return Grade(
        submission=marked.submission,
        exercises=tuple(exercises),
        review=tuple(review),
        problem=marked.problem,
    )


def _charges(
    exercise: Exercise,
    outcome: Outcome,
    shared: set[_Identity],
    paid: dict[tuple[object, ...], str],
    *,
    trusted: bool,
) -> tuple[Charge, ...]:
    """Return what each mistake costs, and note what is paid for.

    A name comes from beside the submitted code. Where that does what a layer has no need
    of, no name makes a mistake cheaper.
    """
    charges = []
    for cause in outcome.causes:
        cost = exercise.cost(cause.code, cause.severity)
        if cause.severity == "error" and not trusted:
            cost = exercise.points
        key = (cause.code, None if cause.place is None else cause.place.key)
        why = ""
        if trusted and _identity(exercise.name, cause) in shared:
            cost, why = 0.0, "the handout's"
        elif trusted and cause.place is not None and key in paid:
            cost, why = 0.0, f"counted with {paid[key]}"
        elif cost:
            paid[key] = exercise.name
        if cost or why:
            charges.append(Charge(cause=cause, points=cost, why=why))
    return tuple(charges)


def _points(
    exercise: Exercise, outcome: Outcome, charges: tuple[Charge, ...]
) -> ExerciseGrade:
    errors = [c for c in outcome.causes if c.severity == "error"]
    explained = outcome.standing == "right" or (outcome.standing == "wrong" and errors)
    left = exercise.points - sum(charge.points for charge in charges)
    # else nothing is shown, or something is wrong that nobody names
    return _exercise(exercise, outcome, max(0.0, left) if explained else 0.0, charges)


def _exercise(
    exercise: Exercise,
    outcome: Outcome,
    points: float,
    charges: tuple[Charge, ...] = (),
) -> ExerciseGrade:
    causes = [charge for charge in charges if charge.cause.severity == "error"]
    is_handouts = bool(causes) and all(c.why == "the handout's" for c in causes)
    is_broken = outcome.standing == "broken" and points > 0
    return ExerciseGrade(
        exercise=exercise.name,
        points=round(points, 6),
        possible=exercise.points,
        outcome=outcome,
        charges=charges,
        excused=is_handouts or is_broken,
    )
