"""Reading archives that strangers made: never outside, never without end."""

from __future__ import annotations

import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator

MOST_FILES = 1000
MOST_BYTES = 2**26  # of one submission, unpacked
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_JUNK = re.compile(
    r"(^|/)(__pycache__|__MACOSX|\.git|\.ipynb_checkpoints|\.DS_Store)(/|$)|\.pyc$"
)


class UnreadableError(Exception):
    """Something that cannot be taken as a submission; the text says why."""


class Unpacked(dict[str, bytes]):
    """Files by their path in a submission, within the limits."""

    def add(self, path: str, data: bytes) -> None:
        """Add a file; what only tools leave behind is left out.

        Raises:
            UnreadableError: it is one too many.
        """
        if _JUNK.search(path):
            return
        self[path] = data
        if len(self) > MOST_FILES or sum(map(len, self.values())) > MOST_BYTES:
            raise UnreadableError(
                f"it holds more than {MOST_FILES} files, or {MOST_BYTES} bytes"
            )


def is_archive(name: str) -> bool:
    """Return whether a file has the name of an archive."""
    return name.lower().endswith(SUFFIXES)


def stem(name: str) -> str:
    """Return an archive's name without what says that it is one."""
    lower = name.lower()
    longest = max((s for s in SUFFIXES if lower.endswith(s)), key=len, default="")
    return name[: len(name) - len(longest)]


def unpack(data: bytes, name: str) -> Unpacked:
    """Return the plain files of an archive; links and devices are left out.

    Raises:
        UnreadableError: it is none, is locked, reaches outside, or is too large.
    """
    found = Unpacked()
    reading = _zip if name.lower().endswith(".zip") else _tar
    try:
        for path, content in reading(data):
            found.add(safe_path(path), content)
    except (
        zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, ValueError, RuntimeError,
        NotImplementedError,
    ) as error:  # fmt: skip
        raise UnreadableError(f"it is no archive that can be read: {error}") from None
    return found


def safe_path(path: str) -> str:
    """Return a path that stays inside, with `/` between its parts.

    Raises:
        UnreadableError: it leads out.
    """
    parts = [p for p in path.replace("\\", "/").split("/") if p not in ("", ".")]
    rooted = path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path)
    if rooted or ".." in parts or not parts or "\0" in path:
        raise UnreadableError(f"it names a file outside of itself: {path[:80]!r}")
    return "/".join(parts)


def _zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist()[: 2 * MOST_FILES]:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir() or kind not in (0, stat.S_IFREG):
                continue
            with archive.open(member) as file:
                yield member.filename, _limited(file.read(MOST_BYTES + 1))


def _tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    # as a stream: nothing is sought, nor kept of what was passed
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|*") as archive:
        for number, member in enumerate(archive):
            if number > 2 * MOST_FILES:
                raise UnreadableError(f"it holds more than {MOST_FILES} files")
            if not member.isreg():
                continue
            if member.size > MOST_BYTES:
                raise UnreadableError(f"it holds more than {MOST_BYTES} bytes")
            file = archive.extractfile(member)
            if file is not None:
                yield member.name, _limited(file.read(MOST_BYTES + 1))


def _limited(data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        raise UnreadableError(f"it holds more than {MOST_BYTES} bytes")
    return data
