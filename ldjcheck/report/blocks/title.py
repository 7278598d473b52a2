"""What a layer comes to: the verdict line, and its mistakes as a reader counts them.

A verdict never reads better than it is: a pass says what it leaves open.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from ldjcheck.mistakes import rule_for
from ldjcheck.records import Edit, Finding, Result, Run, Status
from ldjcheck.report.blocks.figures import plural
from ldjcheck.report.blocks.finding import Block
from ldjcheck.report.blocks.layout import cells, one_line, pad, shorten_target, wrap
from ldjcheck.report.style import Style


@dataclass(frozen=True, slots=True)
class Mistake:
    """A finding, and those that tell of the same in the other direction."""

    finding: Finding
    echoes: tuple[Finding, ...] = ()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits that mend all of it, each once, in the order of the source."""
        fixes = (f.fix for f in (self.finding, *self.echoes) if f.fix is not None)
        edits = dict.fromkeys(edit for fix in fixes for edit in fix.edits)
        return tuple(edits)


def told_once(findings: Iterable[Finding]) -> tuple[Mistake, ...]:
    """Return the grave findings, those together that one edit mends or one word names."""
    mistakes: list[Mistake] = []
    for finding in findings:
        if finding.severity not in ("error", "unproven"):
            continue
        for number, mistake in enumerate(mistakes):
            if _is_echo(finding, mistake.finding):
                echoes = (*mistake.echoes, finding)
                mistakes[number] = Mistake(mistake.finding, echoes)
                break
        else:
            mistakes.append(Mistake(finding))
    return tuple(mistakes)


def in_order(findings: Iterable[Finding]) -> tuple[Mistake, ...]:
    """Return all findings as mistakes, warnings and notes behind the grave ones."""
    findings = tuple(findings)
    rest = (Mistake(f) for f in findings if f.severity in ("warning", "note"))
    return (*told_once(findings), *rest)


def _is_echo(finding: Finding, of: Finding) -> bool:
    """Return whether a finding tells of the same mistake, seen from the other side."""
    if finding.direction == of.direction or finding.severity != of.severity:
        return False
    if finding.fix is not None and finding.fix == of.fix:
        return True
    is_alike = (finding.code, finding.message) == (of.code, of.message)
    return is_alike and _applies(finding) == _applies(of)


def _applies(finding: Finding) -> str | None:
    return None if finding.fix is None else finding.fix.applicability


def count_statuses(run: Run) -> dict[Status, int]:
    """Return how many results have each status, all statuses included."""
    seen = Counter(result.status for result in run.results)
    return {status: seen[status] for status in get_args(Status)}


def summary(run: Run) -> str:
    """Return one line such as `1 mistake in 1 layer (0.4 s)`."""
    ignored = sum(len(result.ignored) for result in run.results)
    told = f", {plural(ignored, 'finding')} ignored" if ignored else ""
    told += f", {len(run.skipped)} skipped" if run.skipped else ""
    return f"{_outcome(run)}{told} ({run.seconds:.1f} s)"


def _outcome(run: Run) -> str:
    counts = count_statuses(run)
    layers = plural(len(run.results), "layer")
    if not run.results:
        return "No layers were checked"
    if counts["pass"] == len(run.results):
        wrong = any(i.severity == "error" for r in run.results for i in r.ignored)
        return f"No mistakes {'that count ' if wrong else ''}in {layers}"
    mistakes = sum(
        mistake.finding.severity == "error"
        for result in run.results
        for mistake in told_once(result.findings)
        if not mistake.finding.code.startswith("LDJ0")
    )
    if counts["fail"] == len(run.results) and mistakes:
        return f"{plural(mistakes, 'mistake')} in {layers}"
    listed = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    return f"{layers}: {listed}"


# --- the verdict line -----------------------------------------------------------------

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
    name, room, verdict = _sides(result, style)
    return f"{pad(shorten_target(name, room), room)}  {verdict}"


def head(result: Result, style: Style) -> Block:
    """Return the title, in two rows where the target takes one, and what was left out."""
    name, room, verdict = _sides(result, style)
    rows = [title(result, style)]
    if cells(name) > room:
        rows = [shorten_target(name, style.width), f"{pad('', room)}  {verdict}"]
    return [*rows, *left_out(result, style)]


def _sides(result: Result, style: Style) -> tuple[str, int, str]:
    """Return the whole target, the room that is left for it, and the painted verdict."""
    name, layer = one_line(result.target), one_line(result.layer or "")
    if layer.partition("(")[0] not in name:
        name = f"{name}  {layer}"
    verdict, color = _verdict(result, cells(name), style), COLORS[result.status]
    if result.derived is not None:
        verdict, color = _DERIVED[result.derived.applicability]
    painted, shown = style.paint(verdict, color, bold=True), that_decides(result)
    if shown is not None:
        painted = style.link(painted, shown.code)
    return name, style.width - cells(verdict) - 2, painted


def left_out(result: Result, style: Style) -> Block:
    """Return what time did not allow, to stand right under the verdict."""
    if not result.not_done:
        return []
    what = ", ".join(map(one_line, result.not_done))
    way = "--timeout" if style.is_typed else "timeout="
    text = f"Time did not allow: {what}. {way} gives it more."
    return wrap(text, style.width, "  ", "    ", rows=2)


def _verdict(result: Result, least: int, style: Style) -> str:
    """Return the verdict, with the name of the mistake where the page has room for it."""
    words = [result.status.upper()]
    main = that_decides(result)
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


def that_decides(result: Result) -> Finding | None:
    """Return the finding that the status stands for: none for a pass."""
    return None if result.status == "pass" else gravest(result)


def gravest(result: Result) -> Finding | None:
    """Return the most severe finding of those that the status may stand for, if any."""
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
