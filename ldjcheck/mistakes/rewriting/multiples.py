"""Edits that make a term count as often as it should: once per dim, per pixel, ...."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes.rewriting import calls, factors, reductions, signs

if TYPE_CHECKING:
    from ldjcheck.mistakes.rewriting.sites import Change, Site


def counted(site: Site) -> Iterator[Change]:
    """Yield edits that multiply a term by the count that its explanation asks for."""
    explanation, label = site.explanation, site.multiplier
    if label.startswith("-"):
        yield from _counted_and_turned(site, label.removeprefix("-"))
        return
    yield from calls.summed(site)
    yield from factors.by_count(site, label)
    if explanation is None or not explanation.constant:
        yield from reductions.over_events(site)


def _counted_and_turned(site: Site, label: str) -> Iterator[Change]:
    """Yield edits of a count, each beside every edit that turns a sign."""
    turns = list(signs.operators(site))
    for count in factors.by_count(site, label):
        for turn in turns:
            both = count.replacements + turn.replacements
            yield replace(count, cost=count.cost + turn.cost, replacements=both)
