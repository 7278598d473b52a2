"""`--watch`: check once, then again whatever a saved file touches."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from ldjcheck.targets import as_targets
from ldjcheck.targets.touched import files_of

_GLANCE = 0.3  # seconds between two looks at the files

Stamps = dict["Path", int | None]


def rounds(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the targets to check: all, then whenever files are saved, what these touch."""
    targets = touched = as_targets(words)
    while True:
        files = {target: files_of(target) for target in targets}
        before = stamps(path for each in files.values() for path in each)
        if touched:
            yield touched
        changed = _wait(before)
        names = ", ".join(sorted(path.name for path in changed))
        click.echo(f"\n{names} changed.", err=True)
        targets = as_targets(words)  # a folder may hold more of them by now
        new = tuple(each for each in targets if each not in files)
        touched = (*(t for t in targets if files.get(t, frozenset()) & changed), *new)


def stamps(paths: Iterable[Path]) -> Stamps:
    """Return when each file was written last; None where there is none."""
    return {path: _written(path) for path in paths}


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _wait(before: Stamps) -> frozenset[Path]:
    """Return the files that are written otherwise than before, once there are some."""
    while True:
        now = stamps(before)
        changed = frozenset(path for path in before if now[path] != before[path])
        if changed:
            return changed
        time.sleep(_GLANCE)
