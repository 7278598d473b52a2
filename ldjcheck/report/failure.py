"""What a failing test says: code and mistake, the numbers, where, and the cure.

A test runner shows it behind a margin of its own, so nothing is wider than 72 columns. Its
summary has a line for each test, and cuts that: code and name of the mistake come first.
"""

import math

from ldjcheck.records import Check, Finding, Result, Run, Severity
from ldjcheck.report.blocks import finding as about
from ldjcheck.report.blocks.finding import Block
from ldjcheck.report.blocks.layout import one_line, shorten, wrap
from ldjcheck.report.blocks.tables import heading, label, outcome, sample_table
from ldjcheck.report.blocks.title import gravest
from ldjcheck.report.style import Style

_WIDTH = 72
_STYLE = Style(color=False, verbosity=0, width=_WIDTH + 2)  # a margin of two is cut off
_GRAVE: tuple[Severity, ...] = ("error", "unproven")
_OTHERS_SHOWN = 4


def render(run: Run) -> str:
    """Return the message for a run with one result that is no pass."""
    (result,) = run.results
    main = gravest(result)
    check = _check_of(main, result)
    blocks: list[Block] = [_what(main, result)]
    if main is not None and main.code.startswith("LDJ0"):
        blocks.append(_dedented(about.evidence(main, "  ", _STYLE)))
    else:
        blocks.append(_numbers(check, result, run.seed))
        blocks += () if main is None else (_where(main), _why(main))
    blocks += _smallest(check, main, result), _others(main, result)
    return "\n\n".join("\n".join(block) for block in blocks if block)


def in_short(run: Run) -> str:
    """Return the same in one line: code, mistake, and the sentence about it."""
    (result,) = run.results
    main = gravest(result)
    if main is None:
        return " ".join(" ".join(_what(main, result)).split())
    return f"{main.code} {main.name}: {one_line(main.message)}"


def _what(main: Finding | None, result: Result) -> Block:
    if main is None:
        named = [f"{label(c)} {outcome(c)}" for c in result.checks if _is_off(c)]
        said = [f"{one_line(k)}: {one_line(v)}" for k, v in result.inferred.items()]
        text = f"{result.status}: {', '.join(named) or 'nothing was compared'}"
        lines = wrap(text, _WIDTH, "", "  ")
        return lines + [shorten(each, _WIDTH) for each in said if "trip" in each]
    return [f"{main.code} {main.name}", *wrap(one_line(main.message), _WIDTH, rows=12)]


def _is_off(check: Check) -> bool:
    return check.status in ("fail", "unproven", "error")


def _check_of(main: Finding | None, result: Result) -> Check | None:
    """Return the check whose numbers the finding is about."""
    direction = None if main is None else main.direction
    off = [check for check in result.checks if _is_off(check)]
    own = [check for check in off if check.direction == direction]
    # A broken contract has no numbers: its finding says all there is to say.
    return next((c for c in own or off if c.name != "contract"), None)


def _numbers(check: Check | None, result: Result, seed: int) -> Block:
    if check is None:
        return []
    title = ", ".join([*heading(check), f"seed {seed}"])
    lines = wrap(f"{one_line(result.layer or '')} {title}".strip(), _WIDTH, "", "  ")
    return lines + (_dedented(sample_table(check, _STYLE)) if check.samples else [])


def _where(main: Finding) -> Block:
    lines: Block = []
    if main.location is not None:
        lines += about.place(main.location, main.fix is None, _STYLE)
    if main.fix is not None:
        lines += about.fix(main.fix, main.location, _STYLE)
    return _dedented(lines)


def _why(main: Finding) -> Block:
    """Return the law where there is one, else the evidence."""
    if main.law is not None:
        return about.law(main.law, "", Style(color=False, verbosity=0, width=_WIDTH))
    return _dedented(about.reasons(main, _STYLE))


def _smallest(check: Check | None, main: Finding | None, result: Result) -> Block:
    """Return the smallest shape that fails; a law tells of smaller ones by itself."""
    if "search" in result.inferred:  # which has made it as small as it gets
        return wrap(one_line(result.inferred["search"]), _WIDTH, "", "  ")
    if check is None or check.smallest_failing is None:
        return []
    points = () if main is None or main.law is None else main.law.points
    if any(p.dims < math.prod(check.smallest_failing) for p in points):
        return []
    text = f"smallest failing shape of those tried: {check.smallest_failing}"
    return wrap(text, _WIDTH, "", "  ")


def _others(main: Finding | None, result: Result) -> Block:
    """Return the other mistakes, a line each, and where to read on."""
    rest = [f for f in result.findings if f is not main and f.severity in _GRAVE]
    lines: Block = []
    for finding in rest[:_OTHERS_SHOWN]:
        direction = f" {finding.direction}" if finding.direction else ""
        text = f"also {finding.code} {finding.name}{direction}: {finding.message}"
        lines += wrap(one_line(text), _WIDTH, "", "  ", rows=3)
    if len(rest) > _OTHERS_SHOWN:
        lines.append(f"... {len(rest) - _OTHERS_SHOWN} more")
    if main is not None:
        lines.append(f"more: ldjcheck explain {main.code}")
    return lines


def _dedented(lines: Block) -> Block:
    return [line.removeprefix("  ") for line in lines]
