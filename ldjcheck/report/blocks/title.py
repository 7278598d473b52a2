"""The verdict line: the target on the left, what it comes to on the right.

A verdict never reads better than it is: a pass says what it leaves open.
"""

from __future__ import annotations

from ldjcheck.mistakes import rule_for
from ldjcheck.records import Finding, Result, Status
from ldjcheck.report.blocks.finding import Block
from ldjcheck.report.blocks.layout import cells, one_line, pad, shorten_target, wrap
from ldjcheck.report.style import Style

COLORS: dict[Status, str] = {
    "pass": "green",
    "fail": "red",
    "unproven": "yellow",
    "error": "red",
}
_DERIVED = {
    "verified": ("DERIVED", "green"),
    "suggested": ("NOT VERIFIED", "yellow"),
    "none": ("NOT DERIVED", "yellow"),
}
_GRAVE = ("error", "unproven")


def title(result: Result, style: Style) -> str:
    """Return the target on the left; status, mistake and what is open on the right."""
    name, layer = one_line(result.target), one_line(result.layer or "")
    if layer.partition("(")[0] not in name:
        name = f"{name}  {layer}"
    verdict, color = _verdict(result, cells(name), style), COLORS[result.status]
    if result.derived is not None:
        verdict, color = _DERIVED[result.derived.applicability]
    room = style.width - cells(verdict) - 2
    left = pad(shorten_target(name, room), room)
    return f"{left}  {style.paint(verdict, color, bold=True)}"


def left_out(result: Result, style: Style) -> Block:
    """Return what time did not allow, to stand right under the verdict."""
    if not result.not_done:
        return []
    what = ", ".join(map(one_line, result.not_done))
    text = f"Time did not allow: {what}. --timeout gives it more."
    return wrap(text, style.width, "  ", "    ", rows=2)


def _verdict(result: Result, least: int, style: Style) -> str:
    """Return the verdict, with the name of the mistake where the page has room for it."""
    words = [result.status.upper()]
    main = _that_decides(result)
    if main is not None:
        words.append(main.code)
    words += left_open(result)
    if any(each.severity in _GRAVE for each in result.ignored):
        words.append(f"{len(result.ignored)} ignored")
    short = "  ".join(words)
    if main is None:
        return short
    named = "  ".join([words[0], f"{main.code} {one_line(main.name)}", *words[2:]])
    return named if least + 2 + cells(named) <= style.width else short


def _that_decides(result: Result) -> Finding | None:
    """Return the finding that the status stands for: none for a pass."""
    if result.status == "pass":
        return None
    severities = ("unproven",) if result.status == "unproven" else ("error", "warning")
    for severity in severities:
        for finding in result.findings:
            if finding.severity == severity:
                return finding
    return None


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
    rules = filter(None, (rule_for(finding.code) for finding in result.findings))
    open_ += dict.fromkeys(rule.leaves_open for rule in rules if rule.leaves_open)
    open_ += [f"{name} not checked" for name in result.unasked]
    return tuple(open_)


def _events(sizes: tuple[int | None, ...]) -> str:
    """Return which events these are: `at (6,)`, `at (1, *, *)`, `vectors`."""
    if sizes == (None,):
        return "vectors"
    listed = ", ".join("*" if size is None else str(size) for size in sizes)
    return f"at ({listed}{',' * (len(sizes) == 1)})"
