"""`PYTHONPATH=tests python -m rewrites`: rewrite what is known, and print what changes.

What changes is printed as soon as it is known; the exit code is 1 if there is any.
`--write` writes `docs/rewrites.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from .judging import Judge, Row
from .kinds import KINDS
from .page import page_of, summary
from .subjects import subjects

PAGE = Path(__file__).parents[2] / "docs" / "rewrites.md"


def main() -> int:
    """Rewrite what is asked for; 0 when all of it is judged as before, 1 otherwise."""
    options = _parser().parse_args()
    rows, start = list[Row](), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(Path(folder))
        for at, subject in enumerate(subjects()):
            if options.only not in subject.name:
                continue
            for number, kind in enumerate(KINDS):
                if options.kind not in kind or (at + number) % options.every:
                    continue
                row = judge.compare_rewrite(subject, kind)
                rows.append(row)
                if row.state in ("changed", "open"):
                    print(f"{row.state}: {row}", flush=True)
                elif options.verbose and row.state == "dropped":
                    print(f"dropped: {row}", flush=True)
                if options.json:
                    with options.json.open("a", encoding="utf-8") as file:
                        made = {s: getattr(row, s) for s in row.__dataclass_fields__}
                        file.write(json.dumps(made) + "\n")
    print(summary(rows))
    print(f"\n{time.process_time() - start:.0f} s of CPU")
    if options.write:
        PAGE.write_text(page_of(rows), encoding="utf-8")
    return 1 if any(row.state == "changed" for row in rows) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rewrites",
        description="Rewrite layers so that they do what they did, and check both.",
    )
    parser.add_argument("--kind", default="", metavar="SUBSTRING")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="of subjects")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth")
    parser.add_argument("--verbose", action="store_true", help="say what is dropped")
    parser.add_argument("--write", action="store_true", help="write docs/rewrites.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the rows")
    return parser


if __name__ == "__main__":
    sys.exit(main())
