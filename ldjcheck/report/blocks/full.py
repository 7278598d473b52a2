"""All that is known of a layer: each direction's numbers, lines and reasons."""

from collections.abc import Sequence

from ldjcheck.records import Check, Direction, Finding, Result
from ldjcheck.report.blocks import finding as about
from ldjcheck.report.blocks.finding import Block, again
from ldjcheck.report.blocks.layout import one_line, shorten, wrap
from ldjcheck.report.blocks.ledger import by_sublayer, ledger
from ldjcheck.report.blocks.tables import check_rows, check_table, label, outcome_in
from ldjcheck.report.blocks.title import head
from ldjcheck.report.style import Style


def blocks(result: Result, style: Style) -> list[Block]:
    """Return the blocks of lines that tell it."""
    main = [f for f in result.findings if f.severity in ("error", "unproven")]
    # A broken contract has no numbers: its finding says all there is to say.
    wrong = [c for c in result.checks if c.status == "fail" and c.name != "contract"]
    tables = _assign(wrong, main)
    blocks: list[Block] = [head(result, style)]
    drawn: set[Direction] = set()
    for number, finding in enumerate(main):
        direction = f" {finding.direction}" if finding.direction else ""
        lead = "" if number == 0 else f"{finding.code}{direction}: "
        steps = _steps(result, finding.direction, style)
        parts = [e for e in result.sublayers if e.direction == finding.direction]
        if finding.direction is None or finding.direction in drawn:
            steps, parts = [], []
        else:
            drawn.add(finding.direction)
        blocks.append(about.message(finding, lead, style))
        blocks += [check_table(check, style) for check in tables[number]]
        blocks += [by_sublayer(parts, style)] if parts else []
        shown = finding.fix in [other.fix for other in main[:number]]
        blocks += _details(finding, steps, shown, style)
        blocks += [about.more(finding, style)] if number == 0 else []
    if not main:
        blocks += [check_table(check, style) for check in wrong]
    blocks += [
        check_table(check, style)
        for check in result.checks
        if check.status != "fail" and check.samples
    ]
    for way in ("forward", "inverse"):
        blocks += [] if way in drawn else [_steps(result, way, style)]
    blocks += _checked(result, style), _remarks(result, style), _ignored(result, style)
    return [*blocks, _found_out(result, style), again(result, style.width)]


def _assign(checks: Sequence[Check], findings: Sequence[Finding]) -> list[list[Check]]:
    """Return each finding's checks: of its direction, and at the first all others."""
    tables: list[list[Check]] = [[] for _ in findings]
    directions = [finding.direction for finding in findings]
    for check in checks if tables else ():
        has_finding = check.direction in directions
        tables[directions.index(check.direction) if has_finding else 0].append(check)
    return tables


def _steps(result: Result, direction: Direction | None, style: Style) -> Block:
    lines = [line for line in result.ledger if line.direction == direction]
    marked = {
        (finding.location.file, finding.location.cell, finding.location.line)
        for finding in result.findings
        if finding.location is not None and finding.direction == direction
    }
    return ledger(lines, marked, style) if lines else []


def _details(
    finding: Finding, steps: Block, is_shown: bool, style: Style
) -> list[Block]:
    """Return where, why, the fix unless it `is_shown` already, and the cost."""
    if finding.code.startswith("LDJ0"):  # the evidence says everything, in its order
        blocks = [about.evidence(finding, "  ", style)]
    else:
        blocks = [about.reasons(finding, style)]
    if finding.location is not None:
        blocks = [about.place(finding.location, not steps, style), steps, *blocks]
    elif steps:
        blocks = [steps, *blocks]
    if finding.fix is not None and is_shown:
        blocks.append(about.fixed_above(style))
    elif finding.fix is not None:
        blocks.append(about.fix(finding.fix, finding.location, style))
    if finding.bits_per_dim is not None:
        blocks.append(about.cost(finding.bits_per_dim, style))
    return blocks


def _checked(result: Result, style: Style) -> Block:
    """Return the checks that need no table: a line each, or one for all of them."""

    def words(check: Check) -> str:
        colon = ":" if check.status == "not-available" else ""
        return f"{label(check)}{colon} {outcome_in(result, check)}"

    if result.status in ("pass", "unproven"):
        absent = [c for c in result.checks if c.status == "not-available"]
        compared = [c for c in result.checks if c not in absent]
        rows = check_rows(compared, style)
        return rows + [shorten(f"  {words(c)}", style.width) for c in absent]
    others = [words(check) for check in result.checks if check.status != "fail"]
    if not others:
        return []
    text = f"Also checked: {', '.join(dict.fromkeys(others))}"
    return wrap(text, style.width, "  ", "    ")


def _remarks(result: Result, style: Style) -> Block:
    """Return the warnings and notes, with their evidence."""
    lines: Block = []
    for finding in result.findings:
        if finding.severity not in ("warning", "note"):
            continue
        text = f"{finding.severity} {finding.code}: {one_line(finding.message)}"
        lines += wrap(text, style.width, "  ", "    ")
        lines += about.evidence(finding, "    ", style)
        if finding.location is not None:
            lines += about.place(finding.location, True, style)
    return lines


def _ignored(result: Result, style: Style) -> Block:
    """Return what was found and does not count, with the user's reasons."""
    lines = about.ignored(result, style)
    for each in result.ignored:
        text = f"{each.code}: {one_line(each.message)}"
        lines += wrap(text, style.width, "    ", "      ")
    return lines


def _found_out(result: Result, style: Style) -> Block:
    """Return how the layer was understood, and why."""
    named = {"convention": result.convention, "kind": result.kind}
    text = ", ".join(f"{what} {one_line(it)}" for what, it in named.items() if it)
    lines = wrap(text[:1].upper() + text[1:], style.width, "  ", "    ") if text else []
    for what, why in result.inferred.items():
        reason = f"{one_line(what)}: {one_line(why)}"
        lines += wrap(reason, style.width, "  ", "    ")
    return lines
