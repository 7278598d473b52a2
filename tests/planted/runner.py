"""Run ldjcheck over all planted layers and right configurations; print how it did."""

from __future__ import annotations

import argparse
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from tabulate import tabulate

from .cases import LIBRARIES, case_by_id
from .checking import Answer, Score, check_planted, check_right
from .fixing import FIXED, check_fix, fix_figures, fix_misses, fix_report
from .generator import all_candidates, choose, right_configurations
from .mutations import MISTAKES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .planted import Planted, RightConfiguration

Job = TypeVar("Job")
Done = TypeVar("Done")

# What the field test asks for, in percent.
GOALS = {"detected": 100.0, "named": 93.0, "wrong": 2.0, "exact": 78.0, "chain": 92.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the field test; 0 when all goals are met, 1 otherwise."""
    options = _parser().parse_args(arguments)
    planted = _planted(options)
    if options.list:
        print(_listing(planted))
        return 0
    if options.fixes:
        return _fixes(planted, options)
    configurations = _right(options)
    scores: list[Score] = []
    answers: list[Answer] = []
    if not options.right_only:
        scores = _all(check_planted, planted, options.workers)
        print(_report(scores))
        if options.show_misses:
            print(_misses(scores))
    if not options.planted_only:
        answers = _all(check_right, configurations, options.workers)
        print(_false_alarms(configurations, answers))
    return 0 if _goals_met(scores) and not _alarms(answers) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.planted",
        description="Plant one mistake each in right layers of other people's "
        "libraries, check them with ldjcheck, and print how it did.",
    )
    parser.add_argument("--list", action="store_true", help="print what is planted")
    parser.add_argument("--only", choices=LIBRARIES, help="one library")
    parser.add_argument("--limit", type=int, help="the first N of each library only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--held-out", action="store_true", help="other layers, drawn with seed 1"
    )
    parser.add_argument("--show-misses", action="store_true")
    parser.add_argument("--right-only", action="store_true")
    parser.add_argument("--planted-only", action="store_true")
    parser.add_argument(
        "--fixes", action="store_true", help="count verified fixes, and judge them"
    )
    parser.add_argument("--every", type=int, default=1, help="each N-th layer only")
    parser.add_argument("--workers", type=int, default=2)
    return parser


def _planted(options: argparse.Namespace) -> list[Planted]:
    if options.right_only:
        return []
    pool = all_candidates(options.workers)
    chosen = choose(pool, options.seed)
    if options.held_out:
        chosen = choose(pool, options.seed + 1, frozenset(p.id for p in chosen))
    some = _some(chosen, options, lambda planted: planted.library)
    return some[:: options.every]


def _right(options: argparse.Namespace) -> list[RightConfiguration]:
    def library(configuration: RightConfiguration) -> str:
        return case_by_id(configuration.case_id).library

    if options.planted_only:
        return []
    return _some(right_configurations(options.seed), options, library)


def _some(
    items: Iterable[Job], options: argparse.Namespace, library: Callable[[Job], str]
) -> list[Job]:
    """Return the items of the wanted library, at most so many of each."""
    taken: Counter[str] = Counter()
    some = []
    for item in items:
        name = library(item)
        wanted = options.only in (None, name)
        if wanted and (options.limit is None or taken[name] < options.limit):
            taken[name] += 1
            some.append(item)
    return some


def _all(work: Callable[[Job], Done], jobs: list[Job], workers: int) -> list[Done]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return list(pool.map(work, jobs))


def _fixes(planted: list[Planted], options: argparse.Namespace) -> int:
    """Print how many mistakes get a verified fix, and how many of those are wrong."""
    scores = _all(check_fix, planted, options.workers)
    print(fix_report(scores))
    if options.show_misses:
        print(fix_misses(scores))
    share, wrong = fix_figures(scores)
    return 0 if share >= FIXED and not wrong else 1


# --- what is printed -------------------------------------------------------------


def _listing(planted: list[Planted]) -> str:
    """Return the table of counts by library and mistake."""
    counts = Counter((p.direction, p.mistake, p.library) for p in planted)
    tables = []
    for direction in ("forward", "inverse"):
        rows = []
        for mistake in MISTAKES:
            row = [counts[direction, mistake, library] for library in LIBRARIES]
            rows.append([mistake, *row, sum(row)])
        sums = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
        rows.append(["all", *sums])
        tables.append(tabulate(rows, headers=[direction, *LIBRARIES, "all"]))
    layers = len({p.case_id for p in planted})
    sites = len({p.site for p in planted})
    tables.append(f"{len(planted)} planted in {layers} layers at {sites} sites")
    return "\n\n".join(tables)


def _report(scores: list[Score]) -> str:
    """Return the tables by library and by mistake, and the totals against the goals."""
    named = [s for s in scores if s.planted.has_name]
    inside = [s for s in scores if not s.planted.has_name]
    parts = []
    for title, key in (
        ("library", lambda s: f"{s.planted.library} {s.planted.direction}"),
        ("expected", lambda s: s.planted.expected[0]),
    ):
        groups: dict[str, list[Score]] = {}
        for score in named:
            groups.setdefault(key(score), []).append(score)
        rows = [_row(name, group) for name, group in sorted(groups.items())]
        if title == "library":
            ways = ("forward", "inverse")
            for way in ways:
                group = [s for s in named if s.planted.direction == way]
                rows.append(_row(f"all {way}", group))
        rows.append(_row("all", named))
        parts.append(tabulate(rows, headers=[title, *HEADERS], floatfmt=".1f"))
    refused = sum(s.verdict in {"refused", "named"} for s in inside)
    parts.append(
        f"Slips inside a term, for which the catalogue has no name: {len(inside)}, "
        f"of which detected {_detected(inside)}, left without a name {refused}."
    )
    parts.append(_against_goals(named, inside))
    return "\n\n".join(parts)


HEADERS = [
    "planted",
    "detected",
    "named",
    "tie",
    "refused",
    "wrong",
    "named %",
    "exact line %",
    "chain line %",
]


def _row(name: str, scores: list[Score]) -> list[object]:
    verdicts = Counter(s.verdict for s in scores)
    return [
        name,
        len(scores),
        _detected(scores),
        verdicts["named"],
        verdicts["tie"],
        verdicts["refused"],
        verdicts["wrong"],
        _percent(verdicts["named"], len(scores)),
        *_line_percents(scores),
    ]


def _detected(scores: list[Score]) -> int:
    return sum(s.verdict != "missed" for s in scores)


def _line_percents(scores: list[Score]) -> tuple[float, float]:
    """Return how often the line is right, of the layers whose mistake was named."""
    named = [s for s in scores if s.verdict == "named"]
    exact = sum(s.exact_line for s in named)
    chain = sum(s.chain_line for s in named)
    return _percent(exact, len(named)), _percent(chain, len(named))


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0


def _figures(named: list[Score], inside: list[Score]) -> dict[str, float]:
    everything = named + inside
    verdicts = Counter(s.verdict for s in named)
    wrong = sum(s.verdict == "wrong" for s in everything)
    exact, chain = _line_percents(named)
    return {
        "detected": _percent(_detected(everything), len(everything)),
        "named": _percent(verdicts["named"], len(named)),
        "wrong": _percent(wrong, len(everything)),
        "exact": exact,
        "chain": chain,
    }


def _against_goals(named: list[Score], inside: list[Score]) -> str:
    rows = []
    for name, figure in _figures(named, inside).items():
        bound = "at most" if name == "wrong" else "at least"
        rows.append([name, f"{figure:.1f} %", f"{bound} {GOALS[name]:g} %"])
    return tabulate(rows, headers=["", "reached", "wanted"])


def _goals_met(scores: list[Score]) -> bool:
    if not scores:
        return True
    named = [s for s in scores if s.planted.has_name]
    inside = [s for s in scores if not s.planted.has_name]
    for name, figure in _figures(named, inside).items():
        if figure > GOALS[name] if name == "wrong" else figure < GOALS[name]:
            return False
    return True


def _misses(scores: list[Score]) -> str:
    """Return every answer that is not the expected one, with what was edited."""
    lines = []
    for score in scores:
        fine = score.verdict == "named" and score.exact_line
        if fine or (not score.planted.has_name and score.verdict == "refused"):
            continue
        answer, planted = score.answer, score.planted
        also = f" (also {', '.join(answer.also_fits)})" if answer.also_fits else ""
        line = "exact" if score.exact_line else "chain" if score.chain_line else "off"
        before, after = planted.before_and_after()
        lines += [
            f"{score.verdict.upper()} {planted.id}",
            f"  expected {' or '.join(planted.expected)}",
            f"  got      {answer.status} {answer.name}{also} at {answer.place} ({line})",
            f"  said     {answer.message}",
            *(f"  - {row.strip()}" for row in before.splitlines()),
            *(f"  + {row.strip()}" for row in after.splitlines() if row.strip()),
        ]
    return "\n".join(lines)


def _alarms(answers: list[Answer]) -> int:
    return sum(a.status in {"fail", "crash"} for a in answers)


def _false_alarms(
    configurations: list[RightConfiguration], answers: list[Answer]
) -> str:
    statuses = Counter(a.status for a in answers)
    counted = ", ".join(f"{n} {status}" for status, n in sorted(statuses.items()))
    lines = [
        f"{len(answers)} right configurations: {counted}; "
        f"false alarms: {_alarms(answers)}"
    ]
    for configuration, answer in zip(configurations, answers, strict=True):
        if answer.status != "pass":
            lines.append(
                f"  {answer.status} {configuration.case_id} {configuration.shape} "
                f"seed {configuration.seed}: {answer.name} {answer.message}"
            )
    return "\n".join(lines)
