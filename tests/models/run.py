"""Check all whole models and their wrong twins, and print one table."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from .checking import Seen, marks, seen
from .tables import WHOLES
from .whole import Row


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is not known yet; 0 when every row is as it should be, else 1."""
    options = _parser().parse_args(arguments)
    rows = [row for whole in WHOLES for row in whole.rows() if options.only in row.id]
    known = _known(options.keep, options.seed)
    # The right ones first, then a twin of each: a run that is broken off says most.
    for row in sorted(rows, key=lambda row: row.number):
        if row.id not in known:
            known[row.id] = seen(row, options.seed, options.timeout)
            if options.keep:
                with options.keep.open("a", encoding="utf-8") as file:
                    print(json.dumps(known[row.id]), file=file)
            print(_progress(row, known[row.id]), flush=True)
    both = [(row, known[row.id]) for row in rows]
    print(table(both))
    print(totals(both))
    return 0 if all(_is_ideal(row, found) for row, found in both) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.models",
        description="Check whole models and their wrong twins, an hour on one core; hold "
        "verdicts and edits against an independent check.",
    )
    parser.add_argument("--only", default="", help="rows with this in their name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--timeout", type=float, default=60, help="CPU seconds of a row"
    )
    parser.add_argument(
        "--keep", type=Path, help="a file of results: read first, and added to"
    )
    return parser


def _known(kept: Path | None, seed: int) -> dict[str, Seen]:
    if kept is None or not kept.exists():
        return {}
    lines = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    return {line["id"]: line for line in lines if line["seed"] == seed}


def _is_ideal(row: Row, found: Seen) -> bool:
    return all(mark in (True, None) for mark in marks(row, found).values())


def _progress(row: Row, found: Seen) -> str:
    sign = "ok " if _is_ideal(row, found) else "-- "
    return f"{sign}{row.id}: {found['status']} {' '.join(found['codes'])} {found['seconds']} s"


def _cells(row: Row, found: Seen) -> list[str]:
    mark = {
        key: "" if value in (True, None) else " !"
        for key, value in marks(row, found).items()
    }
    wrong = found["off"] >= row.whole.close
    if wrong == (row.twin is None):  # then the table is wrong, and no verdict counts
        mark["verdict"] += f" (off by {found['off']:.2g}?)"
    told = found["codes"][0] if found["codes"] else "-"
    wanted = " or ".join(found["wanted"])
    edit = found["offered"] or "-"
    if found["offered"]:
        edit += ", right" if found["mended"] else ", wrong"
    return [
        row.whole.name,
        row.twin.mistake if row.twin else "right",
        found["status"] + mark["verdict"],
        told + (f", not {wanted}" if mark["name"] else ""),
        f"{found['line'] or '-'}/{','.join(map(str, found['lines'])) or '-'}{mark['line']}",
        edit + mark["edit"],
        f"{found['seconds']:.1f}",
    ]


def table(both: Sequence[tuple[Row, Seen]]) -> str:
    """Return a line for each row; what is not as it should be has a `!`."""
    head = ["model", "mistake", "verdict", "code", "line told/wrong", "edit", "CPU s"]
    return tabulate([_cells(row, found) for row, found in both], head)


def totals(both: Sequence[tuple[Row, Seen]]) -> str:
    """Return how many verdicts, names, lines and edits are right, of how many."""
    lines = []
    for title, wrong in (("right models", False), ("wrong twins", True)):
        ours = [(r, f) for r, f in both if (r.twin is not None) == wrong]
        said = [marks(row, found) for row, found in ours]
        keys = ("verdict", "name", "line", "edit") if wrong else ("verdict",)
        counts = ", ".join(
            f"{key} right {sum(mark[key] is True for mark in said)}" for key in keys
        )
        lines.append(f"{len(ours)} {title}: {counts}")
    offered = [found for _, found in both if found["offered"] == "verified"]
    good = sum(bool(found["mended"]) for found in offered)
    lines.append(f"{len(offered)} edits called verified, {good} of them right")
    times = sorted(found["seconds"] for _, found in both) or [math.nan]
    lines.append(
        f"{sum(times):.0f} s of CPU, median {times[len(times) // 2]:.1f}, most {times[-1]:.1f}"
    )
    return "\n".join(lines)
