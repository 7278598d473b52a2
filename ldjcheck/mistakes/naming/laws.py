"""Which names of a difference a law brings about, and which any number may have."""

from __future__ import annotations

from ldjcheck.records import Finding, Result

_LAWLESS = {"LDJ111", "LDJ116", "LDJ120", "LDJ199"}
"""Names of a difference that any number, set against an ldj, may have."""
_OF_AN_LDJ = {"LDJ201", "LDJ202", "LDJ210", "LDJ501"}
"""Alone, they are found only where the numbers, put right, add up to the exact ldj."""


def follows_a_law(result: Result) -> bool:
    """Whether all that is wrong with a value is a law's: no chance brings that about.

    An ldj that has nothing but the wrong shape, or gradient, has the right value.
    """
    codes = {finding.code for finding in result.findings if finding.severity == "error"}
    about_values = {code for code in codes if code.startswith("LDJ1")}
    if about_values:
        return not about_values & _LAWLESS
    return bool(codes) and codes <= _OF_AN_LDJ


def is_of_a_law(finding: Finding) -> bool:
    """Whether a mistake is of an ldj's value, and a law's."""
    grave = finding.severity == "error" and finding.code.startswith("LDJ1")
    return grave and finding.code not in _LAWLESS
