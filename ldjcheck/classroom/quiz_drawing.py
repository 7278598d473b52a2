"""Drawing questions by a seed: from the zoo, and from slips planted in sound layers.

What is drawn is checked before it is asked: a wrong layer must fail, for a mistake of the
topic, and a right one must pass.
"""

import ast
import random
from collections.abc import Iterator

from ldjcheck.classroom.lessons import codes_about
from ldjcheck.classroom.quiz import FILE, NAME, Question, differing, examine
from ldjcheck.classroom.slips import Slip, slips
from ldjcheck.classroom.zoo import ANIMALS, Animal, load
from ldjcheck.mistakes.rewriting.sites import Site
from ldjcheck.report import Report
from ldjcheck.revision import read_source
from ldjcheck.revision.text import replaced

_RIGHT = 0.3  # the share of right layers
_PLANTED = 0.4  # of the wrong ones, those with a slip that is not the zoo's
_TRIES = 40
_LONGEST = 45  # lines of a layer that is still read
_ASKED = ("LDJ1", "LDJ2", "LDJ3", "LDJ5")
_TOO_ODD = {"LDJ199", "LDJ305", "LDJ306"}
_LIKELY = {
    "sign turned": ("LDJ104", "LDJ302"),
    "minus lost": ("LDJ104", "LDJ302"),
    "log forgotten": ("LDJ108",),
    "log2 for log": ("LDJ107",),
    "log10 for log": ("LDJ107",),
    "abs outside": ("LDJ115",),
    "abs forgotten": ("LDJ109",),
    "number in log": ("LDJ117",),
    "mean for sum": ("LDJ105", "LDJ101"),
    "batch summed too": ("LDJ106",),
    "batch counted": ("LDJ103", "LDJ106"),
    "factor forgotten": ("LDJ101", "LDJ102", "LDJ103", "LDJ110", "LDJ114"),
    "counted twice": ("LDJ114", "LDJ111"),
    "term forgotten": ("LDJ110", "LDJ119"),
    "one too many": ("LDJ111", "LDJ118"),
    "after the step": ("LDJ112",),
    "at the output": ("LDJ112",),
    "branches swapped": ("LDJ116",),
    "sum forgotten": ("LDJ202",),
    "column kept": ("LDJ201",),
    "total overwritten": ("LDJ204",),
}
"""What a slip is likely to be called: others are not tried, since each try takes a check."""


def draw(topic: str | None, seed: int, count: int) -> Iterator[Question]:
    """Yield so many questions about a topic; the same seed yields the same.

    Raises:
        ValueError: there is no such topic, or nothing to ask about it.
    """
    codes = {c for c in codes_about(topic) if c.startswith(_ASKED)} - _TOO_ODD
    drawing = _Drawing(codes, random.Random(seed))
    if not drawing.wrong:
        raise ValueError(f"Nothing can be asked about {topic!r}; try another topic.")
    for _ in range(count):
        yield drawing.question()


class _Drawing:
    def __init__(self, codes: set[str], chance: random.Random) -> None:
        self._codes, self._chance = codes, chance
        self._asked: set[str] = set()
        readable = [each for each in ANIMALS if _is_readable(each)]
        self.wrong = [a for a in readable if a.code in codes]
        self.sound = [a for a in readable if a.code is None]
        self.near = [a for a in self.sound if a.near in codes]

    def question(self) -> Question:
        """Return the next question, of a layer that was not asked about."""
        for _ in range(_TRIES):
            kind = self._chance.random()
            if kind < _RIGHT:
                found = self._right()
            elif kind < _RIGHT + (1 - _RIGHT) * _PLANTED:
                found = self._planted()
            else:
                found = self._of_zoo()
            if found is not None and found.text not in self._asked:
                self._asked.add(found.text)
                return found
        raise ValueError("There is nothing more to ask about this; try another topic.")

    def _of_zoo(self) -> Question | None:
        """Return a wrong layer; each mistake is as likely as any other."""
        codes = sorted({str(animal.code) for animal in self.wrong})
        code = self._chance.choice(codes)
        animal = self._chance.choice([a for a in self.wrong if a.code == code])
        assert animal.twin is not None
        text, right = animal.file(NAME), animal.twin.file(NAME)
        return self._wrong(animal, text, right, {code})

    def _right(self) -> Question | None:
        """Return a right layer: one that looks wrong, or the twin of a wrong one."""
        twins = [a for a in self.wrong if a.twin is not None]
        animal = self._chance.choice([*self.near, *twins])
        sound = animal.twin or animal
        text = sound.file(NAME)
        options = animal.options if animal.code is None else ()
        report = examine(text, animal.shape or (), options)
        if report.status != "pass":
            return None
        return Question(
            text=text,
            right=text,
            is_wrong=False,
            code=animal.near or animal.code or "",
            shape=animal.shape or (),
            options=options,
            sample=_sample(report),
        )

    def _planted(self) -> Question | None:
        """Return a sound layer with a slip in it, if one is a mistake of the topic."""
        animal = self._chance.choice(self.sound)
        right = animal.file(NAME)
        load(right, NAME, FILE)
        likely = {w for w, codes in _LIKELY.items() if self._codes & set(codes)}
        found = [slip for slip in _slips(right) if slip.what in likely]
        if not found:
            return None
        slip = self._chance.choice(found)
        source = read_source(FILE)
        assert source is not None
        text = replaced(source.lines, slip.replacements).decode()
        return self._wrong(animal, text, right, self._codes)

    def _wrong(
        self, animal: Animal, text: str, right: str, codes: set[str]
    ) -> Question | None:
        """Return the question, if the layer fails as it should and maps as it did."""
        shape = animal.shape or ()
        try:
            report = examine(text, shape, animal.options)
        except Exception:  # a slip may be none that runs
            return None
        first = next(iter(report.findings), None)
        if report.status != "fail" or first is None or first.code not in codes:
            return None
        own = [f for f in report.findings if f.severity == "error"]
        places = [f.location for f in own if f.location is not None]
        lines = {p.line for p in places if p.file == FILE} | differing(text, right)
        return Question(
            text=text,
            right=right,
            is_wrong=True,
            code=first.code,
            shape=shape,
            options=animal.options,
            message=first.message,
            lines=frozenset(lines),
            functions=tuple(dict.fromkeys(p.function for p in places if p.function)),
            sample=_sample(report),
        )


def _is_readable(animal: Animal) -> bool:
    """Return whether a layer, and its twin, is one class that is not too long."""
    return all(
        each.whole and each.file(NAME).count("\n") <= _LONGEST
        for each in (animal, animal.twin)
        if each is not None
    )


def _slips(text: str) -> Iterator[Slip]:
    """Yield the slips that the statements of a layer's methods have room for.

    Those that make the map are among them: what they do shows when the layer is checked.
    """
    source = read_source(FILE)
    if source is None:
        return
    for function in source.functions:
        if getattr(function, "name", "__init__") == "__init__":
            continue
        for statement in ast.walk(function):
            if isinstance(statement, ast.Assign | ast.AugAssign | ast.Return):
                yield from slips(Site(source, statement, 0.0))


def _sample(report: Report) -> tuple[str, float, float] | None:
    """Return the two numbers of the sample that shows most."""
    compared = (check for check in report.checks if check.name == "ldj")
    found = [
        (check.direction or "forward", sample.exact, sample.reported)
        for check in compared
        for sample in check.samples
        if sample.reported is not None
    ]
    return max(found, key=lambda each: abs(each[1] - each[2]), default=None)
