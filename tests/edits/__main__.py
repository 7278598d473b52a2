"""Judge every verified edit: `PYTHONPATH=tests python -m edits`, half an hour on one core.

`--every N` takes each N-th layer only, `--planted N` each N-th planted mistake as well,
`--only TEXT` the layers whose name holds it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edits.offers import Judged


def main() -> int:
    """Print how many verified edits are right, and name those that are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--planted", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    from edits.offers import judged_by_name, subjects

    names = [s.name for s in subjects() if options.only in s.name][:: options.every]
    found: list[Judged] = []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        for each in pool.map(judged_by_name, names):
            found.append(each)
            print(f"{each.verdict:10} {each.name}", flush=True)
            if each.verdict in ("wrong", "not judged"):
                print(each.diff)
            for place in each.wrong:
                print(f"    off by {place.off:.2g}, {place.where}")
    counts = Counter(each.verdict for each in found)
    wrong = counts["wrong"]
    if options.planted:
        wrong += _planted(options.planted, options.workers, counts)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))
    return 1 if wrong else 0


def _planted(every: int, workers: int, counts: Counter[str]) -> int:
    """Judge the edits for planted mistakes as they are judged there; return the wrong."""
    from planted.fixing import check_fix, fix_misses
    from planted.generator import all_candidates, choose

    chosen = choose(all_candidates(workers), 0)[::every]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        scores = [*pool.map(check_fix, chosen)]
    bad = [score for score in scores if score.verdict == "wrong"]
    counts.update(f"planted {score.verdict}" for score in scores)
    print(fix_misses(bad))
    return len(bad)


if __name__ == "__main__":
    sys.exit(main())
