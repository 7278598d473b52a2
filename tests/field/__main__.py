"""Writes `docs/field.md`: what a check says of every layer in the tables.

`PYTHONPATH=tests python -m field`, two libraries at a time; `python -m field zuko` prints
one library's results as lines of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "field.md"
PACKAGES = {
    "torch": "torch", "nflows": "nflows", "normflows": "normflows", "zuko": "zuko",
    "FrEIA": "FrEIA", "pyro": "pyro-ppl", "torchflows": "torchflows",
    "flowtorch": "flowtorch",
}  # fmt: skip

HEAD = """# Layers of eight libraries

Every layer below is built as the users of its library build it, and checked with what is
found out by itself. `PYTHONPATH=tests python -m field` writes this page,
`pytest -m slow tests/field/test_field.py` tests that it is true.

{summary}

A layer that does not pass is one of three things: it is wrong, by the numbers beside it;
it can be neither proved nor refuted; or its library declares no log-determinant.

## What does not pass

`worst` is the largest |reported - exact| of any sample, in nats.

{wrong}
"""


def results_of(library: str) -> list[dict[str, Any]]:
    """Return what a check says of each layer of one library."""
    import torch

    import ldjcheck
    from field.tables import TABLES

    found = []
    for name, entry in TABLES[library].items():
        torch.manual_seed(0)
        report = ldjcheck.check(entry.build(), **entry.flags)
        grave = [f for f in report.findings if f.severity in ("error", "unproven")]
        worst = [c.worst for c in report.checks if c.name == "ldj" and c.worst]
        found.append(
            {
                "library": library,
                "name": name,
                "status": report.status,
                "flags": bool(entry.flags),
                "code": f"{grave[0].code} {grave[0].name}" if grave else "",
                "direction": (grave[0].direction or "") if grave else "",
                "worst": max(worst, default=None),
                "known": entry.known,
                "why": entry.why,
            }
        )
        print(json.dumps(found[-1]), flush=True)
    return found


def main() -> None:
    """Print one library's results, or write the page about all."""
    if sys.argv[1:]:
        results_of(sys.argv[1])
        return
    with ThreadPoolExecutor(2) as pool:
        found = [line for lines in pool.map(_elsewhere, PACKAGES) for line in lines]
    PAGE.write_text(page_of(found), encoding="utf-8")


def _elsewhere(library: str) -> list[dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "field", library],
        stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # two of them share the cores
    )  # fmt: skip
    return [json.loads(line) for line in ran.stdout.splitlines() if line[:1] == "{"]


def page_of(found: list[dict[str, Any]]) -> str:
    """Return the page about these results."""
    rows = ["| library | version | layers | without a flag | pass | not |"]
    rows.append("| --- | --- | --- | --- | --- | --- |")
    total: Counter[str] = Counter()
    for library, package in PACKAGES.items():
        own = [line for line in found if line["library"] == library]
        passed = sum(line["status"] == "pass" for line in own)
        counts = len(own), sum(not line["flags"] for line in own), passed
        total.update(dict(zip(("all", "bare", "pass"), counts, strict=True)))
        release = version(package).split("+")[0]
        rows.append(
            f"| {package} | {release} | {counts[0]} | {counts[1]} | {passed} "
            f"| {counts[0] - passed} |"
        )
    missed = total["all"] - total["pass"]
    rows.append(
        f"| all | | {total['all']} | {total['bare']} | {total['pass']} | {missed} |"
    )
    wrong = ["| layer | status | finding | worst | what it is |"]
    wrong.append("| --- | --- | --- | --- | --- |")
    for line in found:
        if line["status"] == "pass":
            continue
        where = f", {line['direction']}" if line["direction"] else ""
        finding = f"{line['code']}{where}" if line["code"] else "round trip or dims"
        worst = "" if line["worst"] is None else f"{line['worst']:.2g}"
        wrong.append(
            f"| {line['library']}: `{line['name']}` | {line['status']} | {finding} "
            f"| {worst} | {line['why']} |"
        )
    return HEAD.format(summary="\n".join(rows), wrong="\n".join(wrong))


if __name__ == "__main__":
    main()
