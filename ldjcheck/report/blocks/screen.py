"""A layer on one screen: what is wrong, where, why, and what to type.

What finds no room is left to `-v`. It is given up in one order: evidence first, source
lines last.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ldjcheck.records import Check, Finding, Fix, Law, Result
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks import finding as about
from ldjcheck.report.blocks.finding import Block, again
from ldjcheck.report.blocks.layout import cells, in_file, one_line, pad, shorten, wrap
from ldjcheck.report.blocks.ledger import by_sublayer, excerpt
from ldjcheck.report.blocks.tables import compared_on, label, outcome, outcome_in
from ldjcheck.report.blocks.title import Mistake, head, told_once
from ldjcheck.report.style import Style

_GIVEN = (
    "shown", "numbers", "weights", "inputs", "made up", "drawn", "start", "estimator",
    "approximation forward", "approximation inverse", "residual forward",
    "residual inverse",
)  # fmt: skip
"""What is told of what the layer was given beside the probes, and of what it gave."""
_NOT_GIVEN = "not given"
"""What a pass says nothing about: of a layer that is wrong, there is enough to say."""
ROWS = 28
"""Lines of a layer that is no pass: with a blank line and the summary they are 30."""
ROWS_OF_A_PASS = 6
"""Lines of one that passes; with these two they are 8."""


@dataclass(frozen=True, slots=True)
class _Room:
    """How much of each part is shown."""

    message: int  # rows of the sentence that says what is wrong
    evidence: int  # rows of reasons
    diff: int  # rows of the fix
    around: int  # steps beside the marked line
    others: int  # rows of each further mistake
    warnings: int  # rows of each warning; 0: codes alone
    notes: int  # rows of each note; 0: codes alone
    parts: int = 8  # rows of the sublayers
    also: int = 2  # rows of how it was called, and what else was compared


_ROOMS = (
    _Room(4, 9, 12, 3, 8, 3, 2),
    _Room(4, 7, 12, 3, 8, 3, 1),
    _Room(4, 6, 12, 2, 6, 2, 0),
    _Room(3, 4, 12, 2, 5, 2, 0),
    _Room(3, 3, 10, 1, 4, 1, 0),
    _Room(3, 2, 8, 1, 2, 1, 0, parts=4, also=1),
    _Room(2, 1, 4, 0, 1, 0, 0, parts=2, also=1),
)
"""From what is shown where there is room for it to the least that is."""
_BESIDE_PYTHON = 6
"""In how many of them the lines of Python are tried: they give up some reasons, not all."""


def blocks(result: Result, style: Style) -> list[Block]:
    """Return the blocks of lines of one layer, as much of each as fits the screen."""
    most = ROWS_OF_A_PASS if result.status == "pass" else ROWS
    drawn: list[Block] = []
    last = again(result, style.width)
    tries = [(room, last) for room in _ROOMS[:_BESIDE_PYTHON] if last]
    for room, end in (*tries, *((room, []) for room in _ROOMS)):
        if result.status == "pass":
            drawn = _passed(result, room, style)
        else:
            drawn = _wrong(result, room, style)
        drawn = [block for block in (*drawn, end) if block]
        rows = sum(map(len, drawn)) + len(drawn) - 1
        if rows == most + 1 and end:  # no blank line above them
            return [*drawn[:-2], [*drawn[-2], *end]]
        if rows <= most:
            return drawn
    lines = [line for block in drawn for line in (*block, "")][:-1]
    return [_cut(lines, most, style)]


# --- a pass ---------------------------------------------------------------------------


def _passed(result: Result, room: _Room, style: Style) -> list[Block]:
    lines = _compared(result, style)
    lines += about.ignored(result, style, room.warnings or 1)
    for check in result.checks:  # it disagrees, and the user lets it
        lines += _numbers(check, style) if check.status == "fail" else []
    lines += _also(result, room, style)
    lines += _remarks(result, room, style)
    return [head(result, style), lines]


def _compared(result: Result, style: Style) -> Block:
    """Return on what the ldj was compared, and how close it came, directions together."""
    alike: dict[tuple[str, ...], list[Check]] = {}
    for check in result.checks:
        if check.name == "ldj" and check.status in ("pass", "unproven"):
            alike.setdefault(tuple(_on(check)), []).append(check)
    groups = [
        (parts, some)
        for parts, checks in alike.items()
        # As where one of them is an estimate: each is held against its own bound.
        for some in ([checks] if _is_within_all(checks) else [[c] for c in checks])
    ]
    lines: Block = []
    for parts, checks in groups:
        worst = max((c.worst for c in checks if c.worst is not None), default=None)
        bounds = [c.tolerance for c in checks if c.tolerance is not None]
        left = " and ".join(label(check) for check in checks)
        left = f"  {left}: {', '.join(parts)}"
        right = "" if worst is None else f"worst {figures.size(worst)}"
        if bounds:
            right += f"  allowed {figures.size(min(bounds))}"
        lines.append(_aside(left, right, style.width))
    return lines


def _is_within_all(checks: list[Check]) -> bool:
    """Return whether the worst of all is within what is allowed of each."""
    worst = [c.worst for c in checks if c.worst is not None]
    bounds = [c.tolerance for c in checks if c.tolerance is not None]
    return not worst or not bounds or max(worst) <= min(bounds)


def _on(check: Check) -> Iterator[str]:
    yield from compared_on(check)
    if check.method == "products":
        yield "by products"
    if check.status != "pass":
        yield outcome(check)


def _also(result: Result, room: _Room, style: Style) -> Block:
    """Return with what it was checked, how it was understood, and the other checks."""
    passed = result.status == "pass"
    told = (*_GIVEN, _NOT_GIVEN) if passed else _GIVEN
    given = [one_line(result.inferred[w]) for w in told if w in result.inferred]
    given = list(dict.fromkeys(given))  # both ways may be given the same
    lines = (
        wrap("; ".join(given), style.width, "  ", "    ", room.also) if given else []
    )
    by_outcome: dict[str, list[str]] = {}
    for check in result.checks:
        is_told = check.name == "ldj" and check.status != "not-available" and passed
        if check.status == "fail" or is_told:
            continue
        by_outcome.setdefault(outcome_in(result, check), []).append(label(check))
    ranked = sorted(by_outcome.items(), key=lambda item: item[0] != "ok")
    words = [f"{word}: {_listed(names)}" for word, names in ranked]
    return [*lines, *_understood(result, words, room, style)]


def _understood(result: Result, words: list[str], room: _Room, style: Style) -> Block:
    """Return how the layer was called and what came of the checks, nothing cut in words.

    What the convention and the kind are is left unsaid first: their names tell it.
    """
    named = {"convention": result.convention, "kind": result.kind}
    known = {what: one_line(it) for what, it in named.items() if it}
    whole = [", ".join(f"{what} {it}" for what, it in known.items())]
    lines: Block = []
    for start in (whole, [", ".join(known.values())]):
        text = "; ".join(filter(None, [*start, *words]))
        lines = wrap(text, style.width, "  ", "    ") if text else []
        if len(lines) <= room.also:
            return lines
    return wrap(text, style.width, "  ", "    ", room.also)


def _listed(names: list[str]) -> str:
    """Return the names of checks, the gradients of both directions as one."""
    both = ["gradient forward", "gradient inverse"]
    if all(each in names for each in both):
        names = [*(name for name in names if name not in both), "gradients"]
    return ", ".join(names)


def _remarks(result: Result, room: _Room, style: Style) -> Block:
    """Return warnings and notes in sentences, or their codes where there is no room."""
    lines: Block = []
    for severity, rows in (("warning", room.warnings), ("note", room.notes)):
        found = [f for f in result.findings if f.severity == severity]
        if not rows and len(found) > 1:
            codes = ", ".join(dict.fromkeys(f"{f.code} {f.name}" for f in found))
            text = f"{severity}s, {style.more} tells them: {one_line(codes)}"
            lines.append(shorten(f"  {text}", style.width))
            continue
        for finding in found:
            text = f"{severity} {finding.code}: {one_line(finding.message)}"
            lines += wrap(text, style.width, "  ", "    ", rows=rows or 1)
    return lines


# --- anything else --------------------------------------------------------------------


def _wrong(result: Result, room: _Room, style: Style) -> list[Block]:
    mistakes = told_once(result.findings)
    above = head(result, style)
    if "explained at" in result.inferred:
        told = f"Explained at {one_line(result.inferred['explained at'])}."
        above += wrap(told, style.width, "  ", "    ", rows=2)
    drawn: list[Block] = [above]
    if not mistakes:
        drawn += _nameless(result, style)
    for mistake in mistakes[:1]:
        drawn += _first(result, mistake, room, style)
    drawn += [_further(mistake, room, style) for mistake in mistakes[1:]]
    rest = [*_also(result, room, style), *_remarks(result, room, style)]
    rest += about.ignored(result, style, room.warnings or 1)
    drawn += [rest, _closing(mistakes, style)]
    return drawn


def _nameless(result: Result, style: Style) -> list[Block]:
    """Return what is off, or open, where no finding says so."""
    off = [check for check in result.checks if check.status in ("fail", "unproven")]
    if not off and result.not_done and result.status == "unproven":
        text = "Nothing wrong was found in what was measured; a pass needs all of it."
        return [wrap(text, style.width, "  ", "  ")]
    names = ", ".join(f"{label(c)} {outcome(c)}" for c in off) or "nothing was compared"
    sentence = "Nothing wrong was found, but not all could be proved"
    if any(figures.is_wrong(sample) for check in off for sample in check.samples):
        sentence = (
            "What is reported differs from what I computed, and neither is proved"
        )
    if result.status != "unproven":
        sentence = "No finding says why"
    lines = wrap(f"{sentence}: {names}.", style.width, "  ", "  ")
    for what, why in result.inferred.items():
        if any(label(check) == what for check in off) or what == "not checked":
            text = f"{one_line(what)}: {one_line(why)}"
            lines += wrap(text, style.width, "  ", "    ", rows=3)
    if result.status == "unproven":
        which = "--shape or --domain" if style.is_typed else "shape= or domain="
        way = f"try another {which}, where its sizes and inputs are meant"
        lines += wrap(way, style.width, "  ", "    ")
        if any(check.direction != "forward" for check in off):
            way = "--direction forward" if style.is_typed else "direction='forward'"
            way += " leaves the way back out of the check"
            lines += wrap(way, style.width, "  ", "    ")
    return [lines, [row for check in off for row in _numbers(check, style)]]


def _first(
    result: Result, mistake: Mistake, room: _Room, style: Style
) -> Iterator[Block]:
    """Yield the most important mistake: what, where, why, and how it is mended."""
    finding = mistake.finding
    yield wrap(one_line(finding.message), style.width, "  ", "  ", room.message)
    if finding.code.startswith("LDJ0"):  # the evidence says everything, in its order
        yield _cut(about.evidence(finding, "  ", style), ROWS - 8, style)
        return
    check = _check_of(finding, result)
    where = excerpt(result, finding, room.around, style)
    parts = [p for p in result.sublayers if p.direction == finding.direction]
    yield where.lines
    if parts and not where.has_steps:
        yield _cut(by_sublayer(parts, style, room.parts), room.parts, style)
    yield _why(mistake, check, where.has_total, room, style)
    if (fix := mistake.finding.fix) is not None and mistake.edits:
        yield _fix(mistake, fix, room, style)


def _check_of(finding: Finding, result: Result) -> Check | None:
    """Return the check whose numbers the finding is about; a contract has none."""
    numbered = (check for check in result.checks if check.name != "contract")
    off = [check for check in numbered if check.status in ("fail", "unproven")]
    own = [check for check in off if check.direction == finding.direction]
    return next(iter(own or off), None)


def _why(
    mistake: Mistake, check: Check | None, has_total: bool, room: _Room, style: Style
) -> Block:
    """Return numbers, law and reasons, then where else the same mistake stands."""
    finding = mistake.finding
    lines = [] if check is None else _numbers(check, style, is_short=has_total)
    reasons = [] if finding.law is None else _law(finding.law, style)
    reasons += about.evidence(finding, "  ", style)
    if finding.also_fits:
        fits = f"The same numbers also fit {', '.join(finding.also_fits)}."
        reasons += wrap(fits, style.width, "  ", "  ", rows=2)
    if finding.bits_per_dim is not None and finding.law is None:
        bits = abs(finding.bits_per_dim)
        reasons.append(f"  on these samples bits per dimension are off by {bits:.3g}")
    lines += _cut(reasons, room.evidence, style)
    for echo in mistake.echoes:
        lines += wrap(_of_echo(finding, echo), style.width, "  ", "    ", rows=2)
    return lines


def _of_echo(finding: Finding, echo: Finding) -> str:
    """Return in a sentence where the same mistake stands in the other direction."""
    where, here = echo.location, finding.location
    place = ""
    if where is not None and where == here:
        place = ", in the same line"
    elif where is not None:
        place = f", in line {where.line}"
        if here is None or (where.file, where.cell) != (here.file, here.cell):
            place += f" of {in_file(where.file, where.cell)}"
    if echo.code == finding.code:
        return f"{echo.direction} makes the same mistake{place}"
    name = one_line(echo.name)
    return (
        f"{echo.direction} shows it as {echo.code} {name}{place}; one edit mends both"
    )


def _law(law: Law, style: Style) -> Block:
    """Return the formula of the difference, and some numbers of dims it was seen at."""
    text = f"difference = {one_line(law.expression)}"
    dims = [str(point.dims) for point in law.points]
    dims = [*dims[:2], *dims[2:][-1:]]
    if dims:
        listed = ", ".join(dims[:-1]) + " and " * (len(dims) > 1) + dims[-1]
        text += f", at dims {listed}"
    return wrap(text, style.width, "  ", "    ", rows=3)


def _numbers(check: Check, style: Style, *, is_short: bool = False) -> Block:
    """Return the worst numbers of a check in a line; in short, how far they are apart."""
    if not check.samples and check.worst is not None:
        if check.tolerance is None or check.worst <= check.tolerance:
            return []
        size, bound = figures.size(check.worst), figures.size(check.tolerance)
        text = f"  {label(check)}: off by {size}, allowed {bound}"
        return [shorten(text, style.width)]
    sample = next(filter(figures.is_wrong, check.samples), None)
    if sample is None:
        return []
    of = f"sample {sample.index} of {len(check.samples)}"
    apart = figures.difference(sample.difference)
    left = f"  {label(check)}, {of}: difference {apart}"
    left += f", allowed {figures.size(sample.allowed)}"
    known = sample.difference is not None and math.isfinite(sample.difference)
    if is_short and sample.index == 0 and known:  # as the lines above show
        return [shorten(left, style.width)]
    number = figures.for_samples((sample,))
    pair = f"exact {number(sample.exact)}  reported {number(sample.reported)}"
    if cells(left) + 2 + cells(pair) <= style.width:
        return [_aside(left, pair, style.width)]
    return [shorten(left, style.width), shorten(f"    {pair}", style.width)]


def _fix(mistake: Mistake, fix: Fix, room: _Room, style: Style) -> Block:
    """Return the edits of all of a mistake, and how to have them written."""
    left, right = f"  {about.fix_title(fix)}", ""
    if fix.applicability == "verified" and style.is_typed:
        right = "write it with --fix"
    here = mistake.finding.location
    lines = about.edits(mistake.edits, here, style)
    head = style.paint(_aside(left, right, style.width), bold=True)
    return [head, *_cut(lines, room.diff, style)]


def _further(mistake: Mistake, room: _Room, style: Style) -> Block:
    """Return another mistake in short: what, where, and the edit."""
    finding = mistake.finding
    direction = f", {finding.direction}" if finding.direction else ""
    lead = f"{finding.code} {one_line(finding.name)}{direction}: "
    text = lead + one_line(finding.message)
    if room.others == 1:
        return wrap(text, style.width, "  ", "    ", rows=1)
    lines = wrap(text, style.width, "  ", "    ", rows=3)
    if finding.location is not None:
        lines += about.place(finding.location, not mistake.edits, style)
    lines += about.edits(mistake.edits, finding.location, style)
    return _cut(lines, room.others, style)


def _closing(mistakes: Sequence[Mistake], style: Style) -> Block:
    """Return what to type to read on."""
    left = f"  all that was compared and inferred: {style.more}"
    if not mistakes or mistakes[0].finding.code.startswith("LDJ0"):
        return []
    right = f"ldjcheck explain {mistakes[0].finding.code}"
    return [_aside(left, right, style.width)]


def _cut(lines: Block, rows: int, style: Style) -> Block:
    """Return the first of the lines, the last of them saying how many are left out."""
    if len(lines) <= rows:
        return lines
    kept = max(rows - 1, 0)
    count = figures.plural(len(lines) - kept, "more line")
    return [*lines[:kept], shorten(f"    ... {count}: {style.more}", style.width)]


def _aside(left: str, right: str, width: int) -> str:
    """Return a line with words at both ends; the left ones are cut where they meet."""
    if not right:
        return shorten(left, width)
    room = width - cells(right) - 2
    return shorten(pad(shorten(left, room), room) + "  " + right, width)
