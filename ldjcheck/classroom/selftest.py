"""Planting every mistake that a layer has room for, and looking what is caught.

Nothing is written: the code of one function is exchanged in memory while a planted
mistake is checked, and put back. A slip counts as a mistake where the ldj comes out
otherwise than before and the map does not, whatever the check then says about it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ldjcheck.checking.pipeline import check_layer, measure_layer
from ldjcheck.classroom.slips import Slip, slips
from ldjcheck.errors import CannotCheckError
from ldjcheck.fixes.sites import Site, real_file
from ldjcheck.records import DirectionMeasured, Location
from ldjcheck.revision import Live, StaleSourceError
from ldjcheck.revision.functions import functions_around

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from ldjcheck.records import Layer, LedgerLine, Measurement, Options, Result, Status

_SAME = 1e-9  # relative: a difference below is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One planted mistake, and what the check said."""

    slip: Slip
    caught: bool
    is_remark: bool  # caught, but by a warning or note: the check passes
    code: str | None
    name: str | None
    line: int | None  # that the finding points at


@dataclass(frozen=True, slots=True, kw_only=True)
class Selftest:
    """A layer, how it is as it stands, and all mistakes that were planted in it."""

    layer: str
    shape: str
    status: Status
    why: str | None = None  # why nothing was planted
    planted: tuple[Planted, ...] = ()

    @property
    def caught(self) -> int:
        """How many of the planted mistakes were caught."""
        return sum(each.caught for each in self.planted)


def plant_all(layer: Layer, options: Options) -> Selftest:
    """Return what becomes of every mistake that fits into a layer's own source."""
    checked = check_layer(layer, replace(options, ledger=True))
    about = Selftest(layer=layer.name, shape=_shape(checked), status=checked.status)
    if checked.status != "pass":
        return replace(about, why=_said(checked))
    sites = list(_sites(checked))
    if not sites:
        return replace(about, why="no statement of its own makes its ldj")
    live = Live(list(dict.fromkeys(site.source.file for site in sites)))
    before = measure_layer(layer, options)
    known = {finding.code for finding in checked.findings}
    planted = tuple(
        found
        for slip in _all_slips(sites, live)
        if (found := _tried(slip, live, layer, options, before, known)) is not None
    )
    why = None if planted else "no slip changes its ldj"
    return replace(about, planted=planted, why=why)


def _said(result: Result) -> str:
    first = result.findings[0].message if result.findings else "see the check itself"
    return f"the layer does not pass as it stands: {first}"


def _shape(result: Result) -> str:
    shapes = [c.shape for c in result.checks if c.shape is not None]
    return str(shapes[0]) if shapes else ""


def _sites(result: Result) -> Iterator[Site]:
    """Yield the statements that may serve the ldj, in their order.

    The ledger knows where terms are made. What sums and returns them stands in the same
    functions; there, only what moves the map alone is left out.
    """
    lines = dict.fromkeys(map(_place, result.ledger))
    serving = {_place(e) for e in result.ledger if e.reported is not None}
    live = Live(list(dict.fromkeys(file for file, _ in serving)))
    seen = set()
    for file, line in sorted(serving):
        source = live.sources.get(file)
        for found in () if source is None else source.statements.get(line, ()):
            assert source is not None
            function = next(functions_around(source, found), None)
            if function is None or function in seen or not live.is_running(file, found):
                continue
            seen.add(function)
            for statement in ast.walk(function):
                if isinstance(statement, ast.Assign | ast.AugAssign | ast.Return):
                    here = file, statement.lineno
                    if here in serving or here not in lines:
                        yield Site(source, statement, 0.0)


def _place(entry: LedgerLine) -> tuple[str, int]:
    """Return the file as it was loaded, and the line in it, of a ledger's entry."""
    at = Location(file=entry.file, line=entry.line, cell=entry.cell)
    return real_file(at), entry.line


def _all_slips(sites: list[Site], live: Live) -> Iterator[Slip]:
    seen = set()
    for site in sites:
        for slip in slips(site):
            if slip.replacements not in seen:
                seen.add(slip.replacements)
                yield slip


def _tried(
    slip: Slip,
    live: Live,
    layer: Layer,
    options: Options,
    before: Measurement,
    known: Container[str],
) -> Planted | None:
    """Return how a slip fares; None where it is no mistake that could go unnoticed.

    `known` are the findings of the layer as it stands: another one is told apart.
    """
    try:
        with live.edited(slip.replacements):
            if not _tells_otherwise(measure_layer(layer, options), before):
                return None
            result = check_layer(layer, options)
    except (CannotCheckError, StaleSourceError, SyntaxError):
        return None
    if result.status == "error":
        return None  # it raises: nobody would train with it
    first = next((f for f in result.findings if f.code not in known), None)
    fails = result.status == "fail"
    place = None if first is None else first.location
    return Planted(
        slip=slip,
        caught=fails or first is not None,
        is_remark=not fails and first is not None,
        code=None if first is None else first.code,
        name=None if first is None else first.name,
        line=None if place is None else place.line,
    )


def _tells_otherwise(after: Measurement, before: Measurement) -> bool:
    """Return whether the ldj differs somewhere, and the map nowhere."""
    differs = False
    for now, then in zip(after.measured, before.measured, strict=False):
        for direction in ("forward", "inverse"):
            one, other = getattr(now, direction), getattr(then, direction)
            if not isinstance(one, DirectionMeasured):
                if isinstance(other, DirectionMeasured):
                    return False
                continue
            if not isinstance(other, DirectionMeasured):
                return False
            if not _same(one.y, other.y):
                return False
            if one.form != other.form or not _same(one.reported, other.reported):
                differs = True
    return differs


def _same(a: object, b: object) -> bool:
    import torch

    if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
        return a is b
    return a.shape == b.shape and torch.allclose(
        a, b, rtol=_SAME, atol=_SAME, equal_nan=True
    )
