"""Fixes of planted mistakes: are they offered, and are they right by this test's oracle?

A fix is written into the text of the file, the functions that it changes are compiled
from there, and layers of other shapes and seeds than the checked one are compared with
the exact value, both ways. ldjcheck has no part in that.
"""

from __future__ import annotations

import gc
import types
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tabulate import tabulate

from .checking import check_options, time_limit
from .oracle import call, double, draw_inputs, exact_ldj, per_sample, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ldjcheck.records import Edit

    from .case import Case
    from .planted import Planted

BATCH = 4
SEEDS = (21, 22, 23)
FIXED = 80.0  # percent of the mistakes that one expression mends


@dataclass(frozen=True, slots=True, kw_only=True)
class FixScore:
    """What became of the fix of one planted layer.

    `verdict` is one of: right (verified, and right by the oracle), wrong (verified, and
    not), none (no fix is offered), missed (the status is not `fail`).
    """

    planted: Planted
    verdict: str
    name: str | None = None
    before: str = ""
    after: str = ""
    off: float = 0.0
    seconds: float = 0.0

    @property
    def is_one_expression(self) -> bool:
        """Whether one expression, put back, mends the mistake."""
        edits = self.planted.edits
        return len(edits) == 1 and edits[0].text.strip() != "pass"


def check_fix(planted: Planted) -> FixScore:
    """Return what became of the fix of one planted layer."""
    import ldjcheck

    with planted.layer() as layer, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        try:
            with time_limit():
                options = check_options(planted.case, planted.shape)
                report = ldjcheck.check(layer, **options)
        except TimeoutError:
            return FixScore(planted=planted, verdict="missed", name="too slow")
        if report.status != "fail":
            return FixScore(planted=planted, verdict="missed", name=report.status)
        first = report.findings[0]
        if first.fix is None or first.fix.applicability != "verified":
            return FixScore(planted=planted, verdict="none", name=first.name)
        edits = first.fix.edits
        with written(edits):
            try:
                off = largest_difference(planted.case)
            except Exception:  # an edit after which the layer raises is no fix
                off = float("inf")
        return FixScore(
            planted=planted,
            verdict="right"
            if off <= max(1e-6, 10 * planted.case.tolerance)
            else "wrong",
            name=first.name,
            before="\n".join(edit.before.strip() for edit in edits),
            after="\n".join(edit.after.strip() for edit in edits),
            off=off,
            seconds=report.to_dict()["results"][0]["seconds"],
        )


def largest_difference(case: Case) -> float:
    """Return the largest |reported - exact| over shapes, seeds and directions."""
    worst = 0.0
    with double():
        for shape in case.shapes:
            for seed in SEEDS:
                layer = prepare(case, shape, seed)
                x = draw_inputs(case, shape, BATCH, seed)
                y, raw = call(case, layer, x, False, seed)
                worst = max(worst, _off(case, layer, x, raw, False, seed))
                if case.inverse and not case.forward_only:
                    _, raw = call(case, layer, y.detach(), True, seed)
                    worst = max(worst, _off(case, layer, y.detach(), raw, True, seed))
    return worst


def _off(
    case: Case, layer: object, x: torch.Tensor, raw: object, inverse: bool, seed: int
) -> float:
    exact = exact_ldj(case, layer, x, inverse, seed)
    reported = per_sample(raw, len(x), case.elementwise).detach()
    off = (reported - exact).abs() / (1 + exact.abs())
    finite = off[exact.isfinite()]
    if not finite.numel():
        return 0.0  # the way back of a dequantization is flat: its noise is what counts
    return float("inf") if finite.isnan().any() else float(finite.max())


@contextmanager
def written(edits: Sequence[Edit]) -> Iterator[None]:
    """Let the running functions do what the files would say, edits written."""
    swaps = []
    for file in {edit.file for edit in edits}:
        lines = Path(file).read_text().split("\n")
        for edit in sorted((e for e in edits if e.file == file), key=lambda e: -e.line):
            assert lines[edit.line - 1] == edit.before
            new = edit.after.split("\n") if edit.after else []
            lines[edit.line - 1 : edit.line] = new
        codes = _codes(compile("\n".join(lines), str(Path(file)), "exec"))
        for function in gc.get_objects():
            if type(function) is types.FunctionType:
                old = function.__code__
                same = Path(old.co_filename) == Path(file).absolute()
                new_code = codes.get(old.co_qualname) if same else None
                if new_code and new_code.co_freevars == old.co_freevars:
                    swaps.append((function, old))
                    function.__code__ = new_code
    try:
        yield
    finally:
        for function, old in swaps:
            function.__code__ = old


def _codes(code: types.CodeType) -> dict[str, types.CodeType]:
    found, stack = {}, [code]
    while stack:
        current = stack.pop()
        found[current.co_qualname] = current
        stack += [c for c in current.co_consts if isinstance(c, types.CodeType)]
    return found


# --- what is printed -------------------------------------------------------------


def fix_figures(scores: Sequence[FixScore]) -> tuple[float, int]:
    """Return the percentage of one-expression mistakes with a right fix, and the wrong."""
    single = [score for score in scores if score.is_one_expression]
    right = sum(score.verdict == "right" for score in single)
    wrong = sum(score.verdict == "wrong" for score in scores)
    return 100.0 * right / max(1, len(single)), wrong


def fix_report(scores: Sequence[FixScore]) -> str:
    """Return the table by the kind of mistake, and the figures."""
    groups: dict[str, list[FixScore]] = {}
    for score in scores:
        groups.setdefault(score.planted.mistake, []).append(score)
    rows = [_row(name, group) for name, group in sorted(groups.items())]
    single = [score for score in scores if score.is_one_expression]
    rows.append(_row("all", list(scores)))
    rows.append(_row("all that one expression mends", single))
    share, wrong = fix_figures(scores)
    headers = ["mistake", "planted", "verified", "right", "wrong", "right %"]
    return "\n\n".join(
        (
            tabulate(rows, headers=headers, floatfmt=".1f"),
            f"Of the mistakes that one expression mends, {share:.1f} % get a verified fix "
            f"(wanted: {FIXED:g} %).\nVerified fixes that leave a difference: {wrong}.",
        )
    )


def fix_misses(scores: Sequence[FixScore]) -> str:
    """Return every mistake without a right fix, with what was edited."""
    lines = []
    for score in scores:
        if score.verdict == "right":
            continue
        before, after = score.planted.before_and_after()
        lines += [
            f"{score.verdict.upper()} {score.planted.id}: {score.name}",
            *(f"  - {row.strip()}" for row in before.splitlines()),
            *(f"  + {row.strip()}" for row in after.splitlines() if row.strip()),
            *(f"  fix {row}" for row in score.after.splitlines()),
        ]
    return "\n".join(lines)


def _row(name: str, scores: Sequence[FixScore]) -> list[object]:
    right = sum(score.verdict == "right" for score in scores)
    wrong = sum(score.verdict == "wrong" for score in scores)
    share = 100.0 * right / max(1, len(scores))
    return [name, len(scores), right + wrong, right, wrong, share]
