"""From a submission to facts: each exercise run confined, judged outside, named inside."""

import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ldjcheck.grading import black_box
from ldjcheck.grading.black_box import Asked, Models, Numbers, Remote
from ldjcheck.grading.confined import BrokenChannelError
from ldjcheck.grading.confined.confinement import Conversation, Ended, Job, Warden
from ldjcheck.grading.records import (
    Cause,
    Marked,
    Outcome,
    Standing,
    Written,
    causes_in,
    lines_of,
    short,
)
from ldjcheck.grading.rubric import Exercise, Rubric
from ldjcheck.grading.submissions import Submission, write_files
from ldjcheck.revision.disk import edited

_SEED = 5  # of layers whose first weights are random: everybody's are alike

_BY_CODE: dict[str, Standing] = {"LDJ002": "absent", "LDJ007": "stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """What the text of a submission holds."""

    names: Mapping[str, frozenset[str]]  # by file
    functions: tuple[Written, ...] = ()
    odd: tuple[str, ...] = ()
    faults: Mapping[str, str] = field(default_factory=dict)


def mark(
    submission: Submission, rubric: Rubric, models: Models, warden: Warden
) -> Marked:
    """Return all facts about one submission; `models` are the reference's, by exercise."""
    problem = submission.problem
    if problem is None and not submission.sources:
        problem = "it holds no Python file and no notebook"
    facts = Marked(
        submission=submission.name,
        fingerprint=submission.fingerprint,
        rubric=rubric.fingerprint,
        problem=problem,
    )
    if problem is not None:
        gone = tuple(_absent(each, problem) for each in rubric.exercises)
        return replace(facts, outcomes=gone)
    marking = _Marking(submission, rubric, models, warden)
    outcomes = tuple(marking.outcome(exercise) for exercise in rubric.exercises)
    return replace(
        facts,
        outcomes=outcomes,
        odd=marking.text.odd,
        wrong=tuple(_wrong(marking.text.functions, outcomes)),
    )


def _absent(exercise: Exercise, why: str) -> Outcome:
    return Outcome(exercise=exercise.name, standing="absent", why=why)


def _wrong(
    functions: Sequence[Written], outcomes: Sequence[Outcome]
) -> Iterator[Written]:
    """Yield the functions that something wrong stands in."""
    places = {
        (c.place.file, c.place.cell, c.place.function)
        for outcome in outcomes
        for c in outcome.causes
        if c.place is not None and c.severity == "error" and not c.place.from_handout
    }
    for function in functions:
        if (function.file, function.cell, function.name) in places:
            yield function


class _Marking:
    """One submission, looked through, and its exercises one after the other."""

    def __init__(
        self, submission: Submission, rubric: Rubric, models: Models, warden: Warden
    ) -> None:
        self._rubric, self._models, self._warden = rubric, models, warden
        given = {each.name: each.data for each in rubric.files}
        self._files = {**submission.files, **given}
        self._sources = [s for s in submission.sources if s not in given]
        self.text = self._looked_through()
        self._handout = self._lines_of_handout()

    def outcome(self, exercise: Exercise) -> Outcome:
        """Return how one exercise stands."""
        started = time.perf_counter()
        file = self._file_of(exercise)
        if file is None:
            told = "; ".join(self.text.faults.values())
            why = f"no {exercise.root} is defined{': ' * bool(told)}{told}"
            found = _absent(exercise, why)
        else:
            found = replace(self._judged(exercise, file), file=file)
        return replace(found, seconds=time.perf_counter() - started)

    # --- the text -----------------------------------------------------------------------

    def _looked_through(self) -> _Text:
        told = _look(self._warden, self._files, self._sources)
        if told.value is None:
            return _Text(names={}, faults={"": told.why or "it cannot be read"})
        names, functions, odd, faults = {}, [], [], {}
        for file in self._sources:
            seen = told.value[file]
            names[file] = frozenset(seen["names"])
            functions += [Written(file=file, **each) for each in seen["functions"]]
            odd += [f"{file}, {what}" for what in seen["odd"]]
            if seen["fault"]:
                faults[file] = short(seen["fault"], 300)
        return _Text(
            names=names, functions=tuple(functions), odd=tuple(odd), faults=faults
        )

    def _lines_of_handout(self) -> frozenset[str]:
        handout = self._rubric.handout
        if handout is None:
            return frozenset()
        files = {handout.name: handout.data}
        told = _look(self._warden, files, [handout.name])
        return lines_of(told.value[handout.name]["functions"] if told.value else ())

    def _file_of(self, exercise: Exercise) -> str | None:
        """Return the file that defines an exercise's name: the one that is graded first."""
        pattern = self._rubric.file or "*"
        first = [s for s in self._sources if fnmatch(s.rpartition("/")[2], pattern)]
        for source in (*first, *self._sources):
            if exercise.root in self.text.names.get(source, ()):
                return source
        broken = [s for s in first if s in self.text.faults]
        return broken[0] if broken else None

    # --- one exercise -------------------------------------------------------------------

    def _judged(self, exercise: Exercise, file: str) -> Outcome:
        name = exercise.name
        outside = self._from_outside(exercise, file, self._files)
        numbers = outside.value
        if numbers is None:
            return Outcome(
                exercise=name,
                standing="stopped",
                why=outside.why or "",
                evidence=tuple(self._where(outside.printed)[:1]),
            )
        if numbers.fault is not None:
            return _of_fault(name, numbers.fault)
        inside = self._from_inside(exercise, file)
        told = inside.value or {}
        causes = causes_in(told.get("findings"), self.text.functions, self._handout)
        standing, why = _standing(exercise, numbers, told.get("status"), inside, causes)
        if standing == "wrong" and numbers.standing == "wrong":
            causes = self._confirmed(exercise, file, causes)
        return Outcome(
            exercise=name,
            standing=standing,
            why=short(why, 400),
            causes=causes,
            sample=numbers.worst,
            again=call_of(exercise, file),
            same_map=numbers.same_map,
        )

    def _where(self, printed: str) -> list[str]:
        """Return the submission's lines in what a process printed before it was ended."""
        frames = re.findall(r'File "([^"\n]+)", line (\d+) in ([\w<>]+)', printed)
        return [
            f"It was in line {line} of {source}, in {function}."
            for file, line, function in frames
            for source in self._sources
            if source in file
        ]

    def _from_outside(
        self, exercise: Exercise, file: str, files: Mapping[str, bytes]
    ) -> Ended[Numbers]:
        def talk(said: Conversation) -> Numbers:
            remote = Remote(said.ask, opened(said.hear()))
            asked = asked_of(exercise, remote)
            return black_box.judge(remote, asked, self._models.get(exercise.name))

        job = job_for("answer", exercise, file, self._rubric)
        return _run(self._warden, job, files, talk)

    def _from_inside(self, exercise: Exercise, file: str) -> Ended[dict[str, Any]]:
        told: dict[str, Any] = {}

        def talk(said: Conversation) -> dict[str, Any]:
            while not told.get("final"):
                message = said.hear()
                if not isinstance(message, dict):
                    raise BrokenChannelError("what it sent is no result")
                told.update(message)
            return told

        job = job_for("diagnose", exercise, file, self._rubric)
        ended = _run(self._warden, job, self._files, talk)
        # what was told before its time was over counts
        return replace(ended, value=told) if told else ended

    def _confirmed(
        self, exercise: Exercise, file: str, causes: tuple[Cause, ...]
    ) -> tuple[Cause, ...]:
        """Return the causes, confirmed where their edits together make the layer right."""
        errors = [cause for cause in causes if cause.severity == "error"]
        if not errors or not all(cause.edits for cause in errors):
            return causes
        files = _mended(self._files, errors)
        if files is None:
            return causes
        again = self._from_outside(exercise, file, files).value
        if again is None or again.standing != "right":
            return causes
        return tuple(replace(c, confirmed=c.severity == "error") for c in causes)


def call_of(exercise: Exercise, file: str) -> str:
    """Return the call of Python that checks a layer in its submission's folder as here."""
    given = {**exercise.check_keywords(), "seed": _SEED}
    typed = given.pop("kwarg")
    words = [repr(f"{file}:{exercise.expr}"), *(f"{k}={v!r}" for k, v in given.items())]
    if typed:
        words.append(f"kwarg={{{', '.join(f'{k!r}: {v}' for k, v in typed.items())}}}")
    return f"check({', '.join(words)})"


def job_for(name: str, exercise: Exercise, file: str, rubric: Rubric) -> Job:
    """Return a job about one exercise in a file; its folder is not there yet."""
    arguments = {
        "target": f"{file}:{exercise.expr}",
        "keywords": exercise.check_keywords(),
        "seed": _SEED,
    }
    return Job(name=name, folder="", arguments=arguments, limits=rubric.limits)


def _look(
    warden: Warden, files: Mapping[str, bytes], names: Sequence[str]
) -> Ended[dict[str, Any]]:
    """Return what the text of files holds; none of it is run."""
    job = Job(name="look", folder="", arguments={"files": list(names)})
    return _run(warden, job, files, lambda said: said.hear())


def _run(warden: Warden, job: Job, files: Mapping[str, bytes], talk: Any) -> Ended[Any]:
    """Return what a job comes to, in a new folder that holds the files."""
    try:
        with in_folder(files) as folder:
            return warden.run(replace(job, folder=folder), talk)
    except OSError as error:  # a name that this system cannot write, or no room
        return Ended(why=f"its files cannot be written here: {error.strerror}")


@contextmanager
def in_folder(files: Mapping[str, bytes]) -> Iterator[str]:
    """Write files into a new folder, for as long as it is wanted."""
    with tempfile.TemporaryDirectory(
        prefix="ldjcheck-grade-", ignore_cleanup_errors=True
    ) as folder:
        write_files(files, Path(folder))
        yield folder


def opened(message: Any) -> Mapping[str, Any]:
    """Return what a layer says of itself, of which everything has its type.

    Raises:
        BrokenChannelError: it has not.
    """
    if not isinstance(message, dict):
        raise BrokenChannelError("what it sent is no answer")
    fault = message.get("fault")
    if isinstance(fault, dict):
        evidence = fault.get("evidence")
        lines = evidence if isinstance(evidence, list) else []
        return {
            "fault": {
                "code": short(fault.get("code"), 10),
                "message": short(fault.get("message"), 600),
                "evidence": [short(line, 300) for line in lines[:30]],
            }
        }
    directions, shape = message.get("directions"), message.get("shape")
    if not (isinstance(directions, list) and directions and isinstance(shape, list)):
        raise BrokenChannelError("what it sent is no answer")
    return {
        "directions": [d for d in directions if d in ("forward", "inverse")],
        "shape": tuple(size for size in shape if type(size) is int and size > 0),
        "domain": short(message.get("domain"), 60),
        "tracked": bool(message.get("tracked")),
        "promoted": bool(message.get("promoted")),
    }


def asked_of(exercise: Exercise, remote: Remote) -> Asked:
    """Return what is asked; what the rubric leaves open is as the layer has it."""
    return Asked(
        domain=exercise.domain or remote.about.get("domain", "real"),
        shape=exercise.shape or remote.about.get("shape", ()),
        needs_inverse=exercise.inverse,
    )


def _of_fault(name: str, fault: Mapping[str, Any]) -> Outcome:
    return Outcome(
        exercise=name,
        standing=_BY_CODE.get(fault["code"], "broken"),
        why=fault["message"],
        evidence=tuple(fault["evidence"]),
    )


def _standing(
    exercise: Exercise,
    numbers: Numbers,
    status: Any,
    inside: Ended[Any],
    causes: tuple[Cause, ...],
) -> tuple[Standing, str]:
    """Return what two checks come to: right is what both say is."""
    from_outside = numbers.standing
    if from_outside == "absent":
        return "absent", numbers.why
    first = next((cause.message for cause in causes), "")
    fails = status == "fail" and any(cause.severity == "error" for cause in causes)
    if from_outside == "wrong":
        if status != "pass":
            return "wrong", first if fails else numbers.why
        why = f"from outside {numbers.why}, and the check beside its code says pass"
        if numbers.why == black_box.OTHER_MAP:
            why = (
                "its ldj is that of its map, but with the parameters of the reference "
                "it maps otherwise"
            )
        return "held", why
    if fails:
        return "wrong", first
    if status == "pass" and (from_outside == "right" or not exercise.outside):
        return "right", ""
    if status == "pass" and numbers.why == black_box.IDENTITY:
        return "unproven", numbers.why
    if status == "pass":
        return "held", f"from outside nothing is proved: {numbers.why}"
    if status is None:
        why = inside.why or "the check beside its code gave no answer"
        return ("held" if from_outside == "right" else "stopped"), why
    return "unproven", first or numbers.why


def _mended(
    files: Mapping[str, bytes], causes: Sequence[Cause]
) -> dict[str, bytes] | None:
    """Return the files with the edits of causes, or None where they do not fit."""
    edits = list(dict.fromkeys(edit for cause in causes for edit in cause.edits))
    places = [(edit.file, edit.cell, edit.line) for edit in edits]
    if len(set(places)) < len(places):
        return None
    new = dict(files)
    for file in {edit.file for edit in edits}:
        if file not in new:
            return None
        changed = edited(new[file], [edit for edit in edits if edit.file == file])
        if changed is None:
            return None
        new[file] = changed
    return new
