"""The teacher's own solution: asked once, before any submission is looked at."""

from __future__ import annotations

from dataclasses import replace

from ldjcheck.grading import black_box
from ldjcheck.grading.black_box import Model, Models, Numbers, Remote
from ldjcheck.grading.confined.confinement import Conversation, Warden
from ldjcheck.grading.marking import asked_of, in_folder, job_for, opened
from ldjcheck.grading.rubric import Exercise, Given, Rubric, RubricError

_TAIL = 12  # lines of what a reference printed before it ended


def prepared(rubric: Rubric, warden: Warden) -> tuple[Rubric, Models]:
    """Return the rubric with what it left open, and what its reference gives.

    Shape and domain are then as the reference has them. Where the numbers of the reference
    cannot be judged from outside, nobody's can.

    Raises:
        RubricError: the reference does not do what is asked.
    """
    reference = rubric.reference
    if reference is None:
        return rubric, {}
    exercises, models = [], {}
    for exercise in rubric.exercises:
        found, model = _asked_once(exercise, reference, rubric, warden)
        exercises.append(found)
        if model is not None:
            models[exercise.name] = model
    return replace(rubric, exercises=tuple(exercises)), models


def _asked_once(
    exercise: Exercise, reference: Given, rubric: Rubric, warden: Warden
) -> tuple[Exercise, Model | None]:
    def talk(said: Conversation) -> tuple[Exercise, Numbers, Model | None]:
        remote = Remote(said.ask, opened(said.hear()))
        asked = asked_of(exercise, remote)
        found = replace(exercise, shape=asked.shape, domain=asked.domain)
        numbers = black_box.judge(remote, asked)
        if numbers.standing != "right":
            return found, numbers, None
        return found, numbers, black_box.model_of(remote, asked)

    files = {each.name: each.data for each in (*rubric.files, reference)}
    with in_folder(files) as folder:
        job = replace(
            job_for("answer", exercise, reference.name, rubric), folder=folder
        )
        done = warden.run(job, talk)
    if done.value is None:
        why = done.why or "it gave no answer"
        printed = "".join(f"\n  {line}" for line in done.printed.splitlines()[-_TAIL:])
        raise _error(exercise, reference.name, f"{why}{printed}")
    found, numbers, model = done.value
    if numbers.fault is not None:
        raise _error(exercise, reference.name, numbers.fault["message"])
    if numbers.standing in ("wrong", "absent"):
        raise _error(exercise, reference.name, _told(numbers))
    if numbers.standing == "unproven":
        found = replace(found, outside=False)
    return found, model


def _told(numbers: Numbers) -> str:
    worst = numbers.worst
    if worst is None or not worst.is_wrong:
        return numbers.why
    return (
        f"{numbers.why} ({worst.direction}: exact {worst.exact:.6g}, "
        f"reported {worst.reported:.6g})"
    )


def _error(exercise: Exercise, file: str, why: str) -> RubricError:
    return RubricError(
        f"The reference {file} fails where it should show the way: {exercise.name}: "
        f"{why.rstrip('.')}."
    )
