"""Which findings explain others away, and which no number has by chance."""

from collections.abc import Sequence

from ldjcheck.records import Finding, Result, Verdict

_CAUSES = ("LDJ211", "LDJ209", "LDJ208", "LDJ207", "LDJ206", "LDJ204", "LDJ301")
"""What may be why a number is wrong, the one that explains most first."""

_SPOILS = ("LDJ211", "LDJ209", "LDJ208", "LDJ207")
"""After these the numbers of a direction, and of the way back, are no evidence."""

_SPOILED = ("LDJ1", "LDJ301", "LDJ302", "LDJ304", "LDJ4")


_LAWLESS = {"LDJ111", "LDJ116", "LDJ120", "LDJ199"}
"""Names of a difference that any number, set against an ldj, may have."""
_OF_AN_LDJ = {"LDJ201", "LDJ202", "LDJ210", "LDJ501"}
"""Alone, they are found only where the numbers, put right, add up to the exact ldj."""


def numbers_count(verdict: Verdict) -> bool:
    """Return whether a direction's numbers are evidence of a mistake in its formula."""
    seen = verdict.behaviour
    return not (
        (seen.coupling and seen.coupling.output)
        or (seen.unrepeatable and not seen.unrepeatable.by_mode)
        or (seen.state and seen.state.every_call)
        or seen.stale
        or (seen.accumulation and seen.accumulation.share is None)
    )


def rank(finding: Finding) -> int:
    """Return where a finding stands among those of one severity and direction."""
    known = finding.code in _CAUSES
    return _CAUSES.index(finding.code) if known else len(_CAUSES)


def without_consequences(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings that no other one explains."""
    return tuple(f for f in findings if not any(_explains(g, f) for g in findings))


def _explains(cause: Finding, other: Finding) -> bool:
    if cause is other or cause.severity == "note":
        return False
    if cause.code in _SPOILS:
        if other.code in _SPOILS:
            alike = cause.direction == other.direction or cause.code == "LDJ209"
            return alike and rank(cause) < rank(other)
        spoiled = other.code.startswith(_SPOILED)
        there_and_back = other.code == "LDJ301" or other.direction is None
        return spoiled and (cause.direction == other.direction or there_and_back)
    if cause.code == "LDJ501" and cause.severity == "error":
        lawless = other.code.startswith("LDJ1") and not is_of_a_law(other)
        return lawless and cause.direction == other.direction
    if cause.code == "LDJ301":  # what does not lead back is no map to ask more of
        return other.direction == "inverse" and other.code in ("LDJ304", "LDJ402")
    if cause.code != "LDJ204" or cause.direction != other.direction:
        return False
    # What is lost of the total also looks like terms that are forgotten, and a statement
    # that multiplies the total multiplies the layer's own part with it.
    if other.code in ("LDJ110", "LDJ119", "LDJ303"):
        return True
    return other.code == "LDJ114" and cause.location == other.location is not None


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
