"""What all variants have in common: another way of calling a layer that was checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.records import Finding, Layer, Options, Result
    from ldjcheck.settling.subject import Subject

_OF_THE_MAP = {"LDJ304", "LDJ207", "LDJ208", "LDJ209", "LDJ301"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is to be checked as well, or what is known of it without a check.

    Of what is the same map with more beside it the values are looked at first, and all of
    it only where these are not right.
    """

    result: Result  # told where nothing more is checked
    options: Options | None = None  # by which it is called so
    layer: Layer | None = None  # what is called, where that is not the layer itself
    subject: Subject | None = None  # the layer as it is settled already
    values_first: Subject | None = None
    said: str = ""  # how it is called


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Another way of calling a layer, which may be wrong where the usual one is right."""

    name: str
    concerns: Callable[[Result], bool]
    proposed: Callable[[Subject, Result], Proposal]
    adopted: Callable[[Proposal, Result], Result] | None = None  # which of both is told
    # What is told where it cannot be called so; None: that it cannot.
    unable: Callable[[Proposal], Result] | None = None
    repeats: bool = False  # there may be several such ways, asked one after the other


def as_before(proposal: Proposal) -> Result:
    """Return what was known before: nothing is said of what cannot be called so."""
    return proposal.result


def passes(result: Result) -> bool:
    """Return whether nothing is wrong, or unproven, so far."""
    return result.status == "pass"


def is_of_value(result: Result) -> bool:
    """Return whether a number is wrong, and the map is one: what is fed may not fit it."""
    grave = {f.code for f in result.findings if f.severity == "error"}
    coupled = any(f.code == "LDJ207" for f in result.findings)  # in training: a warning
    return not coupled and not _OF_THE_MAP & grave


def is_mended(finding: Finding) -> bool:
    """Return whether an edit is known that mends it, and is written where that is asked."""
    return finding.fix is not None and finding.fix.applicability == "verified"


def doubted(finding: Finding) -> Finding:
    """Return a finding with its edit as no more than a suggestion: it is not written."""
    if finding.fix is None:
        return finding
    return replace(finding, fix=replace(finding.fix, applicability="suggested"))
