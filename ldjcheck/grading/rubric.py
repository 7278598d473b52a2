"""A rubric: which layers are asked for, what each is worth, and what a mistake costs."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from ldjcheck.grading.sandbox import Limits
from ldjcheck.mistakes import rule_for
from ldjcheck.options.project import read_toml

Feedback = Literal["hint", "place", "name", "fix"]
"""How much a student is told: each says what those before it say, and more."""

_DOMAIN = re.compile(r"real|unit|positive|int:-?\d+:-?\d+|interval:[^:]+:[^:]+")
_KEYWORDS = ("context", "convention", "kind", "wrt", "mode", "params")
_EXERCISE = (
    "name", "expr", "points", "shape", "domain", "inverse", "outside", "costs", "kwarg",
    *_KEYWORDS,
)  # fmt: skip
_TOP = (
    "name", "file", "files", "handout", "reference", "timeout", "memory", "feedback",
    "costs", "layer",
)  # fmt: skip
_UNITS = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


class RubricError(ValueError):
    """A rubric that cannot be used; the text says where, why, and what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A file of the teacher's, as it was when the rubric was read."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """One layer that is asked for.

    `outside` says whether its numbers can be judged from outside; where they cannot, the
    check beside the submitted code is all there is. `costs` are points by code.
    """

    name: str
    expr: str
    points: float
    shape: tuple[int, ...] | None = None
    domain: str | None = None
    inverse: bool = False
    outside: bool = True
    kwarg: Mapping[str, str] = field(default_factory=dict)
    # further options of check
    keywords: Mapping[str, Any] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The name that its expression begins with, which a submission must define."""
        found = re.match(r"\s*([^\W\d]\w*)", self.expr)
        return found[1] if found else self.expr

    def cost(self, code: str, severity: str) -> float:
        """Return what a mistake costs here: all of it, unless the rubric says."""
        usual = self.points if severity == "error" else 0.0
        return min(self.points, self.costs.get(code, usual))

    def check_keywords(self) -> dict[str, Any]:
        """Return keywords of `ldjcheck.check`, and `kwarg` as it was typed."""
        found: dict[str, Any] = {**self.keywords, "kwarg": dict(self.kwarg)}
        if self.shape is not None:
            found["shape"] = list(self.shape)
        if self.domain is not None:
            found["domain"] = self.domain
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """All that a class is graded by."""

    name: str
    exercises: tuple[Exercise, ...]
    file: str | None = None  # pattern of the file that is graded
    files: tuple[Given, ...] = ()  # put beside each submission
    handout: Given | None = None
    reference: Given | None = None
    limits: Limits = field(default_factory=Limits)
    feedback: Feedback = "hint"

    @property
    def points(self) -> float:
        """All points there are."""
        return sum(exercise.points for exercise in self.exercises)

    @property
    def fingerprint(self) -> str:
        """Changes where a submission would have to be graded again."""
        told = [repr(replace(self, feedback="hint"))]
        given = (*self.files, self.handout, self.reference)
        told += [hashlib.sha256(g.data).hexdigest() for g in given if g is not None]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def read_rubric(path: Path) -> Rubric:
    """Return the rubric of a TOML file; the files that it names are read with it.

    Raises:
        RubricError: it is missing, is no TOML, or says something that cannot be.
    """
    try:
        table = read_toml(path)
    except OSError as error:
        raise RubricError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise RubricError(f"{path} is no TOML: {error}.") from None
    return _Reader(path, table).rubric()


class _Reader:
    def __init__(self, path: Path, table: Mapping[str, Any]) -> None:
        self.path, self.table = path, table

    def rubric(self) -> Rubric:
        table = self.table
        self._only(table, _TOP, "")
        layers = table.get("layer")
        if not isinstance(layers, list) or not layers:
            raise self._error(
                "it asks for no layer; write a table for each:\n"
                '  [[layer]]\n  expr = "Coupling(dims=4)"\n  shape = [4]\n  points = 2'
            )
        reference = self._given("reference")
        costs = self._costs(table.get("costs", {}), "costs")
        exercises = tuple(
            self._exercise(layer, number, costs, reference)
            for number, layer in enumerate(layers, 1)
        )
        names = [exercise.name for exercise in exercises]
        for name in names:
            if names.count(name) > 1:
                raise self._error(f"two layers are called {name!r}; give each a name")
        feedback = table.get("feedback", "hint")
        if feedback not in get_args(Feedback):
            raise self._error(f"feedback is one of {', '.join(get_args(Feedback))}")
        limits = Limits(
            seconds=self._number(table.get("timeout", 60), "timeout"),
            memory=self._bytes(table.get("memory", "2 GB")),
        )
        return Rubric(
            name=self._text(table.get("name", self.path.stem), "name"),
            exercises=exercises,
            file=self._optional_text(table, "file"),
            files=tuple(self._read(name, "files") for name in self._files()),
            handout=self._given("handout"),
            reference=reference,
            limits=limits,
            feedback=feedback,
        )

    # --- one layer --------------------------------------------------------------------

    def _exercise(
        self,
        table: Any,
        number: int,
        costs: Mapping[str, float],
        reference: Given | None,
    ) -> Exercise:
        where = f"layer {number}"
        if not isinstance(table, dict):
            raise self._error("write [[layer]] with two brackets")
        self._only(table, _EXERCISE, where)
        if "expr" not in table:
            raise self._error(f"{where} has no expr, such as 'Coupling(dims=4)'")
        expr = self._text(table["expr"], f"{where}: expr")
        shape = self._shape(table.get("shape"), where)
        if shape is None and reference is None:
            raise self._error(
                f"{where}: give its shape, as in shape = [4], or a reference: no "
                "submission should choose the size at which it is judged"
            )
        domain = self._optional_text(table, "domain")
        if domain is not None and not _DOMAIN.fullmatch(domain):
            raise self._error(
                f"{where}: domain is real, unit, positive, int:0:255 or interval:-1:1"
            )
        own = self._costs(table.get("costs", {}), f"{where}: costs")
        kwarg = table.get("kwarg", {})
        if not isinstance(kwarg, dict):
            raise self._error(f"{where}: kwarg is a table of expressions")
        return Exercise(
            name=self._text(table.get("name", expr), f"{where}: name"),
            expr=expr,
            points=self._number(table.get("points", 1), f"{where}: points"),
            shape=shape,
            domain=domain,
            inverse=self._flag(table.get("inverse", False), f"{where}: inverse"),
            outside=self._flag(table.get("outside", True), f"{where}: outside"),
            kwarg={name: str(value) for name, value in kwarg.items()},
            keywords={name: table[name] for name in _KEYWORDS if name in table},
            costs={**costs, **own},
        )

    # --- values -----------------------------------------------------------------------

    def _costs(self, table: Any, where: str) -> dict[str, float]:
        if not isinstance(table, dict):
            raise self._error(f"{where} is a table, such as sign-flipped = 1")
        found = {}
        for word, points in table.items():
            rule = rule_for(word)
            if rule is None:
                raise self._error(
                    f"{where}: there is no mistake {word!r}; `ldjcheck codes` lists all"
                )
            found[rule.code] = self._number(points, f"{where}: {word}")
        return found

    def _shape(self, value: Any, where: str) -> tuple[int, ...] | None:
        sizes = [value] if isinstance(value, int) else value
        if sizes is None:
            return None
        if isinstance(sizes, str):
            sizes = [int(s) if s.strip().isdigit() else 0 for s in sizes.split(",")]
        whole = isinstance(sizes, list) and all(type(s) is int and s > 0 for s in sizes)
        if not whole:
            raise self._error(f"{where}: shape is [4] or [1, 4, 4], without the batch")
        return tuple(sizes)

    def _number(self, value: Any, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise self._error(f"{where} is a number of at least 0")
        return float(value)

    def _flag(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            raise self._error(f"{where} is true or false")
        return value

    def _text(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._error(f"{where} is a text")
        return value.strip()

    def _optional_text(self, table: Mapping[str, Any], key: str) -> str | None:
        return self._text(table[key], key) if key in table else None

    def _bytes(self, value: Any) -> int:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?B)?", str(value).strip(), re.I)
        if found is None:
            raise self._error("memory is a size, such as '2 GB'")
        return int(float(found[1]) * _UNITS[(found[2] or "").upper()])

    # --- files ------------------------------------------------------------------------

    def _files(self) -> Sequence[str]:
        value = self.table.get("files", [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise self._error("files lists files")
        return texts

    def _given(self, key: str) -> Given | None:
        name = self._optional_text(self.table, key)
        return None if name is None else self._read(name, key)

    def _read(self, name: str, key: str) -> Given:
        path = self.path.parent / name
        try:
            return Given(name=path.name, data=path.read_bytes())
        except OSError as error:
            raise self._error(
                f"{key}: {path} cannot be read: {error.strerror}"
            ) from None

    # --- errors -----------------------------------------------------------------------

    def _only(self, table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
        for key in table:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                at = f"{where}: " if where else ""
                raise self._error(f"{at}there is no setting {key!r}{hint}")

    def _error(self, why: str) -> RubricError:
        return RubricError(f"{self.path}: {why}" + "." * (why[-1] not in "?."))
