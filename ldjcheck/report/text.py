"""The report for people: one screen a layer, or with `-v` all that is known."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ldjcheck.records import Result, Run
from ldjcheck.report.blocks import derived, figures, full, screen
from ldjcheck.report.blocks.finding import Block
from ldjcheck.report.blocks.layout import one_line, wrap
from ldjcheck.report.blocks.title import in_order, summary, title
from ldjcheck.report.style import Style

_SKIPPED_SHOWN = 6


def render(run: Run, style: Style) -> str:
    """Return the report, a block of lines for each layer and a summary."""
    style = replace(style, is_typed=run.is_typed)
    if style.quiet:
        titles = [title(result, style) for result in run.results]
        return _joined([titles, _statistics(run, style)])
    blocks: list[Block] = []
    if len(run.results) > 1 and not style.verbose:
        blocks.append([title(result, style) for result in run.results])
    told: dict[object, str] = {}
    for result in run.results:
        mistakes = _mistakes(result)
        first = told.setdefault(mistakes, result.target)
        if mistakes and first != result.target and not style.verbose:
            lead = f"{one_line(result.target)}: the same, line by line, as "
            blocks.append(wrap(lead + one_line(first), style.width, "", "  ", rows=2))
        elif result.derived is not None:
            blocks += derived.blocks(result, result.derived, style)
        elif style.verbose:
            blocks += full.blocks(result, style)
        else:
            blocks += screen.blocks(result, style)
    blocks += _skipped(run, style), _statistics(run, style)
    if all(result.derived is None for result in run.results):
        blocks.append(_ending(run, style))
    return _joined(blocks)


def _mistakes(result: Result) -> tuple[object, ...]:
    """Return what is wrong, and in which lines: instances of one class have it in common.

    Of what stands in no line nothing says that it is the same.
    """
    grave = [f for f in result.findings if f.severity in ("error", "unproven")]
    if any(finding.location is None for finding in grave):
        return ()
    return tuple((f.code, f.direction, f.location, f.message) for f in grave)


def _joined(blocks: Iterable[Block]) -> str:
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return f"{text}\n" if text else ""


def _statistics(run: Run, style: Style) -> Block:
    """Return how often each code was found, a mistake of both directions once."""
    if not style.statistics:
        return []
    found = [m.finding for result in run.results for m in in_order(result.findings)]
    seen = Counter(
        f"{f.code} {f.name}" + (f" ({f.severity})" if f.severity != "error" else "")
        for f in found
    )
    widest = len(str(max(seen.values(), default=0)))
    ordered = sorted(seen.items(), key=lambda item: (-item[1], item[0]))
    return [f"{count:{widest}}  {what}" for what, count in ordered]


def _skipped(run: Run, style: Style) -> Block:
    lines: Block = []
    every = style.verbose or not run.results  # else these are all there is to say
    for each in run.skipped if every else run.skipped[:_SKIPPED_SHOWN]:
        text = f"skipped {one_line(each.target)}: {one_line(each.why)}"
        lines += wrap(text, style.width, "", "  ", rows=4)
    if not every and len(run.skipped) > _SKIPPED_SHOWN:
        more = figures.plural(len(run.skipped) - _SKIPPED_SHOWN, "more target")
        lines.append(f"... {more} skipped (-v shows all)")
    return lines


def _ending(run: Run, style: Style) -> Block:
    lines = []
    if style.verbose:
        lines = wrap(f"Seed {run.seed}: {one_line(run.command)}", style.width, "", "  ")
    return [*lines, style.paint(summary(run), bold=True)]
