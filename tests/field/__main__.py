"""Writes `docs/field.md`: what a check says of every layer in the tables.

`PYTHONPATH=tests python -m field`, two layers at a time; `python -m field zuko` prints one
library's results as lines of JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from field.results import layers_of, result_of

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


def main() -> None:
    """Print the results of the libraries that are named, or write the page about all."""
    libraries = sys.argv[1:] or [*PACKAGES]
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes below share the cores
    os.environ["PYTHONWARNINGS"] = "ignore"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        layers = [*itertools.chain(*pool.map(layers_of, libraries))]
        # What is wrong takes longest to explain: it must not be what is left at the end.
        order = sorted(layers, key=lambda layer: layer[0])
        running = {at: pool.submit(result_of, *at[1:]) for at in order}
        found = [running[at].result() for at in layers]
    if sys.argv[1:]:
        print(*map(json.dumps, found), sep="\n")
    else:
        PAGE.write_text(page_of(found), encoding="utf-8")


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
