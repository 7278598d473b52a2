"""What a pass does not speak for."""

from __future__ import annotations

from ldjcheck.mistakes import rule_for
from ldjcheck.records import Result


def left_open(result: Result) -> tuple[str, ...]:
    """Return what a pass does not speak for, in a few words each; nothing of others."""
    if result.status != "pass":
        return ()
    compared = [c for c in result.checks if c.name == "ldj" and c.status == "pass"]
    open_ = []
    one_way = len(compared) == 1 and result.kind != "model"
    if one_way and compared[0].direction is not None:
        open_.append(f"{compared[0].direction} only")
    if result.alone is not None:
        open_.append(f"{_events(result.alone)} alone")
    rules = [rule_for(finding.code) for finding in result.findings]
    open_ += dict.fromkeys(
        rule.leaves_open for rule in rules if rule and rule.leaves_open
    )
    open_ += [f"{name} not checked" for name in result.unasked]
    return tuple(open_)


def _events(sizes: tuple[int | None, ...]) -> str:
    """Return which events these are: `at (6,)`, `at (1, *, *)`, `vectors`."""
    if sizes == (None,):
        return "vectors"
    listed = ", ".join("*" if size is None else str(size) for size in sizes)
    return f"at ({listed}{',' * (len(sizes) == 1)})"
