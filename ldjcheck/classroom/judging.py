"""What a check says about the layers of the zoo, against what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ldjcheck.api import check
from ldjcheck.classroom.animal import Animal
from ldjcheck.mistakes import rule_for
from ldjcheck.records import Status

if TYPE_CHECKING:
    from ldjcheck.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one layer of the zoo was judged.

    `detected`: a wrong layer got a finding that no right one gets. `named`: its first
    finding is the expected one, or a tie that admits it, in the right direction, and what
    must stand beside it does.
    `false_alarm`: a right layer got anything but a pass and the notes that it admits.
    """

    animal: Animal
    report: Report
    status: Status
    first: str | None  # the code of the first finding
    others: tuple[str, ...]
    detected: bool
    named: bool
    false_alarm: bool


def examine(animal: Animal, layer: Callable[[], Any] | None = None) -> Report:
    """Return the check of a layer, built afresh; of another one in its place."""
    made = built(animal.layer if layer is None else layer)
    return check(made, shape=animal.shape, pictures=False, **dict(animal.options))


def built(layer: Callable[[], Any]) -> Any:
    """Return a new layer whose random weights are the same every time."""
    import torch

    torch.manual_seed(0)
    return layer()


def _named(code: str | None) -> str | None:
    rule = rule_for(code or "")
    return None if rule is None else rule.name


def judge(animal: Animal) -> Verdict:
    """Return how a layer of the zoo fares."""
    report = examine(animal)
    findings = report.findings
    first = findings[0] if findings else None
    codes = tuple(finding.code for finding in findings)
    is_right = animal.code is None
    unexpected = [code for code in codes if code not in animal.admits]
    named = first is not None and not is_right and (
        first.code == animal.code
        or (first.code in animal.ties and _named(animal.code) in first.also_fits)
    )  # fmt: skip
    if animal.direction is not None and first is not None:
        named = named and first.direction in (animal.direction, None)
    named = named and set(animal.beside) <= set(codes)
    return Verdict(
        animal=animal,
        report=report,
        status=report.status,
        first=None if first is None else first.code,
        others=codes[1:],
        detected=not is_right and (report.status != "pass" or animal.code in codes),
        named=named,
        false_alarm=is_right and (report.status != "pass" or bool(unexpected)),
    )
