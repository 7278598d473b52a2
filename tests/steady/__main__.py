"""`python -m tests.steady`: build everything again and again, and print what is said.

`--write` writes `docs/steady.md`. What is not as it should be is printed as soon as it is
known; the exit code is 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "steady.md"
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))  # for the tables of `field`, as pytest does

from .page import page_of, problems, summary, told  # noqa: E402
from .subject import GROUPS  # noqa: E402


def main() -> int:
    """Measure what is asked for; 0 when all of it is as it should be, 1 otherwise."""
    parser = _parser()
    options = parser.parse_args()
    options.groups = options.groups.split(",")
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    rows = _read(options) if options.read else _measured(options)
    with_places(rows)
    print(summary(rows))
    if options.write:
        PAGE.write_text(page_of(rows, _command(options)), encoding="utf-8")
    return 1 if any(map(problems, rows)) else 0


def _command(options: argparse.Namespace) -> str:
    """Return what to type for the same rows."""
    asked = {
        "--groups": ",".join(options.groups),
        "--seeds": str(options.seeds),
        "--only": options.only,
    }
    usual = {"--groups": ",".join(GROUPS), "--seeds": "10", "--only": ""}
    more = [
        word
        for name in asked
        for word in (name, asked[name])
        if asked[name] != usual[name]
    ]
    return shlex.join(["python", "-m", "tests.steady", *more])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.steady",
        description="Build each layer and flow under ten seeds, and check each build "
        "under another seed.",
    )
    parser.add_argument(
        "--groups", default=",".join(GROUPS), help=f"some of {','.join(GROUPS)}"
    )
    parser.add_argument("--seeds", type=int, default=10, help="the first N of ten")
    parser.add_argument("--only", default="", metavar="SUBSTRING")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write docs/steady.md")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="keep the raw rows, a line of JSON each, as they come",
    )
    parser.add_argument(
        "--read", type=Path, nargs="+", metavar="FILE", help="take rows from files"
    )
    return parser


def _is_asked(options: argparse.Namespace, id_: str) -> bool:
    return id_.partition(":")[0] in options.groups and options.only in id_


def _read(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows of files, in the order of the subjects; the last of each counts."""
    from .subjects import subjects

    lines = [line for file in options.read for line in file.read_text().splitlines()]
    rows = {(r["id"], r["seed"]): r for r in map(json.loads, lines)}
    pairs = product(subjects(), range(options.seeds))
    return [rows[at] for at in pairs if at in rows and _is_asked(options, at[0])]


def _measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows, in the order of the subjects."""
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes below share the cores
    os.environ["PYTHONWARNINGS"] = "ignore"
    from .measuring import BUILDS, measure
    from .subjects import subjects

    asked = [id_ for id_ in subjects() if _is_asked(options, id_)]
    rows, seeds = {}, BUILDS[: options.seeds]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        # All of them under one seed after the other: a run that is cut short is of use.
        jobs = product(seeds, asked)
        running = {pool.submit(measure, id_, n): (id_, n) for n, id_ in jobs}
        for done in as_completed(running):
            row = rows[running[done]] = done.result()
            if options.json:
                with options.json.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            with_places([row])
            if problems(row):
                print(told(row), flush=True)
    return [rows[at] for at in product(asked, seeds)]


def with_places(rows: list[dict[str, Any]]) -> None:
    """Say of each wrong build without a planted line whether it gets the usual one.

    That is the line that most builds are given; of one build alone, nothing is said.
    """
    from .subjects import subjects

    places: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        places[row["id"]][str(row["place"])] += 1
    for row in rows:
        subject, own = subjects()[row["id"]], places[row["id"]]
        if subject.is_wrong and subject.place is None and own.total() > 1:
            row["there"] = own.most_common(1)[0][0] == str(row["place"])


if __name__ == "__main__":
    sys.exit(main())
