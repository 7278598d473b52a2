"""Right layers whose ldj is taken out, derived, and re-checked: what became of each.

Run from the repository root, with the tests importable, to see the figures and whatever is
not verified. It takes some minutes; names of layers make it ask about these alone:

    PYTHONPATH=tests python -m derivation.stripped_layers [NAME ...]

`--write` writes the figures of all into docs/derive-figures.txt.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

import ldjcheck
from derivation.stripping import stripped_source
from ldjcheck.classroom.zoo import right_ones
from ldjcheck.records import Fix
from ldjcheck.revision.disk import write_fixes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from ldjcheck.records import Derived, Shape

Outcome = Literal["verified", "wrong", "not verified", "refused", "no map", "zero"]

_SEED, _BATCH = 777, 4  # the deriver uses neither
_ROOT = Path(__file__).parents[2]
_EXAMPLES = _ROOT / "examples"
_FIGURES = _ROOT / "docs" / "derive-figures.txt"

KINDS: tuple[tuple[str, str], ...] = (
    ("multiplies by a matrix", "matrix: linear maps, 1x1 convolutions"),
    ("matrix determinant lemma", "diagonal and one direction: planar, radial, norms"),
    ("adds a hidden layer", "one hidden layer: Sylvester, residual"),
    ("scales every channel", "batch norm by running statistics"),
    ("calls a layer", "sublayers that hand their own ldj back"),
    ("undoes the map", "a way back by the way there"),
    ("once for each", "a scale shared by dims, channels or places"),
    ("", "entry by entry: elementwise, couplings, autoregressive"),
)
"""What a sentence about a term holds, and the kind of step that it then is about."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A right layer: the file that defines it, the name to build it by, and its shape."""

    text: str
    name: str
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Stripped:
    """What became of one layer; `step` is the step that stopped it, `kinds` its terms.

    `zero` is a layer whose ldj is 0 without any arithmetic: there is nothing to derive.
    `no map` is one that, without its ldj, cannot be called or measured at all.
    """

    subject: Subject
    outcome: Outcome
    why: str = ""
    step: str = ""
    kinds: tuple[str, ...] = ()


def subjects() -> Iterator[Subject]:
    """Yield every right layer of the zoo, and of the examples."""
    for animal in right_ones():
        yield Subject(animal.file(), animal.name, animal.shape)
    for name, layer, shape in _OF_EXAMPLES:
        text = (_EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        yield Subject(text, layer, shape)


_OF_EXAMPLES: tuple[tuple[str, str, Shape | None], ...] = (
    ("actnorm", "ActNorm", None),
    ("convolution", "InvertibleConvolution", None),
    ("coupling", "make_masked_coupling", None),
    ("coupling", "make_chunk_coupling", None),
    ("dequantization", "Dequantization", None),
    ("first_layer", "Coupling", None),
    ("transforms", "Increasing", (4,)),
)


def outcome_of(subject: Subject, folder: Path) -> Stripped:
    """Return what became of one layer.

    Its file is stripped into the folder, the derived edit written as `--fix` writes it, and
    the edited file loaded and checked with other seeds and another batch.
    """
    file = folder / f"{subject.name}_{len(list(folder.iterdir()))}.py"
    file.write_text(stripped_source(subject.text), encoding="utf-8")
    started = time.time() + 1
    try:
        torch.manual_seed(0)
        layer = getattr(_loaded(file, "stripped"), subject.name)()
    except Exception as error:  # a layer that needs arguments is no subject
        return Stripped(subject, "no map", why=str(error))
    report = ldjcheck.derive(layer, shape=subject.shape)
    derived = report.derived
    if derived is None:
        return Stripped(
            subject, "no map", why=" ".join(f.message for f in report.findings)
        )
    kinds = tuple(dict.fromkeys(_kind(step.why) for step in derived.steps))
    if derived.applicability == "none":
        why = "; ".join(o.why for o in derived.obstacles)
        places = (o.location for o in derived.obstacles)
        step = "; ".join(p.text for p in places if p is not None)
        return Stripped(subject, "refused", why, step)
    if derived.applicability != "verified":
        return Stripped(subject, "not verified", "; ".join(derived.doubts), kinds=kinds)
    if not derived.edits:
        return Stripped(subject, "zero", kinds=kinds)
    return _checked_again(subject, derived, file, started, kinds)


def _checked_again(
    subject: Subject,
    derived: Derived,
    file: Path,
    started: float,
    kinds: tuple[str, ...],
) -> Stripped:
    fix = Fix(
        applicability="verified",
        residual_after=derived.residual_after,
        edits=derived.edits,
    )
    for written in write_fixes([fix], started):
        if written.refused is not None:
            return Stripped(subject, "wrong", written.refused, kinds=kinds)
    torch.manual_seed(1)
    layer = getattr(_loaded(file, "derived"), subject.name)()
    report = ldjcheck.check(
        layer, shape=subject.shape, batch=_BATCH, seed=_SEED, params_scale=0.4
    )
    wrong = [f for f in report.findings if f.severity == "error"]
    if report.status == "fail" or any(c.status == "fail" for c in report.checks):
        why = "; ".join(f"{f.code} {f.message}" for f in wrong)
        return Stripped(subject, "wrong", why, kinds=kinds)
    return Stripped(subject, "verified", kinds=kinds)


def _loaded(file: Path, name: str) -> ModuleType:
    """Return a file as a module of its own."""
    known = f"{name}_{file.stem}"
    spec = importlib.util.spec_from_file_location(known, file)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[known] = module
    spec.loader.exec_module(module)
    return module  # type: ignore[no-any-return]  # it is one


def _kind(why: str) -> str:
    return next(kind for words, kind in KINDS if words in why)


def figures(found: Sequence[Stripped]) -> str:
    """Return the figures of the documents: outcomes, and layers by the kinds of their steps."""
    counts = Counter(each.outcome for each in found)
    asked = len(found) - counts["zero"] - counts["no map"]
    verified = counts["verified"]
    lines = [
        f"{asked} right layers, their ldj taken out: {verified} derived and verified "
        f"({verified / asked:.0%}),",
        f"{counts['refused']} refused, {counts['not verified']} not verified, "
        f"{counts['wrong']} verified and wrong.",
        f"({counts['zero']} further layers keep the volume: there is nothing to derive.)",
        "",
        "layers verified   with steps of this kind",
    ]
    for _, kind in KINDS:
        having = [each for each in found if kind in each.kinds]
        good = sum(each.outcome == "verified" for each in having)
        if having:
            lines.append(f"{good:6} of {len(having):<6}  {kind}")
    return "\n".join(lines) + "\n"


def told(found: Sequence[Stripped]) -> str:
    """Return the figures in words, and what is not verified, one line each."""
    counts = Counter(each.outcome for each in found)
    lines = [f"{number} {outcome}" for outcome, number in counts.most_common()]
    lines += [
        f"{each.subject.name}: {each.outcome}: {each.why} {each.step}".rstrip()
        for each in found
        if each.outcome not in ("verified", "zero")
    ]
    return "\n".join(lines)


def main(names: Sequence[str], *, write: bool = False) -> None:
    """Print what became of every layer, or of those that are named."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for subject in subjects():
            if names and subject.name not in names:
                continue
            each = outcome_of(subject, Path(folder))
            print(f"{subject.name}: {each.outcome} {each.why} {each.step}", flush=True)
            found.append(each)
    print(told(found))
    print(figures(found))
    if write:
        _FIGURES.write_text(figures(found), encoding="utf-8")


if __name__ == "__main__":
    given = [name for name in sys.argv[1:] if name != "--write"]
    main(given, write="--write" in sys.argv)
