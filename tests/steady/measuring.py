"""What a check says of one build of one subject, as a row."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import ldjcheck
from ldjcheck.mistakes import rule_for

from .subjects import subjects

if TYPE_CHECKING:
    from ldjcheck.records import Finding, Result

    from .subject import Subject

BUILDS = tuple(range(10))
LIMIT = 120  # seconds, of one check


class TooLongError(BaseException):
    """A check went on past its limit; no `except Exception` of a layer stops it."""


def check_seed(seed: int) -> int:
    """Return the seed that a build of this seed is checked under: another for each."""
    return 100 + seed


def measure(id_: str, seed: int) -> dict[str, Any]:
    """Return what a check says of a subject that was built under `seed`, as a row.

    `right` says whether that is what is known of it; of a wrong one, `named` whether the
    finding has its name, `place` where the mistake is said to be, and `there` whether that
    is the planted line, None where none was planted. `seconds` are of
    CPU; `late` says that the limit was met.
    """
    subject = subjects()[id_]
    row = {"id": id_, "group": subject.group, "seed": seed, "code": subject.code}
    start = time.process_time()
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, 2.5 * LIMIT)
    try:
        row.update(_row(subject, _result(subject, seed)))
    except TooLongError:
        row.update(_nothing("hangs", f"no answer after {2.5 * LIMIT:g} s of CPU"))
    except Exception as error:
        row.update(_nothing("crash", f"{type(error).__name__}: {error}"))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    there = is_there(subject, row["place"]) if subject.place else None
    return {**row, "there": there, "seconds": time.process_time() - start}


def _stop(*_: object) -> None:
    raise TooLongError


def _result(subject: Subject, seed: int) -> Result:
    torch.manual_seed(seed)
    np.random.seed(seed)  # FrEIA draws its permutations there
    usual = {"pictures": False, "seed": check_seed(seed), "timeout": LIMIT}
    return ldjcheck.check(subject.build(), **{**usual, **subject.options}).result


def _nothing(status: str, message: str) -> dict[str, Any]:
    return {
        "status": status, "codes": [], "right": False, "named": False, "late": False,
        "place": None, "worst": None, "allowed": None, "message": message,
    }  # fmt: skip


def _row(subject: Subject, result: Result) -> dict[str, Any]:
    grave = [f for f in result.findings if f.severity in ("error", "unproven")]
    codes = [f.code for f in grave]
    first = next(iter(grave or result.findings), None)
    compared = [c for c in result.checks if c.worst is not None and c.tolerance]
    worst = max(compared, key=lambda c: c.worst / c.tolerance, default=None)
    named = _is_named(subject, result.findings)
    if subject.is_wrong:
        right = result.status != "pass" or named
    else:
        right = (result.status, bool(codes)) == (subject.code or "pass", False) or (
            result.status == subject.code == "unproven"
        )
    place = first.location if first else None
    message = first.message.partition("\n")[0] if first else ""
    if not grave:  # then it is a comparison that came out as it did
        missed = [c for c in result.checks if c.status not in ("pass", "not-available")]
        message = "; ".join(f"{c.name} {c.status}" for c in missed)
    return {
        "status": result.status,
        "codes": codes or [f.code for f in result.findings],
        "right": right,
        "named": named,
        "late": bool(result.not_done),
        "place": None if place is None else [place.file, place.line],
        "worst": worst and worst.worst,
        "allowed": worst and worst.tolerance,
        "message": message,
    }


def _is_named(subject: Subject, findings: tuple[Finding, ...]) -> bool:
    """Return whether the expected name stands where it should.

    That is the first place, but for layers of other people, of which a table knows one
    thing that is wrong, and not what else.
    """
    if subject.group == "field":
        return subject.code in [f.code for f in findings]
    if not findings:
        return False
    first, rule = findings[0], rule_for(subject.code or "")
    return first.code == subject.code or (
        first.code in subject.ties and rule is not None and rule.name in first.also_fits
    )


def is_there(subject: Subject, place: list[Any] | None) -> bool:
    """Return whether a finding's place is that of the planted mistake."""
    if subject.place is None or place is None:
        return False
    file, line = subject.place
    return Path(place[0]).name == Path(file).name and place[1] == line
