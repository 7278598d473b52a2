"""Which submissions there are among files, folders and archives.

Archives are made by strangers: they are read never outside, and never without end.
"""

import hashlib
import io
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

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


SOURCES = (".py", ".ipynb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What one student handed in. `problem` says why it could not be read."""

    name: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    problem: str | None = None

    @property
    def fingerprint(self) -> str:
        """Changes with any of its files."""
        found = hashlib.sha256(repr(self.problem).encode())
        for path, data in sorted(self.files.items()):
            found.update(f"{path}\0{len(data)}\0".encode("utf-8", "surrogateescape"))
            found.update(data)
        return found.hexdigest()[:16]

    @property
    def sources(self) -> tuple[str, ...]:
        """Its Python files and notebooks, those that lie highest first."""
        found = [path for path in self.files if path.endswith(SOURCES)]
        return tuple(sorted(found, key=lambda path: (path.count("/"), path)))


def collect(paths: Sequence[Path], pattern: str | None) -> list[Submission]:
    """Return all submissions that paths lead to, by name, each name once.

    A file is one. A folder, or an archive, is one where it holds the file that is graded
    (`pattern`) at its top; an archive also where it holds one Python file or notebook in
    all. Otherwise each of its entries is a submission.

    Raises:
        FileNotFoundError: a path leads nowhere.
    """
    found: list[Submission] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        if path.is_dir():
            found += _of_folder(path, pattern)
        elif is_archive(path.name):
            found += _of_archive(path, pattern)
        else:
            found.append(_of_entry(path))
    return _with_names(found)


def _with_names(found: Sequence[Submission]) -> list[Submission]:
    """Return the submissions in the order of their names, each name made its own."""
    taken: dict[str, int] = {}
    named = []
    for each in sorted(found, key=lambda s: (s.name, s.fingerprint)):
        count = taken[each.name] = taken.get(each.name, 0) + 1
        name = each.name if count == 1 else f"{each.name} ({count})"
        named.append(replace(each, name=name))
    return named


def _of_folder(folder: Path, pattern: str | None) -> Iterator[Submission]:
    names = sorted(entry.name for entry in os.scandir(folder))
    if pattern is not None and any(fnmatch(name, pattern) for name in names):
        yield _of_entry(folder)
        return
    for name in names:
        entry = folder / name
        wanted = entry.is_dir() or name.endswith(SOURCES) or is_archive(name)
        if wanted and not name.startswith((".", "__")):
            yield _of_entry(entry)


def _of_archive(path: Path, pattern: str | None) -> Iterator[Submission]:
    whole = _of_entry(path)
    tops = {name.partition("/")[0] for name in whole.files}
    graded = pattern is not None and any(fnmatch(top, pattern) for top in tops)
    inner = [name for name in whole.files if is_archive(name)]
    if whole.problem or graded or (len(whole.sources) <= 1 and not inner):
        yield whole
        return
    for top in sorted(tops):
        beneath = {
            name.partition("/")[2] or name: data
            for name, data in whole.files.items()
            if name.partition("/")[0] == top
        }
        if list(beneath) == [top] and is_archive(top):
            yield _unpacked(stem(top), beneath[top], top)
        elif any(name.endswith(SOURCES) or is_archive(name) for name in beneath):
            yield _opened(Submission(name=_plain(top), files=beneath))


def _of_entry(path: Path) -> Submission:
    """Return one submission; what lies behind links is not taken along."""
    name = _plain(path.resolve().name if path.name in ("", ".", "..") else path.name)
    try:
        if path.is_symlink() and path.parent != Path("."):
            raise UnreadableError("it is a link")
        if path.is_dir():
            return _opened(Submission(name=name, files=_walked(path)))
        data = _read(path)
        if is_archive(path.name):
            return _unpacked(stem(path.name), data, path.name)
        return Submission(name=name, files={path.name: data})
    except (UnreadableError, OSError) as error:
        return Submission(name=stem(name), problem=str(error))


def _unpacked(name: str, data: bytes, file: str) -> Submission:
    try:
        return Submission(name=name, files=unpack(data, file))
    except UnreadableError as error:
        return Submission(name=name, problem=str(error))


def _opened(submission: Submission) -> Submission:
    """Return a submission whose one file is an archive as what that holds."""
    if submission.sources:
        return submission
    inner = [name for name in submission.files if is_archive(name)]
    if len(inner) != 1:
        return submission
    return _unpacked(submission.name, submission.files[inner[0]], inner[0])


def _walked(folder: Path) -> Unpacked:
    found = Unpacked()
    for up, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(up, name)
            if stat.S_ISREG(path.lstat().st_mode):
                found.add(path.relative_to(folder).as_posix(), _read(path))
    return found


def _read(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise UnreadableError(f"it is larger than {MOST_BYTES} bytes")
    return path.read_bytes()


def _plain(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix in SOURCES else name


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files into a folder, which is empty and one's own."""
    for path, data in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
