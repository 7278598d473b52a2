"""Mending one direction: one mistake by one edit, or two by an edit each, or by one."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

import torch

from ldjcheck.mistakes.mending.search import Question, candidates, runs_with, working
from ldjcheck.revision import Live, Replacement, StaleSourceError, is_disjoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from ldjcheck.mistakes.rewriting.sites import Change

_EACH = 80  # edits that are tried for each of two mistakes
_PAIRS = 12  # pairs of edits that are run together
_NEAR = 1e-6  # relative to the largest part: two changes that cancel the difference

Found = list[tuple[Question, "Change"]]
Moves = list[tuple["Change", "Tensor"]]


def solutions(
    live: Live, questions: Sequence[Question], base: Sequence[Replacement] = ()
) -> Iterator[Found]:
    """Yield the edits with which one direction agrees wherever it was measured."""
    if len(questions) == 1:
        for change in working(live, questions[0], base):
            yield [(questions[0], change)]
    elif len(questions) == 2:
        yield from _pairs(live, questions[0], questions[1], base)


def _pairs(
    live: Live, first: Question, second: Question, base: Sequence[Replacement]
) -> Iterator[Found]:
    """Yield pairs of edits: what they change must add up to the whole difference.

    Two mistakes at different places change the ldj independently of one another, so each
    edit is run once by itself, and only pairs that add up are run together.
    """
    start = _gap(live, base, first)
    if start is None or not bool(torch.isfinite(start).all()):
        return
    ones, twos = (list(_moves(live, q, base, start)) for q in (first, second))
    yield from _at_once(live, (first, ones), (second, twos), base, start)
    ordered = sorted(
        itertools.product(range(len(ones)), range(len(twos))), key=lambda ij: sum(ij)
    )
    tried = 0
    for i, j in ordered:
        (one, moved), (two, also) = ones[i], twos[j]
        left = (start + moved + also).abs()
        size = 1 + torch.maximum(moved.abs(), also.abs())
        if not bool((left <= _NEAR * size).all()):
            continue
        together = (*base, *one.replacements, *two.replacements)
        if not is_disjoint(together):
            continue
        tried += 1
        if runs_with(live, together, first.rehearsal.agrees):
            yield [(first, one), (second, two)]
        if tried >= _PAIRS:
            return


def _at_once(
    live: Live,
    one: tuple[Question, Moves],
    two: tuple[Question, Moves],
    base: Sequence[Replacement],
    start: Tensor,
) -> Iterator[Found]:
    """Yield edits of what both mistakes have in common, as a helper: one mends them all."""
    for question, moves in (one, two):
        for change, moved in moves:
            size = 1 + moved.abs()
            if bool(((start + moved).abs() <= _NEAR * size).all()) and runs_with(
                live, (*base, *change.replacements), question.rehearsal.agrees
            ):
                yield [(question, change)]


def _moves(
    live: Live, question: Question, base: Sequence[Replacement], start: Tensor
) -> Iterator[tuple[Change, Tensor]]:
    """Yield edits that change the ldj, with by how much at the first input, `(batch,)`."""
    for change in itertools.islice(candidates(live, question), _EACH):
        together = (*base, *change.replacements)
        if not is_disjoint(together):
            continue
        gap = _gap(live, together, question)
        if gap is None or not bool(torch.isfinite(gap).all()):
            continue
        if bool(((gap - start).abs() > _NEAR).any()):
            yield change, gap - start


def _gap(
    live: Live, changes: Sequence[Replacement], question: Question
) -> Tensor | None:
    with contextlib.suppress(StaleSourceError, SyntaxError), live.edited(changes):
        return question.rehearsal.gap()
    return None
