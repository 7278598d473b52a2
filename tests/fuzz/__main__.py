"""`python -m tests.fuzz`: run cases, print each finding as it is found, and a table.

The exit code is 1 if anything is found.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # processes are forked, and share the cores
TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))  # for `command`, as pytest does

from tabulate import tabulate  # noqa: E402

from .cases import Case, draw  # noqa: E402
from .running import Ran, arguments, run  # noqa: E402
from .soaking import soak  # noqa: E402


class Row(NamedTuple):
    """One row of the table: cases of a kind, how they ended, and how long they took."""

    kind: str
    cases: int
    ends: str
    slowest: float
    findings: int


def main() -> int:
    """Run what is asked for; 0 when nothing is found, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Check layers that nobody would write, and look at what comes out.",
    )
    parser.add_argument("--cases", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER")
    parser.add_argument("--face", choices=("command", "python"))
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="write the first case there, and end",
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="a line of JSON for each case"
    )
    parser.add_argument(
        "--soak", type=int, metavar="N", help="instead, N checks in one process"
    )
    options = parser.parse_args()
    if options.soak:
        print(tabulate(soak(options.soak), "keys", tablefmt="github", floatfmt=".1f"))
        return 0
    numbers = range(options.first, options.first + options.cases)
    cases = (draw(options.seed, number) for number in numbers)
    if options.keep:
        return keep(next(cases), options.keep)
    done = []
    for case in cases:
        if options.face in (None, case.face):
            ran = run(case)
            done.append((case, ran))
            if options.log:
                with options.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([case.number, case.told(), *ran]) + "\n")
            if ran.findings:
                print(told(case, ran), flush=True)
    print(table(rows(done)))
    return 1 if any(ran.findings for _, ran in done) else 0


def keep(case: Case, folder: Path) -> int:
    """Write the files of a case to a folder, and print what is typed there."""
    folder.mkdir(parents=True, exist_ok=True)
    print(case.told())
    if case.face == "command":
        print("ldjcheck", *map(repr, arguments(case, folder)))
    else:
        (folder / "flow.py").write_text(case.source.text(), encoding="utf-8")
        given = ", ".join(f"{key}={text}" for key, text in case.keywords)
        print(f"ldjcheck.{case.verb}({case.subject} of flow.py, {given})")
    return 0


def told(case: Case, ran: Ran) -> str:
    """Return what was found in a case, and how to repeat it."""
    found = "\n".join(f"  * {finding}" for finding in ran.findings)
    return f"--- {case.repeat}\n{case.told()}\n{ran.outcome}, {ran.seconds:.1f} s\n{found}\n"


def rows(done: Iterable[tuple[Case, Ran]]) -> list[Row]:
    """Return the rows of the table, a kind of case each."""
    by_kind: defaultdict[str, list[Ran]] = defaultdict(list)
    for case, ran in done:
        for kind in case.kinds:
            by_kind[kind].append(ran)
    return [
        Row(
            kind,
            len(ran),
            ", ".join(
                f"{n} {end}"
                for end, n in Counter(r.outcome for r in ran).most_common(6)
            ),
            max(r.seconds for r in ran),
            sum(bool(r.findings) for r in ran),
        )
        for kind, ran in sorted(by_kind.items())
    ]


def table(lines: list[Row]) -> str:
    """Return the table that is printed."""
    heads = ("kind of case", "cases", "how they ended", "slowest, s", "with findings")
    return tabulate(lines, heads, tablefmt="github", floatfmt=".1f")


if __name__ == "__main__":
    sys.exit(main())
