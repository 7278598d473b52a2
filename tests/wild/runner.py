"""Check the layers of the tables in clones, hold each verdict against a second opinion."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from .pages import page
from .targets import Target, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Seen = dict[str, Any]
HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "wild.md"
CLOSE = {"float64": 1e-4, "float32": 1e-2}  # nats; an eps inside a log is a note
GOALS = {"errors": 0.03, "bare": 0.85}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the clones hold; 0 when the goals are met, 1 otherwise."""
    options = _parser().parse_args(arguments)
    targets = read(options.tables)
    if options.only:
        targets = [target for target in targets if options.only in target.project]
    known = _known(options.keep)
    for target, seen in _all(targets, known, options):
        known[target.project, target.at] = seen
        if options.keep:
            with options.keep.open("a", encoding="utf-8") as file:
                print(json.dumps([target.project, target.at, seen]), file=file)
    rows = [(t, known[t.project, t.at]) for t in targets if (t.project, t.at) in known]
    print(_table(rows))
    print(summary(rows))
    if options.page:
        PAGE.write_text(page(rows, judged), encoding="utf-8")
    return 0 if goals_met(rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.wild",
        description="Check layers of public projects, in clones that you have: folders "
        "named owner+name, owner/name or name. Other projects are left out.",
    )
    parser.add_argument("checkouts", type=Path, help="the folder of the clones")
    parser.add_argument("--only", help="projects with this in their name")
    parser.add_argument("--timeout", type=int, default=120, help="seconds for a layer")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--keep", type=Path, help="a file of results: read first, and added to"
    )
    parser.add_argument("--page", action="store_true", help="write docs/wild.md")
    parser.add_argument("--tables", type=Path, default=HERE / "tables")
    return parser


def _known(kept: Path | None) -> dict[tuple[str, str], Seen]:
    if kept is None or not kept.exists():
        return {}
    lines = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    return {(project, at): seen for project, at, seen in lines}


def _all(
    targets: list[Target],
    known: dict[tuple[str, str], Seen],
    options: argparse.Namespace,
) -> Iterator[tuple[Target, Seen]]:
    """Yield each layer whose clone is there, with what was seen of it."""
    left = [target for target in targets if (target.project, target.at) not in known]
    for _, group in groupby(left, lambda target: target.project):
        ours = [*group]
        folder = ours[0].folder(options.checkouts)
        if not folder.is_dir():
            continue
        verdicts = _verdicts(ours, folder, options)
        opinions = _opinions(ours, folder)
        for target, opinion in zip(ours, opinions, strict=True):
            yield target, {**verdicts[target.at], "second": opinion}


def _environment() -> dict[str, str]:
    ours = str(HERE.parents[1])
    path = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH"))))
    return {
        **os.environ,
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }


def _verdicts(
    targets: list[Target], folder: Path, options: argparse.Namespace
) -> dict[str, Seen]:
    """Return what ldjcheck says of the layers of a project, by their targets."""
    found = {}
    for flags, group in groupby(
        sorted(targets, key=lambda t: t.flags), lambda t: t.flags
    ):
        command = [sys.executable, "-m", "ldjcheck", *(t.at for t in group), *flags]
        command += ["--format", "json", "--timeout", str(options.timeout)]
        command += ["-j", str(options.workers)]
        done = subprocess.run(
            command, cwd=folder, env=_environment(), capture_output=True, check=False
        )
        for result in json.loads(done.stdout)["results"]:
            found[result["target"]] = told(result)
    return found


def told(result: Seen) -> Seen:
    """Return what counts of one result: its status, what was found, and how far off."""
    grave = [f for f in result["findings"] if f["severity"] in ("error", "unproven")]
    worst = [
        abs(float(check["worst"])) for check in result["checks"] if check.get("worst")
    ]
    return {
        "status": result["status"],
        "codes": [f["code"] for f in grave],
        "name": grave[0]["name"] if grave else "",
        "direction": (grave[0]["direction"] or "") if grave else "",
        "message": grave[0]["message"] if grave else "",
        "worst": max(worst, default=0.0),
        "seconds": result["seconds"],
    }


def _opinions(targets: list[Target], folder: Path) -> list[Seen]:
    """Return the second opinion about each layer of a project."""
    jobs = [
        {
            "file": target.file,
            "expression": target.expression,
            "root": target.root,
            "shape": target.shape,
            "domain": target.domain,
            "call": target.call,
            "back": target.back,
        }
        for target in targets
    ]
    done = subprocess.run(
        [sys.executable, str(HERE / "independent.py")],
        cwd=folder,
        env=_environment(),
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return [{"error": "it did not run"} for _ in targets]
    return list(json.loads(lines[-1]))


def opinion_of(seen: Seen) -> bool | None:
    """Return whether the second opinion finds the layer right; None where it has none."""
    second = seen["second"]
    if "error" in second:
        return None
    allowed = CLOSE[second["dtype"]]
    numbers = [second.get(name) for name in ("forward", "back", "trip")]
    measured = [number for number in numbers if number is not None]
    return all(number <= allowed for number in measured) if measured else None


def judged(target: Target, seen: Seen) -> str:
    """Return what the verdict comes to, beside what is true of the layer."""
    status = seen["status"]
    if target.truth == "open":
        return "open"
    if target.is_wrong:
        if status == "pass":
            return "false pass"
        return "named" if target.truth in seen["codes"] else "found"
    return {
        "pass": "right",
        "fail": "false alarm",
        "unproven": "needless doubt",
        "error": "needless error",
    }[status]


def _table(rows: Iterable[tuple[Target, Seen]]) -> str:
    lines = [
        [
            t.project.partition("/")[2][:22],
            t.at.rpartition("/")[2][:52],
            t.truth,
            seen["status"],
            " ".join(dict.fromkeys(seen["codes"])),
            {True: "right", False: "wrong", None: ""}[opinion_of(seen)],
            judged(t, seen),
        ]
        for t, seen in rows
    ]
    head = ["project", "layer", "true", "status", "found", "second", "so"]
    return tabulate(lines, head)


def counts(rows: Sequence[tuple[Target, Seen]]) -> Counter[str]:
    """Return how many layers came to what."""
    return Counter(judged(target, seen) for target, seen in rows)


def contradicted(rows: Iterable[tuple[Target, Seen]]) -> list[Target]:
    """Return the layers that pass though the second opinion finds them wrong."""
    return [
        target
        for target, seen in rows
        if seen["status"] == "pass" and opinion_of(seen) is False
    ]


def summary(rows: Sequence[tuple[Target, Seen]]) -> str:
    """Return the figures in a few lines."""
    found = counts(rows)
    bare = sum(not target.flags for target, _ in rows)
    projects = {target.project for target, _ in rows}
    lines = [
        f"{len(rows)} layers of {len(projects)} projects, {bare} of them with no flag",
        *(f"{count} {what}" for what, count in sorted(found.items())),
        f"{len(contradicted(rows))} pass against the second opinion",
    ]
    return "\n".join(["", *lines])


def goals_met(rows: Sequence[tuple[Target, Seen]]) -> bool:
    """Return whether nothing is told wrongly, and little is not told at all."""
    found = counts(rows)
    bare = sum(not target.flags for target, _ in rows)
    return (
        not found["false alarm"]
        and not found["false pass"]
        and not contradicted(rows)
        and found["needless error"] <= GOALS["errors"] * len(rows)
        and bare >= GOALS["bare"] * len(rows)
    )
