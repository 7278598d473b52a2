"""Hold what all known layers are told now against what a revision told them.

Run from the repository root, with the tests importable:

    PYTHONPATH=tests python -m gate REVISION [LATER]

LATER is a revision too, or else this tree as it stands. Exit status 0: every document is
the same, byte for byte. It takes some four minutes on two cores; the documents of a
revision are kept in the temporary folder.
`python -m gate --write FILE` writes the documents of this tree, by name.
"""

from __future__ import annotations

import difflib
import json
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHOWN = 12  # lines of a difference


def write(file: Path) -> None:
    """Check every subject of this tree, and write what it is told."""
    from gate.subjects import names, told

    subjects = names()
    random.Random(0).shuffle(subjects)  # what takes long stands together in the zoo
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        documents = dict(zip(subjects, pool.map(told, subjects), strict=True))
    file.write_text(json.dumps(documents, sort_keys=True), encoding="utf-8")


def of_tree(tree: Path, file: Path) -> dict[str, str]:
    """Return the documents of the package that stands in a folder, by its own gate."""
    paths = os.pathsep.join([str(tree), str(tree / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "gate", "--write", str(file)]
    subprocess.run(command, cwd=tree, env=environment, check=True)
    return read(file)


def of_revision(revision: str) -> dict[str, str]:
    """Return the documents of a revision, worked out once on this machine."""
    name = git("rev-parse", "--verify", f"{revision}^{{commit}}")
    kept = Path(tempfile.gettempdir()) / f"ldjcheck-gate-{name}.json"
    if kept.exists():
        return read(kept)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--detach", str(tree), name)
        try:
            return of_tree(tree, kept)
        finally:
            git("worktree", "remove", "--force", str(tree))


def read(file: Path) -> dict[str, str]:
    """Return documents by the name of their subject."""
    documents: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return documents


def git(*words: str) -> str:
    """Return what git answers."""
    command = ["git", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def compare(before: dict[str, str], after: dict[str, str]) -> int:
    """Print each subject that is told something else; return how many there are."""
    changed = 0
    for name in sorted({*before, *after}):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        if old == new:
            continue
        changed += 1
        print(f"\n{name}")
        difference = list(difflib.unified_diff(old, new, "before", "after", n=0))
        print("\n".join(difference[2 : 2 + SHOWN]))
    print(f"\n{len(after)} layers, {changed} told something else")
    return changed


def main(words: list[str]) -> int:
    """Return the exit status of one call."""
    if len(words) == 2 and words[0] == "--write":
        write(Path(words[1]))
        return 0
    if len(words) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    before = of_revision(words[0])
    if len(words) == 2:
        return 1 if compare(before, of_revision(words[1])) else 0
    with tempfile.TemporaryDirectory() as folder:
        after = of_tree(ROOT, Path(folder) / "now.json")
    return 1 if compare(before, after) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
