"""Facts on disk, so that grading that was interrupted goes on where it was.

Each submission has a file; it is there whole or not at all. One that was changed since, or
was graded by another rubric, is graded again.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ldjcheck import __version__
from ldjcheck.grading.records import Marked
from ldjcheck.grading.rubric import Rubric
from ldjcheck.grading.submissions import Submission
from ldjcheck.records.result import from_plain
from ldjcheck.revision.disk import write_whole

_FOLDER, _POINTS = "facts", "points.json"


class Store:
    """The facts in a folder."""

    def __init__(self, folder: Path, *, again: bool = False) -> None:
        self._folder, self._again = folder / _FOLDER, again

    def known(self, submission: Submission, rubric: Rubric) -> Marked | None:
        """Return what is known of a submission, if it was graded as it stands."""
        if self._again:
            return None
        path = self._path(submission.name)
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            if table.pop("version") != __version__:
                return None
            found: Marked = from_plain(Marked, table)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        same = (found.submission, found.fingerprint, found.rubric)
        wanted = (submission.name, submission.fingerprint, rubric.fingerprint)
        return found if same == wanted else None

    def keep(self, marked: Marked) -> None:
        """Write the facts about a submission."""
        text = json.dumps({"version": __version__, **asdict(marked)}, indent=1)
        write_text(self._path(marked.submission), text)

    def points(self) -> dict[str, float]:
        """Return the points that submissions had when the class was graded last."""
        try:
            table = json.loads(
                (self._folder.parent / _POINTS).read_text(encoding="utf-8")
            )
            return {str(name): float(points) for name, points in table.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def keep_points(self, points: Mapping[str, float]) -> None:
        """Write the points of a class, beside those of submissions that it lacks now."""
        text = json.dumps({**self.points(), **points}, indent=1)
        write_text(self._folder.parent / _POINTS, text)

    def _path(self, name: str) -> Path:
        return self._folder / f"{file_name(name)}.json"


def file_name(name: str) -> str:
    """Return a name as every system takes it for a file, different for each name."""
    plain = re.sub(r"[^\w.() -]", "_", name)[:80].strip(" .") or "_"
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


def write_text(path: Path, text: str) -> None:
    """Write a text in one step, and the folder of its file where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(str(path), text.encode(errors="replace"), 0o644)
