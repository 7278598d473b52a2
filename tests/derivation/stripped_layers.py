"""Right layers whose ldj is taken out, derived, and re-checked: what became of each.

Run from the repository root, with the tests importable, to see the figures and whatever is
not verified. It takes some minutes; names of layers make it ask about these alone:

    PYTHONPATH=tests python -m derivation.stripped_layers [NAME ...]
"""

from __future__ import annotations

import importlib.util
import inspect
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
_EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True, slots=True)
class Subject:
    """A right layer: the file that defines it, the name to build it by, and its shape."""

    file: Path
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
        if inspect.isclass(animal.layer) or inspect.isfunction(animal.layer):
            file = inspect.getsourcefile(animal.layer)
            assert file is not None
            yield Subject(Path(file), animal.name, animal.shape)
    for name, layer, shape in _OF_EXAMPLES:
        yield Subject(_EXAMPLES / f"{name}.py", layer, shape)


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
    source = subject.file.read_text(encoding="utf-8")
    file = folder / f"{subject.name}_of_{subject.file.stem}.py"
    file.write_text(stripped_source(source), encoding="utf-8")
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
    kinds = tuple(dict.fromkeys(step.why.partition(" ")[2] for step in derived.steps))
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


def main(names: Sequence[str]) -> None:
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


if __name__ == "__main__":
    main(sys.argv[1:])
