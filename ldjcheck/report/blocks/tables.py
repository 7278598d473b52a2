"""The numbers of checks: a table of samples, of dimensions, or one line a check."""

from collections.abc import Sequence

from ldjcheck.records import Check, Result, Sample
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import columns, one_line, shorten, wrap
from ldjcheck.report.style import Style

_SAMPLES_SHOWN = 10
_DIMENSIONS_SHOWN = 32
_OUTCOMES = {
    "pass": "ok",
    "fail": "wrong",
    "unproven": "unproven",
    "not-available": "not available",
    "error": "could not be run",
}


def label(check: Check) -> str:
    """Return what was checked, such as `forward`, `round trip` or `gradient`."""
    if check.name == "ldj":
        return check.direction or "ldj"
    name = check.name.replace("-", " ")
    return f"{name} {check.direction}" if check.direction else name


def outcome(check: Check) -> str:
    """Return how a check came out, in words."""
    return _OUTCOMES[check.status]


def outcome_in(result: Result, check: Check) -> str:
    """Return the same, where a way back is found to report nothing, with that said."""
    untracked = {f.direction for f in result.findings if f.code == "LDJ303"}
    if check.status == "not-available" and check.direction in untracked:
        return "ldj not tracked"
    return outcome(check)


def check_table(check: Check, style: Style) -> list[str]:
    """Return a check's heading, its samples, and its dimensions where they help."""
    lines = wrap(", ".join(heading(check)), style.width, "  ", "    ")
    if check.samples:
        lines += sample_table(check, style)
    if check.dimensions:
        lines += ["", *_dimension_table(check, style)]
    return lines


def check_rows(checks: Sequence[Check], style: Style) -> list[str]:
    """Return one line a check: on what, the worst difference, and what is allowed."""
    if not checks:
        return []
    names = [label(check) for check in checks]
    worst = [_render_size("worst", check.worst) for check in checks]
    allowed = [_render_size("allowed", check.tolerance) for check in checks]
    gaps = len("  ") * 4  # the margin, and one before each further column
    taken = sum(max(map(len, column)) for column in (names, worst, allowed))
    room = style.width - gaps - taken
    on = [shorten(", ".join(_short_heading(check)), room) for check in checks]
    rows = list(zip(names, on, worst, allowed, strict=True))
    return [f"  {line}" for line in columns(rows)]


def _render_size(word: str, value: float | None) -> str:
    return "" if value is None else f"{word} {figures.size(value)}"


def heading(check: Check) -> list[str]:
    """Return what was checked, on what and under which conditions, in parts."""
    parts = [label(check)]
    size = "" if check.dims is None else figures.plural(check.dims, "dim")
    count = figures.plural(len(check.samples), "sample") if check.samples else ""
    if check.shape is not None:
        on = f"{count} of shape {check.shape}" if count else f"shape {check.shape}"
        parts.append(f"{on} = {size}" if size else on)
    else:
        parts += [part for part in (count, size) if part]
    parts += _conditions(check)
    if check.dtype == "float64":
        parts.append("float64")
    if not check.samples and check.worst is not None:
        parts.append(f"worst difference {figures.size(check.worst)}")
        parts.append(f"allowed {figures.size(check.tolerance)}")
    return parts


def _short_heading(check: Check) -> list[str]:
    parts = compared_on(check)
    if not parts or check.status != "pass":
        parts.append(outcome(check))
    return parts


def compared_on(check: Check) -> list[str]:
    """Return on how many samples of which shape, and what is not as usual."""
    parts = []
    if check.shape is not None:
        count = figures.plural(len(check.samples), "sample") if check.samples else ""
        parts.append(f"{count} of {check.shape}" if count else str(check.shape))
    return parts + _conditions(check)


def _conditions(check: Check) -> list[str]:
    """Return what is not as usual: noise, another dtype or method."""
    parts = ["noise frozen"] if check.wrt == "noise" else []
    if check.dtype not in (None, "float64"):
        parts.append(one_line(str(check.dtype)))
    if check.method in ("differences", "preimage"):
        parts.append(f"by {check.method}")
    return parts


def sample_table(check: Check, style: Style) -> list[str]:
    """Return exact and reported side by side; of many samples the wrong ones."""
    shown = check.samples
    if not style.verbose and len(shown) > _SAMPLES_SHOWN:
        wrong = tuple(sample for sample in shown if figures.is_wrong(sample))
        shown = (wrong or shown)[:_SAMPLES_SHOWN]
    number = figures.for_samples(check.samples)

    def row(sample: Sample) -> tuple[str, ...]:
        return (
            str(sample.index),
            number(sample.exact),
            number(sample.reported),
            figures.difference(sample.difference),
            figures.size(sample.allowed),
        )

    headers = ("sample", "exact", "reported", "difference", "allowed")
    lines = _numbers(headers, [row(sample) for sample in shown], style)
    return lines + _rest(len(check.samples) - len(shown), "sample")


def _dimension_table(check: Check, style: Style) -> list[str]:
    shown = check.dimensions[:_DIMENSIONS_SHOWN]
    number = figures.for_pairs((each.exact, each.reported) for each in shown)
    rows = [(str(d.index), number(d.exact), number(d.reported)) for d in shown]
    structure = f" ({check.structure} Jacobian)" if check.structure else ""
    return [
        *wrap(f"first sample by dimension{structure}", style.width, "  ", "    "),
        *_numbers(("dim", "exact", "reported"), rows, style),
        *_rest(len(check.dimensions) - len(shown), "dim"),
    ]


def _numbers(
    headers: Sequence[str], rows: Sequence[Sequence[str]], style: Style
) -> list[str]:
    # The cells are text already: the digits were chosen for the whole column.
    from tabulate import tabulate  # a slip has no numbers, and waits for nothing

    table = tabulate(
        rows, headers, tablefmt="plain", stralign="right", disable_numparse=True
    )
    return [shorten(f"  {line}", style.width) for line in table.splitlines()]


def _rest(count: int, noun: str) -> list[str]:
    return [f"    ... {figures.plural(count, f'more {noun}')}"] if count else []
